"""The ``polycall`` command: options that all commands share, and how an error looks to a person."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from interop.errors import OUTCOMES, PolycallError
from registry.cli.call import call
from registry.cli.check import check
from registry.cli.failures import show_error
from registry.cli.init import init
from registry.cli.list import list_entries
from registry.cli.logs import configure_logging
from registry.cli.session import Session
from registry.cli.show import show

__all__ = ["main"]

_INTERRUPTED = 130
_CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_CONTEXT_SETTINGS)
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


for _command in (call, check, init, list_entries, show):
    commands.add_command(_command)


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
