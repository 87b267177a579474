"""Which types get a function of their own, so that the source of one function stays small whatever a binary declares.

Source is written for each part of a type, and Python refuses source whose blocks nest too deeply. So what is large,
deep or long becomes calls and loops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.wasm_runtime.canonical.layout import count_parts
from polycall.wasm_runtime.engine.pace import AT_ONCE
from polycall.wasm_runtime.wit.wit_types import EnumType, FlagsType, HandleType, Primitive, WitType

__all__ = [
    "INLINE_CASES",
    "INLINE_ELEMENTS",
    "INLINE_LENGTH",
    "SCALARS_AT_ONCE",
    "SCALAR_CODES",
    "stands_apart",
    "when_called",
]

_INLINE_PARTS = 64
_INLINE_BLOCKS = 6  # Python takes 20 loops; a list is two of them

INLINE_CASES = 16
"""A variant of more cases is a table of functions."""

INLINE_ELEMENTS = 256
"""A record or tuple of more fields is a loop over functions."""

INLINE_LENGTH = 16
"""A fixed list that is longer is a loop; up to here it is handled like a tuple."""

SCALARS_AT_ONCE = 50 * AT_ONCE
"""Numbers are moved in C, so many of them take as long as `AT_ONCE` values do."""

SCALAR_CODES = {
    **{"bool": "?", "s8": "b", "u8": "B", "s16": "h", "u16": "H", "s32": "i", "u32": "I", "s64": "q", "u64": "Q"},
    **{"f32": "f", "f64": "d"},
}
"""The types of which lists are moved in one step, and `struct`'s codes for them."""


def when_called(write: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """Returns a function whose source is written when it is first called.

    So a case that never comes costs nothing, and a deep type is not written in one deep recursion.
    """
    function: Callable[..., Any] | None = None

    def call(*arguments: Any) -> Any:
        nonlocal function
        if function is None:
            function = write()
        return function(*arguments)

    return call


def stands_apart(wit_type: WitType, blocks: int) -> bool:
    """Whether values of a type are handled by a function of their own, inside of so many blocks of another."""
    if isinstance(wit_type, (Primitive, EnumType, FlagsType, HandleType)):
        return False
    return blocks > _INLINE_BLOCKS or count_parts(wit_type, _INLINE_PARTS) > _INLINE_PARTS
