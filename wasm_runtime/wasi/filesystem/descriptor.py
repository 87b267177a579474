"""The resource ``descriptor``: a file or a folder that a guest has open."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from polycall.interop.open_files import open_for_guest
from polycall.interop.open_folder import NewTime, OpenFolder, set_times
from polycall.interop.walk import error_of
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.clocks.wall_clock import Datetime
from polycall.wasm_runtime.wasi.filesystem.errors import outcome
from polycall.wasm_runtime.wasi.filesystem.listing import DirectoryEntryStream
from polycall.wasm_runtime.wasi.filesystem.opened import FileSink, FileSource, Opened
from polycall.wasm_runtime.wasi.filesystem.status import Status, hash_of, status_of, type_of
from polycall.wasm_runtime.wasi.io.streams import InputStream, OutputStream
from polycall.wasm_runtime.wasi.session import Bound, Kept, Session

__all__ = ["Descriptor"]

Flags = Sequence[str]

_OPENING = {"create": os.O_CREAT, "directory": os.O_DIRECTORY, "exclusive": os.O_EXCL, "truncate": os.O_TRUNC}
_SYNCHRONOUS = {
    "file-integrity-sync": os.O_SYNC,
    "data-integrity-sync": getattr(os, "O_DSYNC", os.O_SYNC),
    "requested-write-sync": getattr(os, "O_RSYNC", 0),
}
_ADVICE = {
    name: getattr(os, f"POSIX_FADV_{name.replace('-', '').upper()}", 0)
    for name in ("normal", "sequential", "random", "will-need", "dont-need", "no-reuse")
}
_MOST_WRITTEN = 64 * 1024 * 1024
_MOST_SECONDS = 2**63 - 1
_NANOSECONDS = 1_000_000_000
_LONGEST_NAME = 256


class Descriptor(Kept):
    """A file or a folder that is open, reached from one of the mounts.

    Attributes:
        mount: The guest's path of the mount.
        read_only: Whether everything that changes something is refused.
        is_folder: Whether it is a folder.
        flags: What ``get-flags`` says.
    """

    bound: ClassVar[Bound | None] = "max_open_files"

    def __init__(self, session: Session, mount: str, name: str, *, read_only: bool, lasting: bool = False) -> None:
        super().__init__(session, lasting=lasting)
        self.mount = mount
        self._name = name  # its path, or the beginning of a long one, safe to show
        self.read_only = read_only
        self.is_folder = False
        self.flags: list[str] = []
        self._opened: Opened | None = None

    def opened(self) -> Opened:
        """Returns the descriptor of the process behind it."""
        if self._opened is None:
            raise error_of(errno.EBADF)
        return self._opened

    def close(self) -> None:
        """Lets go of it; streams that read or write it go on."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.let_go()

    def _file(self) -> Opened:
        if self.is_folder:
            raise error_of(errno.EBADF)
        return self.opened()

    def _file_to_change(self) -> Opened:
        file = self._file()
        if self.read_only:
            raise error_of(errno.EROFS)
        return file

    def _folder(self) -> OpenFolder:
        if not self.is_folder:
            raise error_of(errno.ENOTDIR)
        # Opened first: only then is it known of a mount whether it is read-only.
        descriptor = self.opened().descriptor
        return OpenFolder(descriptor, self.mount, read_only=self.read_only)

    # --- files ---

    @outcome
    def read_via_stream(self, _store: GuestStore, offset: int) -> InputStream:
        """Returns a stream that reads from a place on."""
        if self.is_folder:
            raise error_of(errno.EISDIR)
        return InputStream(self.session, FileSource(self.opened(), offset), "a file")

    @outcome
    def write_via_stream(self, _store: GuestStore, offset: int) -> OutputStream:
        """Returns a stream that writes from a place on."""
        return OutputStream(self.session, FileSink(self._file_to_change(), offset), "a file")

    @outcome
    def append_via_stream(self, _store: GuestStore) -> OutputStream:
        """Returns a stream that writes at the end."""
        return OutputStream(self.session, FileSink(self._file_to_change(), None), "a file")

    @outcome
    def read(self, _store: GuestStore, length: int, offset: int) -> list[Any]:
        """Returns what stands at a place, and whether nothing did."""
        data = self._file().read(length, offset)
        self.session.bytes_in += len(data)
        return [data, not data]

    @outcome
    def write(self, _store: GuestStore, buffer: bytes, offset: int) -> int:
        """Writes to a place; returns how much, which is not all of very much: nothing interrupts a write."""
        written = self._file_to_change().write(memoryview(buffer)[:_MOST_WRITTEN], offset)
        self.session.bytes_out += written
        return written

    @outcome
    def set_size(self, _store: GuestStore, size: int) -> None:
        """Cuts the file, or fills it up with zeros."""
        os.ftruncate(self._file_to_change().descriptor, size)

    @outcome
    def advise(self, _store: GuestStore, offset: int, length: int, advice: str) -> None:
        """Passes on how the file will be used, where the system wants to know."""
        file = self._file()
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.descriptor, offset, length, _ADVICE[advice])

    # --- files and folders ---

    @outcome
    def sync_data(self, _store: GuestStore) -> None:
        """Returns when what was written is on the disk."""
        self.opened().sync(getattr(os, "fdatasync", os.fsync))

    @outcome
    def sync(self, _store: GuestStore) -> None:
        """Returns when what was written, and what is known of it, is on the disk."""
        self.opened().sync()

    @outcome
    def get_flags(self, _store: GuestStore) -> list[str]:
        """Returns how it was opened."""
        self.opened()
        return self.flags

    @outcome
    def get_type(self, _store: GuestStore) -> str:
        """Returns what it is."""
        return "directory" if self.is_folder else type_of(os.fstat(self.opened().descriptor).st_mode)

    @outcome
    def stat(self, _store: GuestStore) -> Status:
        """Returns what is known of it."""
        return status_of(os.fstat(self.opened().descriptor))

    @outcome
    def set_times(self, _store: GuestStore, accessed: Mapping[str, Any], modified: Mapping[str, Any]) -> None:
        """Sets when it was read and written last."""
        descriptor = self.opened().descriptor
        if self.read_only:
            raise error_of(errno.EROFS)
        set_times(descriptor, os.fstat(descriptor), _new_time(accessed), _new_time(modified))

    def is_same_object(self, _store: GuestStore, other: Descriptor) -> bool:
        """Says whether another descriptor is of the same file or folder."""
        other.check()
        try:
            return os.path.samestat(os.fstat(self.opened().descriptor), os.fstat(other.opened().descriptor))
        except OSError:
            return False

    @outcome
    def metadata_hash(self, _store: GuestStore) -> dict[str, int]:
        """Returns a number that only this file or folder has."""
        return hash_of(os.fstat(self.opened().descriptor))

    # --- folders ---

    @outcome
    def open_at(self, _store: GuestStore, path_flags: Flags, path: str, open_flags: Flags, flags: Flags) -> Descriptor:
        """Opens a file or a folder."""
        folder = self._folder()
        if "mutate-directory" in flags:
            folder.refuse_change()
        if "directory" in open_flags and len(open_flags) > 1:
            raise error_of(errno.EINVAL)
        how = _how(open_flags, flags)
        # Folders within folders may go on for ever: "." is in itself.
        session, name = self.session, shown(f"{self._name.rstrip('/')}/{path}", _LONGEST_NAME)
        # Counted before it is opened: nothing is made, or cut, for which there is no room.
        found = Descriptor(session, self.mount, name, read_only=self.read_only)
        try:
            found.open(lambda: Opened(folder.open(path, how, follow=_follows(path_flags)), session, name), how, flags)
        except BaseException:
            found.drop()
            raise
        return found

    def open(self, opener: Callable[[], Opened], how: int, flags: Flags) -> None:
        """Opens what this stands for.

        Args:
            opener: Opens it.
            how: The flags of the system that it opens it with.
            flags: What the guest wants.
        """
        most = self.session.settings.limits.max_open_files
        self._opened = open_for_guest(self.session.running(), opener, most)
        self.is_folder = stat.S_ISDIR(os.fstat(self._opened.descriptor).st_mode)
        if self.is_folder:
            self.flags = ["read", *(each for each in flags if each == "mutate-directory")]
        else:
            access = {os.O_RDONLY: ("read",), os.O_WRONLY: ("write",), os.O_RDWR: ("read", "write")}
            self.flags = [*access[how & os.O_ACCMODE], *(each for each in flags if each in _SYNCHRONOUS)]

    @outcome
    def read_directory(self, _store: GuestStore) -> DirectoryEntryStream:
        """Returns a stream of what is in it."""
        return DirectoryEntryStream(self.session, self._folder().descriptor, self._name)

    @outcome
    def create_directory_at(self, _store: GuestStore, path: str) -> None:
        """Makes a folder."""
        self._folder().make_folder(path)

    @outcome
    def stat_at(self, _store: GuestStore, path_flags: Flags, path: str) -> Status:
        """Returns what is known of something."""
        return status_of(self._folder().status(path, follow=_follows(path_flags)))

    @outcome
    def set_times_at(
        self,
        _store: GuestStore,
        path_flags: Flags,
        path: str,
        accessed: Mapping[str, Any],
        modified: Mapping[str, Any],
    ) -> None:
        """Sets when something was read and written last."""
        self._folder().set_times(path, _new_time(accessed), _new_time(modified), follow=_follows(path_flags))

    @outcome
    def link_at(self, _store: GuestStore, path_flags: Flags, path: str, to: Descriptor, new_path: str) -> None:
        """Gives a file one more name."""
        to.check()
        folder, new_folder = self._folder(), to._folder()
        if _follows(path_flags):
            raise error_of(errno.EINVAL)
        folder.link(path, new_folder, new_path)

    @outcome
    def readlink_at(self, _store: GuestStore, path: str) -> str:
        """Returns where a symbolic link leads."""
        return _text(self._folder().read_link(path))

    @outcome
    def remove_directory_at(self, _store: GuestStore, path: str) -> None:
        """Removes an empty folder."""
        self._folder().remove_folder(path)

    @outcome
    def rename_at(self, _store: GuestStore, path: str, to: Descriptor, new_path: str) -> None:
        """Gives something another name."""
        to.check()
        folder, new_folder = self._folder(), to._folder()
        folder.rename(path, new_folder, new_path)

    @outcome
    def symlink_at(self, _store: GuestStore, target: str, path: str) -> None:
        """Makes a symbolic link."""
        self._folder().make_link(target, path)

    @outcome
    def unlink_file_at(self, _store: GuestStore, path: str) -> None:
        """Removes what is no folder."""
        self._folder().remove_file(path)

    @outcome
    def metadata_hash_at(self, _store: GuestStore, path_flags: Flags, path: str) -> dict[str, int]:
        """Returns a number that only this file or folder has."""
        return hash_of(self._folder().status(path, follow=_follows(path_flags)))


def _follows(path_flags: Flags) -> bool:
    return "symlink-follow" in path_flags


def _how(open_flags: Flags, flags: Flags) -> int:
    """Returns the flags of the system; a file that is made or cut is one to write."""
    writes = "write" in flags or "create" in open_flags or "truncate" in open_flags
    reads = "read" in flags or "write" not in flags
    how = (os.O_RDWR if reads else os.O_WRONLY) if writes else os.O_RDONLY
    for name in open_flags:
        how |= _OPENING[name]
    for name in flags:
        how |= _SYNCHRONOUS.get(name, 0)
    return how


def _new_time(new: Mapping[str, Any]) -> NewTime:
    if "timestamp" not in new:
        return "now" if "now" in new else None
    time: Datetime = new["timestamp"]
    if time["nanoseconds"] >= _NANOSECONDS:
        raise error_of(errno.EINVAL)
    if time["seconds"] > _MOST_SECONDS:
        raise error_of(errno.EOVERFLOW)
    return time["seconds"] * _NANOSECONDS + time["nanoseconds"]


def _text(name: str) -> str:
    """Returns a name that the system gave; fails on bytes that are not UTF-8."""
    name.encode()
    return name
