"""The ``polycall`` command: options that all commands share, and how an error looks to a person."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import click

from interop.errors import OUTCOMES, PolycallError
from registry.cli.failures import show_error
from registry.cli.logs import configure_logging
from registry.cli.session import Session

__all__ = ["main"]

_INTERRUPTED = 130
_CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "call": "call",
        "check": "check",
        "completion": "completion",
        "doctor": "doctor",
        "hash": "hash_binaries",
        "init": "init",
        "list": "list_entries",
        "schema": "schema",
        "show": "show",
        "test": "run_tests",
    }
)
"""Each command, which is also the name of its module here, and what it is called there."""


class _Commands(click.Group):
    """Imports a command when it is used: a script that calls `polycall list` must not wait for all the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command, or None if there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"registry.cli.{cmd_name}")
        command: click.Command = getattr(module, _COMMANDS[cmd_name])
        if ctx.resilient_parsing:  # a shell asks what could be typed
            from registry.cli.completion import offer_entry_ids  # noqa: PLC0415  # nothing else needs it

            offer_entry_ids(command)
        return command


@click.group(cls=_Commands, context_settings=_CONTEXT_SETTINGS)
@click.version_option(package_name="polycall")
@click.option(
    "-C",
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The project folder (default: the current one).",
)
@click.option("-v", "--verbose", count=True, help="Show the log of guests (-v) and of polycall itself (-vv).")
@click.option("--debug", is_flag=True, help="Show Python tracebacks of errors.")
@click.pass_context
def commands(context: click.Context, project: Path, verbose: int, debug: bool) -> None:
    """Call functions written in Lua or compiled to WebAssembly, and let them call each other."""
    configure_logging(verbose)
    context.obj = Session(project, debug)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: Without the program's name; None for those of the process.

    Returns:
        The exit code: 0, 2 for a wrong command line, else what `interop.errors.OUTCOMES` says of the error.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = commands.main(given, prog_name="polycall", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except PolycallError as error:
        if "--debug" in given:
            raise
        show_error(error)
        return OUTCOMES[error.code].exit_code
