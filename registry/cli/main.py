"""The ``polycall`` command: options that all commands share, and how an error looks to a person."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import click

from polycall._version import __version__
from polycall.interop.ids import suggestion
from polycall.interop.isolation import ISOLATIONS
from polycall.registry.cli.command import Command, PathType, taken_anywhere
from polycall.registry.cli.logs import configure_logging
from polycall.registry.cli.printable import printable
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say

__all__ = ["main"]

_INTERRUPTED = 130
_CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "add": "add",
        "build": "build",
        "cache": "cache",
        "call": "call",
        "check": "check",
        "completion": "completion",
        "doctor": "doctor",
        "hash": "hash_binaries",
        "init": "init",
        "list": "list_entries",
        "run": "run_command",
        "schema": "schema",
        "shell": "shell",
        "show": "show",
        "stubs": "stubs",
        "test": "run_tests",
        "wit": "wit",
    }
)
"""Each command, which is also the name of its module here, and what it is called there."""


class _Commands(Command, click.Group):
    """Imports a command when it is used: a script that calls `polycall list` must not wait for all the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command, or None if there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"polycall.registry.cli.{cmd_name}")
        command: click.Command = getattr(module, _COMMANDS[cmd_name])
        taken_anywhere(command, self)
        if ctx.resilient_parsing:  # a shell asks what could be typed
            from polycall.registry.cli.completion import offer_entry_ids  # noqa: PLC0415  # nothing else needs it

            offer_entry_ids(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that `args` begin with; tells what a misspelt one may have been."""
        near = suggestion(args[0], _COMMANDS)
        if near and args[0] not in _COMMANDS and not ctx.resilient_parsing:
            ctx.fail(f"No such command '{args[0]}' ({near})")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; returns its exit code, also that of a failure."""
        try:
            return self._invoke(ctx)
        except KeyboardInterrupt:  # click would write an empty line
            return _interrupted()

    def _invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()  # at Python's own exit it would be too late to say what went wrong
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001  # nobody above could say it better
            from polycall.registry.cli.failures import show_failure  # noqa: PLC0415  # most commands do not fail

            return show_failure(error, debug=ctx.params["debug"])
        return result


def _show_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"polycall, version {__version__}", color=context.color)
        context.exit()


@click.group(cls=_Commands, context_settings=_CONTEXT_SETTINGS)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option(
    "-C",
    "--project",
    type=PathType(),
    help="The project folder (default: the one that the current folder lies in).",
)
@click.option(
    "--isolation",
    type=click.Choice(ISOLATIONS),
    help="What every function has at least, in the place of what polycall.yaml says.",
)
@click.option("-v", "--verbose", count=True, help="Show all that guests log (-v), and polycall itself (-vv).")
@click.option("--debug", is_flag=True, help="Show Python tracebacks of errors.")
@click.pass_context
def commands(context: click.Context, project: Path | None, isolation: str | None, verbose: int, debug: bool) -> None:
    """Call functions written in Lua or compiled to WebAssembly, and let them call each other.

    These options may stand behind the command as well.
    """
    configure_logging(verbose)
    begin: Callable[[], None] = context.obj
    context.obj = Session(project, debug, isolation)
    begin()


def main(arguments: Sequence[str] | None = None, *, begin: Callable[[], None] = lambda: None) -> int:
    """Runs the command line.

    Args:
        arguments: Without the program's name; None for those of the process.
        begin: Is called when all is imported, before the command does anything.

    Returns:
        The exit code: 0, 2 for a wrong command line, else that of the failure, see `polycall.registry.cli.failures`.
    """
    _take_over_stdout()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # for the help and the completions, which click writes
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if sys.stdout is None:  # closed by whoever started us: nothing must be done whose result would be lost
            raise click.UsageError("standard output is closed; send it to /dev/null if it is not wanted")
        result = commands.main(given, prog_name="polycall", standalone_mode=False, obj=begin)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        say(printable(shown.getvalue().rstrip()))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except OSError as error:  # --help and --version write before there is a command
        from polycall.registry.cli.failures import show_failure  # noqa: PLC0415  # as above

        return show_failure(error, debug=False)


def _take_over_stdout() -> None:
    """Has stdout take all of what is written, or fail.

    Without a buffer (PYTHONUNBUFFERED, as in many containers) Python forgets what the system did not take at once: a
    pipe that does not block, a disk that is full.
    """
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.RawIOBase):
        buffer = io.BufferedWriter(stream.buffer)
        sys.stdout = io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=True)


def _interrupted() -> int:
    on_terminal = sys.stderr is not None and sys.stderr.isatty()  # which shows ^C, and goes on behind it
    say("\ninterrupted" if on_terminal else "interrupted")
    return _INTERRUPTED
