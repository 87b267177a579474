"""``polycall add``: entries for a file of WebAssembly, or a new function from a template."""

from __future__ import annotations

from pathlib import Path

import click

from polycall.registry.adding.binaries import add_binary
from polycall.registry.adding.functions import add_function
from polycall.registry.adding.target import Addition
from polycall.registry.cli.command import Command
from polycall.registry.cli.output import print_line
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say
from polycall.registry.templates import LANGUAGES, needs

__all__ = ["add"]


@click.command(cls=Command, short_help="Add entries for a WebAssembly file, or from a template.")
@click.argument("source", metavar="FILE|NAME")
@click.option(
    "-t", "--template", "language", type=click.Choice(list(LANGUAGES)), help="Make a function NAME in this language."
)
@click.option("--to", metavar="FILE", help="The entry file (default: _index.yaml of the project).")
@click.option("--name", metavar="NAME", help="What to call the entry of a FILE that has one export.")
@click.option("--export", "exports", metavar="EXPORT", multiple=True, help="Only this export of FILE.")
@click.option("--grant", is_flag=True, help="Grant what FILE imports: its capability groups.")
@click.pass_obj
def add(  # noqa: PLR0917  # click passes options by name
    session: Session,
    source: str,
    language: str | None,
    to: str | None,
    name: str | None,
    exports: tuple[str, ...],
    grant: bool,
) -> None:
    """Add entries to the project.

    For a FILE of WebAssembly in the project: an entry for each export, with its hash, and the fs.directory of its
    folder if none has it yet. Exports that have an entry are left alone. Nothing is granted without --grant.

    With --template: a function NAME to start from, and its entry.

    \b
    Examples:
      polycall add build/tax.wasm
      polycall add --template js price
    """  # noqa: D301  # what click looks for is the control character
    if language is None:
        _report(add_binary(session.project, Path(source), to=to, name=name, exports=exports, grant=grant))
        return
    if name is not None or exports or grant:
        raise click.UsageError("--name, --export and --grant are for a FILE of WebAssembly")
    _report(add_function(session.project, language, source, to=to))
    needed = needs(language, source)
    if needed is not None:
        say(f"polycall build makes it; it needs {needed}")


def _report(addition: Addition) -> None:
    for entry_id in addition.kept:
        print_line(("unchanged  ", "dim"), (entry_id, ""))
    for name in addition.files:
        print_line(("wrote      ", "green"), (name, ""))
    for entry_id in addition.added:
        print_line(("added      ", "green"), (entry_id, ""), (f"  to {addition.entry_file}", "dim"))
    for note in addition.notes:
        say(note)
