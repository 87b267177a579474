"""``polycall stubs``: types of a project's functions, for editors and type checkers."""

from __future__ import annotations

from pathlib import Path

import click

from polycall.interop.errors import PreparationError
from polycall.registry.binary_hashes import index_without_hashes
from polycall.registry.cli.command import Command, PathType
from polycall.registry.cli.output import print_line
from polycall.registry.cli.printable import one_line
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say
from polycall.registry.documents.text_edits import replace_file

__all__ = ["stubs"]


@click.command(cls=Command, short_help="Write types for editors and type checkers.")
@click.option(
    "--python", "python", type=PathType("directory", file_okay=False), metavar="FOLDER",
    help="Write a typed Python module for each namespace here.",
)  # fmt: skip
@click.pass_obj
def stubs(session: Session, python: Path | None) -> None:
    """Write what editors read into .polycall: types for Lua, and JSON Schemas.

    That is: definitions for lua-language-server of all modules that require gives, and of the functions that funcs.call
    may call; the schema of entry files, and that of polycall.yaml.

    With --python: a module for each namespace, with a function for each entry that calls it in a registry.

    Types are those of components, and what the "wit" of an entry says. Run it again when they have changed.
    """
    from polycall.registry.stubs.editor_files import write_editor_files  # noqa: PLC0415  # loads the engine
    from polycall.registry.stubs.typed_entries import typed_entries  # noqa: PLC0415  # the same

    index = index_without_hashes(session.project)
    entries = typed_entries(index)
    for entry in entries:
        if entry.problem is not None:
            say(f"no types: {one_line(entry.problem)}")
    folder = write_editor_files(index.root, entries)
    print_line(("wrote  ", "green"), (str(folder), ""))
    if python is not None:
        from polycall.registry.stubs.python_stubs import python_modules  # noqa: PLC0415  # only this option

        _write_modules(python, python_modules(entries))


def _write_modules(folder: Path, modules: dict[str, str]) -> None:
    from polycall.registry.stubs.python_stubs import MADE_BY  # noqa: PLC0415  # as above

    folder.mkdir(parents=True, exist_ok=True)
    for name in modules:
        path = folder / name
        if path.exists() and not path.read_text("utf-8", "replace").startswith(MADE_BY):
            raise PreparationError(f"{path} was not made by polycall stubs", hint="choose another folder")
    for name, text in modules.items():
        path = folder / name
        path.touch()
        replace_file(path, text.encode())
        print_line(("wrote  ", "green"), (str(path), ""))
