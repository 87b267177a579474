"""What lowering puts into a guest beside the core values: strings, lists, and the handles among the values.

Lowering has two phases. First everything is packed on the host's side, and nothing of the guest is touched: a value
that does not fit leaves it as it was. Then the guest is asked for room, once for all pieces, and they are copied.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

from polycall.interop.errors import LimitError
from polycall.wasm_runtime.canonical.crossing import Crossing
from polycall.wasm_runtime.wit.wit_types import HandleType

if TYPE_CHECKING:
    from ctypes import Array, c_char

__all__ = ["MAX_BYTES", "Handle", "Image", "Piece", "Pieces", "too_large"]

Image: TypeAlias = "bytearray | memoryview | Array[c_char]"
"""Core slots, or what a region of guest memory will hold."""

Piece: TypeAlias = tuple[bytes | bytearray, int, Image, int]
"""Bytes to put into the guest, their alignment, and where their address goes: into which image, at which offset."""

Handle: TypeAlias = tuple[HandleType, object, Image, int]
"""A handle to lower: its type, the value, and where its number goes."""

MAX_BYTES = 2**28 - 1
"""What one string or list may take in a guest (Canonical ABI, ``MAX_LIST_BYTE_LENGTH``)."""

_POINTER = struct.Struct("<I")


def too_large(size: int) -> LimitError:
    """Returns the error for a string, list or value of so many bytes."""
    return LimitError(f"a value of {size} bytes: at most {MAX_BYTES} can be passed in one piece")


class Pieces:
    """The pieces of one lowering, in the order in which the Canonical ABI allocates them.

    Attributes:
        pieces: What needs room.
        handles: What must enter the guest's table.
    """

    __slots__ = ("handles", "pieces")

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.handles: list[Handle] = []

    def clear(self) -> None:
        """Forgets all, for another try."""
        self.pieces.clear()
        self.handles.clear()

    def place(self, crossing: Crossing) -> None:
        """Puts everything into the guest, and is empty then.

        Raises:
            ConversionError: A handle is none, or cannot be used here; no handle has moved then.
            TrapError: The guest's allocator answered with what is outside of its memory or not aligned.
            PolycallError: The guest's allocator failed.
        """
        try:
            if self.handles:
                self._place_handles(crossing)
            if len(self.pieces) == 1:  # a text, mostly
                ((data, boundary, image, at),) = self.pieces
                size = len(data)
                address = crossing.allocate_one(size, boundary)
                _POINTER.pack_into(image, at, address)
                crossing.memory.view[address : address + size] = data
            elif self.pieces:
                self._place_pieces(crossing)
        finally:
            self.handles.clear()
            self.pieces.clear()

    def _place_handles(self, crossing: Crossing) -> None:
        numbers = crossing.lower_handles([(wit_type, value) for wit_type, value, _, _ in self.handles])
        for (_, _, image, at), number in zip(self.handles, numbers, strict=True):
            _POINTER.pack_into(image, at, number)

    def _place_pieces(self, crossing: Crossing) -> None:
        pieces = self.pieces
        addresses = crossing.allocate([(len(data), boundary) for data, boundary, _, _ in pieces])
        view = crossing.memory.view  # `allocate` has looked whether all of them lie in it
        # From the last to the first: a piece is complete when all that it points to has told it its address.
        for (data, _, image, at), address in zip(reversed(pieces), reversed(addresses), strict=True):
            _POINTER.pack_into(image, at, address)
            view[address : address + len(data)] = data
