"""The descriptors of a guest, by their numbers: stdin, stdout and stderr, its folders, and what it has opened."""

from __future__ import annotations

from typing import Literal

from polycall.interop.errors import raise_if
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.console import console_sink, console_source, is_terminal
from polycall.wasm_runtime.wasi.filesystem.preopens import preopens_of
from polycall.wasm_runtime.wasi.io.streams import InputStream, OutputStream
from polycall.wasm_runtime.wasi.preview1.entries import Entry, File, Folder, Input, Output
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal
from polycall.wasm_runtime.wasi.preview1.rights import ALL, NONE
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["Table"]

_OUTPUTS: tuple[Literal["stdout"], Literal["stderr"]] = ("stdout", "stderr")


class Table:
    """The descriptors of one instance.

    What a call opens is gone when it ends: its number is free then. The three streams and the folders that the entry
    mounts stay, under whatever number the guest gave them, until it closes them.
    """

    def __init__(self, store: GuestStore) -> None:
        self._session = session = session_of(store)
        source = InputStream(session, console_source(session), "input", lasting=True)
        self._entries: dict[int, Entry] = {0: Input(source, is_terminal=is_terminal(session, "stdin"))}
        for name in _OUTPUTS:
            sink = OutputStream(session, console_sink(session, name), "room for output", lasting=True)
            self.add(Output(sink, is_terminal=is_terminal(session, name)))
        for folder in preopens_of(session):
            self.add(Folder(folder, ALL, folder.mount))

    def find(self, number: int, rights: int = NONE) -> Entry:
        """Returns a descriptor.

        Raises:
            Refusal: There is none, or the guest has given away the right that it needs.
            DeadlineError, CancelledError: The call is over.
        """
        # The engine looks at the clock where a guest loops or calls functions of its own, not where it calls ours.
        raise_if(self._session.running().interruption())
        found = self._entries.get(number)
        if found is None:
            raise Refusal(Errno.BADF)
        found.need(rights)
        return found

    def folder(self, number: int, rights: int) -> Folder:
        """Returns a folder, as `find`."""
        found = self.find(number)
        if not isinstance(found, Folder):
            raise Refusal(Errno.NOTDIR)
        found.need(rights)
        return found

    def file(self, number: int, rights: int) -> File:
        """Returns a file with a position, as `find`."""
        found = self.find(number)
        if isinstance(found, Folder):
            raise Refusal(Errno.ISDIR)
        if not isinstance(found, File):
            raise Refusal(Errno.SPIPE)
        found.need(rights)
        return found

    def add(self, entry: Entry) -> int:
        """Returns the number of what is new: the least that is free."""
        number = next(each for each in range(len(self._entries) + 1) if each not in self._entries)
        self._entries[number] = entry
        return number

    def close_one(self, number: int) -> None:
        """Closes a descriptor."""
        self.find(number)
        self._entries.pop(number).drop()

    def renumber(self, number: int, to: int) -> None:
        """Gives a descriptor the number of another one, which is closed."""
        self.find(number)
        self.find(to)
        if number != to:
            self.close_one(to)
            self._entries[to] = self._entries.pop(number)

    def end_call(self) -> None:
        """Forgets what the call has opened, which its session has closed by now."""
        self._entries = {number: each for number, each in self._entries.items() if each.lasting}
        for each in self._entries.values():
            each.end_call()

    def close(self) -> None:
        """Forgets everything."""
        self._entries.clear()
