"""``fs.directory`` entries as folders of the host that nothing leads out of (specification: system facts 1.8)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from polycall.interop.confined import ConfinedFolder
from polycall.interop.errors import NotFoundError, PreparationError
from polycall.interop.ids import EntryId, suggestion
from polycall.registry.documents.paths import is_folder
from polycall.registry.entries.data_kinds import FsDirectorySpec
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.folders import Nested, declared_folder, holds, is_source
from polycall.registry.entries.index import Index

__all__ = ["FileSystems"]

_SOURCE = "the folder is read-only: it holds the entry file that declares it, or the whole project"
_CODE = "the folder is read-only: it holds compiled code"
_READ_BITS = 0o444
_MOST_COMPARED = 1000


class FileSystems:
    """The file systems that the entries of an index declare. Shared by threads.

    Attributes:
        index: The entries.

    Args:
        index: The entries.
        compiled: Where compiled code is kept, without symbolic links in its path: who writes it is the host.
    """

    def __init__(self, index: Index, compiled: Path | None = None) -> None:
        self.index = index
        self._compiled = compiled
        self._known: dict[EntryId, tuple[tuple[Path, int, int], str | None]] = {}

    def folder(self, name: EntryId | str, namespace: str | None = None) -> ConfinedFolder:
        """Returns the folder of an entry, making it if it is missing and the entry says ``auto_init``.

        A folder that is source is read-only; see `polycall.registry.entries.folders`.

        Args:
            name: The id, or a bare name in the namespace given.
            namespace: What a bare name belongs to.

        Raises:
            NotFoundError: There is no such entry, or no such folder.
            PreparationError: The entry is of another kind, or its folder cannot be made.
        """
        try:
            entry_id = name if isinstance(name, EntryId) else EntryId.parse(name, namespace)
        except ValueError as error:
            raise NotFoundError(str(error)) from error
        entry = self.index.get(entry_id)
        if not isinstance(entry.spec, FsDirectorySpec):
            raise PreparationError(f"{entry_id} is {entry.kind}; expected fs.directory", entry_id=str(entry_id))
        nested = self.index.nested().get(entry)
        if nested is not None:
            return _inside(nested, entry.spec, str(entry_id))
        declared = declared_folder(entry, self.index.root)
        if not is_folder(declared):
            _make(declared, entry.spec, str(entry_id))
        folder = Path(os.path.realpath(declared))
        return ConfinedFolder(folder, read_only=self._why_read_only(folder, entry))

    def _why_read_only(self, folder: Path, entry: Entry) -> str | None:
        """Returns the reason, found out once as long as the same folder stands at the same place."""
        try:
            status = folder.stat()
        except OSError:  # gone again
            return self._reason(folder, entry)
        identity = folder, status.st_dev, status.st_ino
        known = self._known.get(entry.id)
        if known is None or known[0] != identity:
            known = self._known[entry.id] = identity, self._reason(folder, entry)
        return known[1]

    def _reason(self, folder: Path, entry: Entry) -> str | None:
        if is_source(folder, entry, self.index.root):
            return _SOURCE
        return _CODE if self._compiled is not None and holds(folder, self._compiled) else None

    def locate(self, entry_id: EntryId, path: str) -> ConfinedFolder:
        """Returns the folder of an entry if a file lies at the path in it.

        Raises:
            NotFoundError: There is no such entry, folder or file; near names are in the hint.
            PreparationError: The path leads out of the folder.
        """
        folder = self.folder(entry_id)
        try:
            is_file = stat.S_ISREG(folder.status(path).st_mode)
        except PermissionError as error:
            raise PreparationError(f"{entry_id}: {path!r}: {error.strerror}", kind="PermissionDenied") from error
        except OSError as error:
            message = f"{entry_id}: the file {path} is not there"
            raise NotFoundError(message, hint=_near(folder, path)) from error
        if not is_file:
            raise NotFoundError(f"{entry_id}: {path} is no file")
        return folder


def _near(folder: ConfinedFolder, path: str) -> str | None:
    parent, _, name = path.strip("/").rpartition("/")
    try:
        names = [member.name for member in folder.members(parent, _MOST_COMPARED)]
    except OSError:
        return None
    return suggestion(name, names)


def _inside(nested: Nested, spec: FsDirectorySpec, entry_id: str) -> ConfinedFolder:
    """Returns a folder within one that guests may write: the way to it is walked at each use, as their paths are."""
    outer = ConfinedFolder(Path(os.path.realpath(nested.outer)))
    try:
        if spec.auto_init:
            _make_inside(outer, nested.inside, spec)
        if not stat.S_ISDIR(outer.status(nested.inside).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except PermissionError as error:
        message = f"{entry_id}: the folder {spec.directory!r} cannot be used: {error.strerror}"
        hint = f"it lies in that of {nested.entry.id}, where guests may make links"
        raise PreparationError(message, entry_id=entry_id, kind="PermissionDenied", hint=hint) from error
    except OSError as error:
        raise _missing(spec, entry_id) from error
    return ConfinedFolder(outer.folder, inside=nested.inside)


def _make_inside(outer: ConfinedFolder, path: str, spec: FsDirectorySpec) -> None:
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        with contextlib.suppress(FileExistsError):
            outer.make_folder("/".join(parts[:count]), _mode_of(spec))


def _mode_of(spec: FsDirectorySpec) -> int:
    mode = int(spec.mode, 8)
    return mode | (mode & _READ_BITS) >> 2  # a folder that may be read must be enterable as well


def _missing(spec: FsDirectorySpec, entry_id: str) -> NotFoundError:
    message = f"{entry_id}: there is no folder {spec.directory}"
    return NotFoundError(message, entry_id=entry_id, hint="make it, or declare auto_init: true")


def _make(folder: Path, spec: FsDirectorySpec, entry_id: str) -> None:
    if not spec.auto_init:
        raise _missing(spec, entry_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(_mode_of(spec))
    except (OSError, ValueError) as error:
        message = (
            f"{entry_id}: the folder {spec.directory!r} cannot be made: {getattr(error, 'strerror', None) or error}"
        )
        raise PreparationError(message, entry_id=entry_id) from error
