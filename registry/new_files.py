"""Files of a project written all together, over none that is there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["taken_names", "write_new_files"]


def taken_names(directory: Path, files: Iterable[str]) -> list[str]:
    """Returns which of the files are there already, whatever they are."""
    return [name for name in sorted(files) if os.path.lexists(directory / name)]


def write_new_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files or none: a failure, such as a full disk, leaves things as they were.

    Args:
        directory: Where; it is made if it is missing.
        files: Path below it to content; none of them is there.
    """
    written: list[Path] = []
    made: list[Path] = []
    try:
        for name, content in files.items():
            path = directory / name
            made += [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):  # made in the meantime, and so not ours to remove
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
            written.append(path)
            _write(path, content)
    except BaseException as error:
        for path in written:
            path.unlink(missing_ok=True)
        for folder in sorted(set(made), key=lambda each: len(each.parts), reverse=True):
            with suppress(OSError):  # it could not be made, or somebody else has put something in it
                folder.rmdir()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(directory)) from error
        raise


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
