"""The values that travel between languages: plain Python, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from interop.errors import ConversionError

__all__ = ["MAX_NESTING", "Value", "describe", "plain"]

Value: TypeAlias = "None | bool | int | float | str | bytes | list[Value] | dict[str, Value]"
"""What a call takes and gives. `bytes` is text that is not UTF-8, or a ``list<u8>``."""

MAX_NESTING = 128
"""How deep lists and dicts may nest: a cyclic or hostile value must not exhaust the host's stack."""

_SCALARS = (type(None), bool, int, float, str, bytes)
_SHOWN_CHARACTERS = 40


def plain(value: object, path: str = "$") -> Value:
    """Checks that a Python value can travel and returns it as plain types.

    Tuples become lists; bytearray and memoryview become bytes; subclasses become their plain base, so nothing of the
    caller's objects reaches a guest.

    Args:
        value: What a Python caller passes or a Python function returns.
        path: Where it stands, for the message.

    Raises:
        ConversionError: A type that no guest language has, a key that is not a str, or nesting over `MAX_NESTING`.
    """
    return value if type(value) in _SCALARS else _plain(value, path, 0)  # type: ignore[return-value]  # narrowed by type()


def _plain(value: object, path: str, depth: int) -> Value:
    if type(value) in _SCALARS:
        return value  # type: ignore[return-value]  # narrowed by type()
    if depth >= MAX_NESTING:
        raise ConversionError(path, "lower", f"at most {MAX_NESTING} levels of nesting", "more (is it cyclic?)")
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, path): _plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    raise ConversionError(path, "lower", "None, bool, int, float, str, bytes, list or dict", describe(value))


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise ConversionError(path, "lower", "str keys", f"the key {describe(key)}")
    return str(key)


def describe(value: object) -> str:
    """Names a value in an error message: short values as they are, long ones cut, foreign ones by their type only.

    Returns:
        For example ``"x"``, ``-1``, ``a list of 3``, ``a Decimal``.
    """
    if value is None:
        return "nothing (None)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) in (int, float):
        return _cut(repr(value))
    if isinstance(value, str):
        return '"' + _cut(value) + '"'
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        keys = ", ".join(str(key) for key in list(value)[:3])
        return (
            _cut(f"a record with the keys {keys}" + (", ..." if len(value) > 3 else "")) if value else "an empty record"
        )
    return f"a {type(value).__name__}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
