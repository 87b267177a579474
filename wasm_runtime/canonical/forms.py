"""Where the parts of a value lie: in a guest's memory, or in the slots of a core call.

Both are runs of bytes. A core call's parameters and results lie in slots of 16 bytes each (the engine's ``val_raw``),
of which a core value takes the first 4 or 8. So one generator of code serves both, by the offsets that a form gives;
and where the cases of a variant share slots of a wider type, writing the narrow value into a slot of zeros is what the
Canonical ABI asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from polycall.wasm_runtime.canonical.layout import (
    CaseType,
    discriminant_size,
    flags_size,
    flat_count,
    payload_offset,
    size,
    tuple_offsets,
)
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.wit.wit_types import FlagsType, WitType

__all__ = ["IN_MEMORY", "IN_SLOTS", "Form"]

_UNSIGNED = {1: "B", 2: "H", 4: "I"}
_NARROW = {"bool": "?", "s8": "b", "u8": "B", "s16": "h", "u16": "H"}
_CODES = {**{"s32": "i", "u32": "I", "s64": "q", "u64": "Q", "f32": "f", "f64": "d", "char": "I"}, **_NARROW}
_WIDE = {"bool": "I", "s8": "i", "u8": "I", "s16": "i", "u16": "I"}


class Form(Protocol):
    """How the parts of a type are placed."""

    pointer_step: int
    """From the pointer of a string or list to its length."""

    def offsets(self, elements: Sequence[WitType]) -> list[int]:
        """Returns where each element lies, and at the end the size of the whole."""
        ...

    def size(self, wit_type: WitType) -> int:
        """Returns how many bytes a value takes."""
        ...

    def payload(self, wit_type: CaseType) -> int:
        """Returns where the payload of a case lies."""
        ...

    def discriminant(self, wit_type: CaseType) -> str:
        """Returns the code of the number of a case (`struct`'s)."""
        ...

    def flags(self, wit_type: FlagsType) -> str:
        """Returns the code of the bits of flags."""
        ...

    def written(self, name: str) -> str:
        """Returns the code in which a primitive type is written."""
        ...

    def read(self, name: str) -> str:
        """Returns the code in which a primitive type is read."""
        ...


class _InMemory:
    pointer_step = 4

    def offsets(self, elements: Sequence[WitType]) -> list[int]:
        return tuple_offsets(elements)

    def size(self, wit_type: WitType) -> int:
        return size(wit_type)

    def payload(self, wit_type: CaseType) -> int:
        return payload_offset(wit_type)

    def discriminant(self, wit_type: CaseType) -> str:
        return _UNSIGNED[discriminant_size(wit_type)]

    def flags(self, wit_type: FlagsType) -> str:
        return _UNSIGNED[flags_size(wit_type)]

    def written(self, name: str) -> str:
        return _CODES[name]

    def read(self, name: str) -> str:
        return _CODES[name]


class _InSlots:
    pointer_step = SLOT_BYTES

    def offsets(self, elements: Sequence[WitType]) -> list[int]:
        offsets = [0]
        for element in elements:
            offsets.append(offsets[-1] + self.size(element))
        return offsets

    def size(self, wit_type: WitType) -> int:
        return SLOT_BYTES * flat_count(wit_type)

    def payload(self, wit_type: CaseType) -> int:
        return SLOT_BYTES

    def discriminant(self, wit_type: CaseType) -> str:
        return "I"

    def flags(self, wit_type: FlagsType) -> str:
        return "I"

    def written(self, name: str) -> str:
        return _WIDE.get(name, _CODES[name])

    def read(self, name: str) -> str:
        # The upper bits of a narrow integer's i32 say nothing; of a bool's they do.
        return "I" if name == "bool" else _CODES[name]


IN_MEMORY: Form = _InMemory()
IN_SLOTS: Form = _InSlots()
