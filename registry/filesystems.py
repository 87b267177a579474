"""``fs.directory`` entries as folders of the host that nothing leads out of (specification: system facts 1.8)."""

from __future__ import annotations

import os
from pathlib import Path

from interop.errors import NotFoundError, PreparationError
from interop.ids import EntryId, suggestion
from registry.data_kinds import FsDirectorySpec
from registry.index import Index
from registry.paths import is_file, is_folder

__all__ = ["FileSystem", "FileSystems"]

_READ_BITS = 0o444


class FileSystem:
    """A folder of the host, by the name of its entry.

    Attributes:
        entry_id: The ``fs.directory`` entry.
        folder: The folder, without symbolic links in its path.
    """

    def __init__(self, entry_id: str, folder: Path) -> None:
        self.entry_id = entry_id
        self.folder = folder

    def confined(self, path: str) -> Path:
        """Returns the host's path of a path inside the folder, whether or not something is there.

        A leading slash means the folder itself. Symbolic links are followed when this is asked; whoever lets a guest
        change the folder's content must not rely on an earlier answer.

        Raises:
            PreparationError: The path leads out, by ``..`` or by a symbolic link.
        """
        if "\0" in path:
            raise self._escape(path, "holds a NUL character")
        inside = Path(os.path.normpath(self.folder / path.lstrip("/")))
        if not inside.is_relative_to(self.folder):
            raise self._escape(path, "leads out of it")
        real = Path(os.path.realpath(inside))
        if not real.is_relative_to(self.folder):
            raise self._escape(path, "is a symbolic link out of it")
        return real

    def file(self, path: str) -> Path:
        """Returns the host's path of an existing file inside the folder.

        Raises:
            NotFoundError: There is no such file; near names are in the hint.
            PreparationError: The path leads out.
        """
        real = self.confined(path)
        if is_file(real):
            return real
        what = "is a folder" if is_folder(real) else "is not there"
        raise NotFoundError(f"{self.entry_id}: the file {path} {what}", hint=self._near(real))

    def _near(self, missing: Path) -> str | None:
        try:
            names = [str(member.relative_to(self.folder)) for member in missing.parent.iterdir()]
        except OSError:
            return None
        return suggestion(str(missing.relative_to(self.folder)), names)

    def _escape(self, path: str, what: str) -> PreparationError:
        message = f"{self.entry_id}: the path {path!r} {what}"
        return PreparationError(message, kind="PermissionDenied", hint="only what lies inside the folder can be named")


class FileSystems:
    """The file systems that the entries of an index declare.

    Args:
        index: The entries.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def get(self, entry_id: EntryId | str) -> FileSystem:
        """Returns a file system, making its folder if it is missing and the entry says ``auto_init``.

        Raises:
            NotFoundError: There is no such entry, or no such folder.
            PreparationError: The entry is of another kind, or its folder cannot be made.
        """
        entry = self._index.get(entry_id)
        if not isinstance(entry.spec, FsDirectorySpec):
            raise PreparationError(f"{entry_id} is {entry.kind}; expected fs.directory", entry_id=str(entry_id))
        start = self._index.root if entry.spec.base == "project" else entry.source_root
        folder = start / entry.spec.directory
        if not is_folder(folder):
            _make(folder, entry.spec, str(entry_id))
        return FileSystem(str(entry_id), Path(os.path.realpath(folder)))

    def locate(self, entry_id: EntryId | str, path: str) -> Path:
        """Returns the host's path of an existing file in a file system.

        Raises:
            NotFoundError: There is no such entry, folder or file.
            PreparationError: The path leads out of the folder.
        """
        return self.get(entry_id).file(path)


def _make(folder: Path, spec: FsDirectorySpec, entry_id: str) -> None:
    if not spec.auto_init:
        message = f"{entry_id}: there is no folder {spec.directory}"
        raise NotFoundError(message, entry_id=entry_id, hint="make it, or declare auto_init: true")
    mode = int(spec.mode, 8)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode | (mode & _READ_BITS) >> 2)  # a folder that may be read must be enterable as well
    except (OSError, ValueError) as error:
        message = (
            f"{entry_id}: the folder {spec.directory!r} cannot be made: {getattr(error, 'strerror', None) or error}"
        )
        raise PreparationError(message, entry_id=entry_id) from error
