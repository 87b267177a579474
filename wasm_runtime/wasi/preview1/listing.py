"""What a folder holds, as ``fd_readdir`` goes through it: in an order, from any place on, however often.

A place is a number that the guest was given, and may come back to. What it saw last is kept, a bounded piece of it; a
guest that goes further back has the folder read again. Names that are not UTF-8 are left out: no path leads to them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.filesystem.descriptor import Descriptor
from polycall.wasm_runtime.wasi.filesystem.listing import DirectoryEntryStream
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal, done

__all__ = ["Listed", "Listing", "filetype_of", "number_of"]

_KEPT = 1024
_FILETYPES = {"directory": 3, "regular-file": 4, "symbolic-link": 7, "block-device": 1, "character-device": 2}


class Listed(NamedTuple):
    """A name in a folder.

    Attributes:
        place: Of the next one.
        name: The name.
        filetype: What it is, as preview 1 has it.
    """

    place: int
    name: str
    filetype: int


def filetype_of(kind: str) -> int:
    """Returns what a file is, as preview 1 numbers it; pipes and sockets are unknown to it."""
    return _FILETYPES.get(kind, 0)


def number_of(metadata_hash: dict[str, int]) -> int:
    """Returns what tells one file from another (``ino``)."""
    return metadata_hash["lower"]


_FOLDER = _FILETYPES["directory"]
_ITSELF = (Listed(1, ".", _FOLDER), Listed(2, "..", _FOLDER))


class Listing:
    """A reading of a folder."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._stream: DirectoryEntryStream | None = None
        self._seen: deque[Listed] = deque(maxlen=_KEPT)

    def after(self, store: GuestStore, place: int, check: Callable[[], None]) -> Iterator[Listed]:
        """Yields what comes from a place on.

        Args:
            store: Of the guest.
            place: Where to go on; 0 for the beginning.
            check: Called now and then; raises to end it.

        Raises:
            Refusal: It cannot be read.
        """
        if not place or not self._seen or place < self._seen[0].place - 1:
            self._begin(store)
        yield from [each for each in self._seen if each.place > place]
        while self._stream is not None:
            check()
            try:
                found = self._next(store, self._stream)
            except Refusal as refusal:
                if refusal.errno != Errno.ILSEQ:
                    raise
                continue
            if found is not None and found.place > place:
                yield found

    def _begin(self, store: GuestStore) -> None:
        self.drop()
        self._stream = done(self._descriptor.read_directory(store))
        self._seen += _ITSELF

    def _next(self, store: GuestStore, stream: DirectoryEntryStream) -> Listed | None:
        entry = done(stream.read_directory_entry(store))
        if entry is None:
            self._close_stream()
            return None
        listed = Listed(self._seen[-1].place + 1, entry["name"], filetype_of(entry["type"]))
        self._seen.append(listed)
        return listed

    def number(self, store: GuestStore, listed: Listed) -> int:
        """Returns which file a name is of (``ino``); 0 for one that is gone by now.

        The folder above counts as the folder itself: it may be one that the guest must not know of.
        """
        if listed in _ITSELF:
            return number_of(done(self._descriptor.metadata_hash(store)))
        try:
            return number_of(done(self._descriptor.metadata_hash_at(store, [], listed.name)))
        except Refusal:
            return 0

    def drop(self) -> None:
        """Lets go of the folder."""
        self._close_stream()
        self._seen.clear()

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.drop()
