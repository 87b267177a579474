"""What a project is: a folder that ``polycall.yaml`` or ``wippy.lock`` marks, or one with an entry file at its top."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from polycall.interop.errors import NotFoundError
from polycall.interop.ids import suggestion
from polycall.registry.documents.paths import is_file, is_folder
from polycall.registry.entries.settings import SETTINGS_FILE
from polycall.registry.reading.discovery import LOCK_FILE, SUFFIXES

__all__ = ["find_project", "is_marked", "no_project", "project_folder"]

_MARKS = (SETTINGS_FILE, LOCK_FILE)
_MOST_LOOKED_AT = 1000
_MOST_NAMED = 3


def find_project(start: Path) -> Path:
    """Returns the project that one stands in: the nearest folder from `start` upwards that is marked.

    Without one it is `start`. A mark above counts only if it is the user's own or the system's: anybody may put files
    into a folder such as ``/tmp``, and what a project declares is run.
    """
    try:
        here = Path(os.path.realpath(start))
    except OSError:
        return start
    if is_marked(here):
        return start
    return next((folder for folder in here.parents if _is_marked_by_us(folder)), start)


def is_marked(folder: Path) -> bool:
    """Says whether a folder is a project whatever else is in it."""
    return any(is_file(folder / name) or is_folder(folder / name) for name in _MARKS)


def _is_marked_by_us(folder: Path) -> bool:
    return any(is_file(folder / name) and (folder / name).lstat().st_uid in (0, os.getuid()) for name in _MARKS)


def project_folder(path: Path) -> Path:
    """Returns a project folder without symbolic links in its path.

    Raises:
        NotFoundError: It is not there, or no folder.
    """
    if "\0" in str(path):
        raise NotFoundError(f"{str(path)!r} is no path: it holds a NUL character")
    try:
        root = Path(os.path.realpath(path))
    except OSError as error:  # relative to a working directory that was removed, or a link that may not be read
        hint = None if path.is_absolute() else "the working directory may have been removed; go to another one"
        raise NotFoundError(f"there is no project folder {path}: {error.strerror or error}", hint=hint) from error
    if is_folder(root):
        return root
    if is_file(root):
        raise NotFoundError(f"{path} is a file; expected a project folder", hint=f"give its folder: {path.parent}")
    raise NotFoundError(f"there is no project folder {path}", hint=_near_folder(root))


def _near_folder(root: Path) -> str | None:
    try:
        return suggestion(root.name, [member.name for member in islice(root.parent.iterdir(), 1000) if member.is_dir()])
    except OSError:
        return None


def no_project(root: Path) -> NotFoundError:
    """Returns the error for a folder that is no project, with the project that may have been meant."""
    message = f"{root} is no project: it has neither {SETTINGS_FILE} nor {LOCK_FILE}, and no entry file at its top"
    return NotFoundError(message, hint=_meant(root))


def _meant(root: Path) -> str:
    above = next((folder for folder in root.parents if is_marked(folder) or _has_index(folder)), None)
    if above is not None:
        return f"is it {above}?" + ("" if is_marked(above) else f" Go there, or put an empty {SETTINGS_FILE} there")
    below = sorted(name for name in _folders(root) if is_marked(root / name) or _has_index(root / name))
    if below:
        more = ", ..." if len(below) > _MOST_NAMED else ""
        return f"is it {', '.join(below[:_MOST_NAMED])}{more}? polycall -C {below[0]} names it"
    return f"polycall init makes one; an empty {SETTINGS_FILE} makes this folder one"


def _has_index(folder: Path) -> bool:
    return any(is_file(folder / f"_index{suffix}") for suffix in SUFFIXES)


def _folders(root: Path) -> Iterable[str]:
    try:
        with os.scandir(root) as members:
            return [each.name for each in islice(members, _MOST_LOOKED_AT) if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
