"""A function to start from, added to a project."""

from __future__ import annotations

from pathlib import Path

from polycall.interop.errors import PreparationError
from polycall.registry.adding.target import Addition, Target, scalar
from polycall.registry.new_files import taken_names, write_new_files
from polycall.registry.templates import NAME, function_template

__all__ = ["add_function"]

_OF_TEMPLATES = "\n  fs: build\n"


def add_function(project: Path, language: str, name: str, *, to: str | None = None) -> Addition:
    """Adds a function to start from.

    Args:
        project: The project folder.
        language: One of `polycall.registry.templates.LANGUAGES`.
        name: What it is called.
        to: The entry file, relative to the project.

    Raises:
        PreparationError: The name will not do or is taken, or the file cannot be changed in place.
        NotFoundError: There is no such project.
    """
    if not NAME.fullmatch(name):
        raise PreparationError(f"{name!r} is no name for a function", hint='small letters and digits, such as "price"')
    target = Target(project, to)
    entries, files = function_template(language, name)
    target.refuse_taken(name)
    if _OF_TEMPLATES in entries:
        folder = target.folder(target.index.root / "build")
        entries = folder.text + entries.replace(_OF_TEMPLATES, f"\n  fs: {scalar(folder.reference)}\n")
    home = target.source.path.parent
    if home != target.index.root and "\n  build:\n" in entries:
        raise PreparationError(f"{target.source.name} is no file of the project folder itself", hint="name one by --to")
    taken = taken_names(home, files)
    if taken:
        raise PreparationError(f"{', '.join(taken)} would be overwritten", hint="choose another name")
    write_new_files(home, files)
    target.write(entries)
    return Addition(target.source.name, (target.id_of(name),), files=tuple(files))
