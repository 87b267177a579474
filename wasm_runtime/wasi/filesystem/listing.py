"""The resource ``directory-entry-stream``: what is in a folder, read as it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from polycall.interop.open_files import open_for_guest
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.filesystem.errors import outcome
from polycall.wasm_runtime.wasi.filesystem.opened import Opened
from polycall.wasm_runtime.wasi.filesystem.status import type_of
from polycall.wasm_runtime.wasi.session import Bound, Kept, Session

__all__ = ["DirectoryEntryStream"]

T = TypeVar("T")

_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class _Entries:
    """What reads a folder: one descriptor and some 32 KiB of names, however many there are."""

    def __init__(self, folder: int) -> None:
        self.next = os.scandir(folder)


class DirectoryEntryStream(Kept):
    """A stream of what is in a folder."""

    bound: ClassVar[Bound | None] = "max_open_files"

    def __init__(self, session: Session, folder: int, name: str) -> None:
        """Begins.

        Args:
            session: Of the instance.
            folder: A descriptor of the folder.
            name: Its path, as the guest says it.
        """
        super().__init__(session)
        self._name = name
        self._folder: Opened | None = None
        self._entries: _Entries | None = None
        try:
            # Opened anew, for copies of a descriptor share the place that they have read to; and kept, for the entries
            # ask it what they are.
            opened = self._folder = self._open(lambda: Opened(os.open(".", _READ, dir_fd=folder), session, name))
            self._entries = self._open(lambda: _Entries(opened.descriptor))
        except BaseException:
            self.drop()
            raise

    def _open(self, opener: Callable[[], T]) -> T:
        return open_for_guest(self.session.running(), opener, self.session.settings.limits.max_open_files)

    @outcome
    def read_directory_entry(self, _store: GuestStore) -> dict[str, Any] | None:
        """Returns the next entry; None at the end. A name that is not UTF-8 fails, and the next one comes after it."""
        entries = self._entries
        entry = None if entries is None else self.session.told(self._name, next, entries.next, None)
        if entry is None:
            return None
        entry.name.encode()
        return {"type": _type_of(entry), "name": entry.name}

    def close(self) -> None:
        """Closes the folder."""
        folder, entries, self._folder, self._entries = self._folder, self._entries, None, None
        if entries is not None:
            entries.next.close()
        if folder is not None:
            folder.let_go()


def _type_of(entry: os.DirEntry[str]) -> str:
    # Most folders say with the name what it is; the others, and what is rare, have to be asked.
    if entry.is_file(follow_symlinks=False):
        return "regular-file"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    if entry.is_symlink():
        return "symbolic-link"
    try:
        return type_of(entry.stat(follow_symlinks=False).st_mode)
    except OSError:  # it was removed meanwhile
        return "unknown"
