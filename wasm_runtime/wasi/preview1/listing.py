"""What a folder holds, as ``fd_readdir`` goes through it: in an order, from any place on, however often.

A place is a number that the guest was given, and may come back to. What it saw last is kept, a bounded piece of it; a
guest that goes further back has the folder read again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.preview1.errno import done

__all__ = ["Listed", "Listing"]

_KEPT = 1024
_FILETYPES = {"directory": 3, "regular-file": 4, "symbolic-link": 7, "block-device": 1, "character-device": 2}


class Listed(NamedTuple):
    """A name in a folder.

    Attributes:
        place: Of the next one.
        name: In UTF-8.
        filetype: What it is, as preview 1 has it.
        number: Which file it is (``ino``); 0 for one that is gone by now.
    """

    place: int
    name: bytes
    filetype: int
    number: int


def filetype_of(kind: str) -> int:
    """Returns what a file is, as preview 1 numbers it; pipes and sockets are unknown to it."""
    return _FILETYPES.get(kind, 0)


class Listing:
    """A reading of a folder."""

    def __init__(self, descriptor: Any) -> None:
        self._descriptor = descriptor
        self._stream: Any = None
        self._seen: deque[Listed] = deque(maxlen=_KEPT)
        self._read = 0

    def after(self, store: GuestStore, place: int) -> Iterator[Listed]:
        """Yields what comes from a place on.

        Raises:
            Refusal: It cannot be read.
        """
        first = self._seen[0].place if self._seen else 1
        if not place or place < first - 1:
            self._begin(store)
        yield from [each for each in self._seen if each.place > place]
        while (found := self._next(store)) is not None:
            if found.place > place:
                yield found

    def _begin(self, store: GuestStore) -> None:
        self.drop()
        self._stream = done(self._descriptor.read_directory(store))
        own = number_of(done(self._descriptor.metadata_hash(store)))
        folder = _FILETYPES["directory"]
        # The host's number of the folder above would tell of what is outside.
        self._seen += [Listed(1, b".", folder, own), Listed(2, b"..", folder, own)]
        self._read = 2

    def _next(self, store: GuestStore) -> Listed | None:
        if self._stream is None:
            return None
        entry = done(self._stream.read_directory_entry(store))
        if entry is None:
            self._close_stream()
            return None
        self._read += 1
        name = entry["name"]
        hashed = self._descriptor.metadata_hash_at(store, [], name)
        number = number_of(hashed["ok"]) if "ok" in hashed else 0
        listed = Listed(self._read, name.encode(), filetype_of(entry["type"]), number)
        self._seen.append(listed)
        return listed

    def drop(self) -> None:
        """Lets go of the folder."""
        self._close_stream()
        self._seen.clear()

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.drop()


def number_of(metadata_hash: dict[str, int]) -> int:
    """Returns what tells one file from another (``ino``)."""
    return metadata_hash["lower"]
