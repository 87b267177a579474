"""What can be told of a core module's functions without a WIT text: how many numbers they take and give."""

from __future__ import annotations

from polycall.interop.source import SourceText
from polycall.wasm_runtime.binaries import assemble
from polycall.wasm_runtime.component.core_module import read_core_module
from polycall.wasm_runtime.component.writer import CORE_HEADER

__all__ = ["bare_signatures"]

_TYPES = {"i32": "s32", "i64": "s64", "f32": "f32", "f64": "f64"}
"""A core module does not say whether an integer has a sign; numbers that people write may have one."""


def bare_signatures(code: bytes | SourceText) -> dict[str, str | None]:
    """Returns the functions that a core module exports, with their signatures in WIT; nothing for a component.

    A function of other things than numbers, or with several results, has no signature.

    Raises:
        PreparationError: It is malformed.
    """
    binary = code if isinstance(code, bytes) else assemble(code)
    if not binary.startswith(CORE_HEADER):
        return {}
    exports = read_core_module(binary).exports
    return {name: _signature(name, found) for name, (kind, found) in exports.items() if kind == "func"}


def _signature(name: str, found: object) -> str | None:
    if not isinstance(found, tuple):  # a function of a type that nobody here knows
        return None
    parameters, results = found
    if len(results) > 1 or any(each not in _TYPES for each in (*parameters, *results)):
        return None
    listed = ", ".join(f"p{number}: {_TYPES[each]}" for number, each in enumerate(parameters, 1))
    return f"{name}: func({listed})" + "".join(f" -> {_TYPES[each]}" for each in results)
