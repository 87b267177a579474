"""``polycall init``: a project that runs, to start from."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path

import click

from polycall.interop.errors import PolycallError
from polycall.registry.binary_hashes import index_without_hashes
from polycall.registry.cli.command import Command, PathType
from polycall.registry.cli.output import print_text
from polycall.registry.cli.printable import one_line, printable
from polycall.registry.new_files import taken_names, write_new_files
from polycall.registry.templates import LANGUAGES, function_template, needs, project_template

__all__ = ["init"]

_FILE = "_index.yaml"


@click.command(cls=Command, short_help="Make a project that runs.")
@click.option(
    "-t", "--template", "language", type=click.Choice(list(LANGUAGES)), help="The language of the function in it."
)
@click.argument("directory", metavar="[DIRECTORY]", type=PathType("directory", file_okay=False), default=".")
def init(directory: Path, language: str | None) -> None:
    """Make a project in DIRECTORY, or here: a Lua function, a WebAssembly component, and a function that joins them.

    With --template: a function in that language, a Lua function that calls it, a test, and how it is built.
    An existing file is never overwritten.
    """
    files = project_template(language)
    if language is not None:
        entries, of_function = function_template(language)
        files |= of_function
        files[_FILE] += _with_folder(entries).encode()
    taken = taken_names(directory, files)
    if taken:
        where = "this folder" if _is_here(directory) else str(directory)
        raise click.UsageError(
            f"{where} already has {', '.join(taken)}: name another folder, or use polycall add in this one"
        )
    write_new_files(directory, files)
    with suppress(PolycallError):  # of files that were there before; `check` says what is wrong with them
        _wire_editors(directory)
    here = _is_here(directory)
    place = "here" if here else f"in {one_line(str(directory))}"
    enter = [] if here else [f"cd {shlex.quote(str(directory))}"]
    steps = "\n".join(f"  {step}" for step in [*enter, *_steps(language)])
    print_text(f"Made a project {place}. Try it:\n\n{printable(steps)}")


def _is_here(directory: Path) -> bool:
    return directory.resolve() == Path.cwd()


def _wire_editors(directory: Path) -> None:
    from polycall.registry.stubs.editor_files import write_editor_files  # noqa: PLC0415  # loads the engine
    from polycall.registry.stubs.typed_entries import typed_entries  # noqa: PLC0415  # the same

    index = index_without_hashes(directory)
    write_editor_files(index.root, typed_entries(index))


def _with_folder(entries: str) -> str:
    folder = "- name: build\n  kind: fs.directory\n  directory: build\n  auto_init: true\n\n"
    lines = (folder if "\n  fs: build\n" in entries else "") + entries
    return "\n" + "".join(f"  {line}".rstrip() + "\n" for line in lines.splitlines())


def _steps(language: str | None) -> list[str]:
    if language is None:
        return ["polycall list", "polycall call app:welcome --string World"]
    needed = needs(language)
    build = [] if needed is None else [f"polycall build                  # needs {needed}"]
    return [*build, "polycall test", "polycall call app:page --string 'Hello, World!'"]
