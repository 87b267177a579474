"""What a descriptor of preview 1 stands for."""

from __future__ import annotations

from polycall.wasm_runtime.wasi.filesystem.descriptor import Descriptor
from polycall.wasm_runtime.wasi.io.streams import InputStream, OutputStream
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal
from polycall.wasm_runtime.wasi.preview1.listing import Listing
from polycall.wasm_runtime.wasi.preview1.rights import NONE, OF_FILE, OF_FOLDER, OF_INPUT, OF_OUTPUT, Right
from polycall.wasm_runtime.wasi.readiness import Readiness

__all__ = ["APPEND", "NONBLOCK", "Entry", "File", "Folder", "Input", "Output"]

APPEND, NONBLOCK = 1, 4
"""Flags of a descriptor (``fdflags``)."""

_UNKNOWN, _TERMINAL, _FOLDER, _FILE = 0, 2, 3, 4
"""Kinds of a file (``filetype``)."""

_READ_OR_WRITE = Right.FD_READ | Right.FD_WRITE


class Entry:
    """A descriptor.

    Attributes:
        filetype: What it is.
        rights: What the guest may do with it.
        inheriting: What it may do with what it opens in it.
        flags: Its ``fdflags``.
        lasting: Whether it outlives a call.
    """

    def __init__(self, filetype: int, rights: int, inheriting: int = NONE, *, lasting: bool = False) -> None:
        self.filetype = filetype
        self.rights = rights
        self.inheriting = inheriting
        self.flags = 0
        self.lasting = lasting

    def need(self, rights: int) -> None:
        """Refuses what the guest has no right to.

        Raises:
            Refusal: It lacks one: ``BADF`` for what it did not open for reading or writing, as POSIX has it.
        """
        missing = rights & ~self.rights
        if missing:
            raise Refusal(Errno.BADF if missing & _READ_OR_WRITE else Errno.NOTCAPABLE)

    def subject(self) -> Readiness:
        """Returns what to wait for before it is read or written; a file is ready at any time."""
        return Readiness()

    def drop(self) -> None:
        """Closes what it stands for."""
        raise NotImplementedError

    def end_call(self) -> None:
        """Is told that a call has ended, if it is lasting."""


class Input(Entry):
    """Stdin."""

    def __init__(self, stream: InputStream, *, is_terminal: bool) -> None:
        super().__init__(_TERMINAL if is_terminal else _UNKNOWN, OF_INPUT, lasting=True)
        self.stream = stream

    def subject(self) -> Readiness:
        """Returns where its bytes come from."""
        return self.stream.source

    def drop(self) -> None:
        """Closes the guest's end."""
        self.stream.drop()


class Output(Entry):
    """Stdout or stderr."""

    def __init__(self, stream: OutputStream, *, is_terminal: bool) -> None:
        super().__init__(_TERMINAL if is_terminal else _UNKNOWN, OF_OUTPUT, lasting=True)
        self.stream = stream

    def subject(self) -> Readiness:
        """Returns where its bytes go."""
        return self.stream.sink

    def drop(self) -> None:
        """Closes the guest's end."""
        self.stream.drop()


class Folder(Entry):
    """A folder.

    Attributes:
        descriptor: Of WASI 0.2.
        name: What the guest knows it by, if it was given to it; None if the guest has opened it.
        listing: What `fd_readdir` has read of it.
    """

    def __init__(self, descriptor: Descriptor, inherited: int, name: str | None = None) -> None:
        super().__init__(_FOLDER, OF_FOLDER & inherited, inherited, lasting=name is not None)
        self.descriptor = descriptor
        self.name = name
        self.listing = Listing(descriptor)

    def drop(self) -> None:
        """Closes it."""
        self.listing.drop()
        self.descriptor.drop()

    def end_call(self) -> None:
        """Forgets what was read of it."""
        self.listing.drop()


class File(Entry):
    """A file.

    Attributes:
        descriptor: Of WASI 0.2.
        position: Where it is read and written next.
    """

    def __init__(self, descriptor: Descriptor, rights: int, flags: int) -> None:
        super().__init__(_FILE, OF_FILE & rights)
        self.descriptor = descriptor
        self.flags = flags
        self.position = 0

    def drop(self) -> None:
        """Closes it."""
        self.descriptor.drop()
