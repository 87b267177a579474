"""Values of the test suite's JSON, as polycall's values, and the other way round as far as comparing takes it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from polycall.interop.values import Value

__all__ = ["same", "value_of"]

_INTEGERS = frozenset({"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"})


def value_of(found: Mapping[str, Any]) -> Value:
    """Returns a value of the suite as polycall hands it to a guest."""
    kind: str = found["type"]
    value: Any = found["value"]
    if kind in _INTEGERS:
        return int(value)
    if kind in ("f32", "f64"):
        return _float(kind, value)
    if kind in ("list", "tuple"):
        return [value_of(each) for each in value]
    if kind == "record":
        return {name: value_of(each) for name, each in value}
    if kind == "variant":
        payload = value.get("payload")
        return {value["case"]: True if payload is None else value_of(payload)}
    if kind == "option":
        return _option(value)
    if kind == "result":
        ((arm, payload),) = value.items()
        return {arm.lower(): None if payload is None else value_of(payload)}
    return list(value) if kind == "flags" else value  # bool, char, string, enum


def _float(kind: str, bits: str) -> float:
    if bits.startswith("nan"):
        return float("nan")
    integer, number = ("<I", "<f") if kind == "f32" else ("<Q", "<d")
    found: float = struct.unpack(number, struct.pack(integer, int(bits)))[0]
    return found


def _option(payload: Mapping[str, Any] | None) -> Value:
    if payload is None:
        return None
    value = value_of(payload)
    return {"some": value} if payload["type"] == "option" and value is None else value


def same(value: Value, expected: Value) -> bool:
    """Whether a result is what is expected; bytes and lists of integers are alike."""
    if isinstance(value, bytes):
        value = list(value)
    if isinstance(value, float) and isinstance(expected, float):
        return value == expected or (isnan(value) and isnan(expected))
    if isinstance(value, Sequence) and isinstance(expected, Sequence) and not isinstance(value, str):
        return len(value) == len(expected) and all(map(same, value, expected))
    if isinstance(value, Mapping) and isinstance(expected, Mapping):
        return value.keys() == expected.keys() and all(same(value[key], expected[key]) for key in value)
    return type(value) is type(expected) and value == expected
