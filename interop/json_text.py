"""JSON as the text form of values: for ``json`` in Lua, for ``call-string`` and for the command line. One set of rules.

NaN and the infinities become null, as in the system we re-implement; bytes are written as text if they are UTF-8.
"""

from __future__ import annotations

import json
import math

from interop.errors import ConversionError
from interop.values import MAX_NESTING, Value, describe

__all__ = ["decode_json", "encode_json"]

_WIDEST = range(-(2**63), 2**64)


def encode_json(value: Value, *, indent: int | None = None) -> str:
    """Writes a value as JSON text; non-ASCII characters stand for themselves.

    Args:
        value: Plain value.
        indent: Spaces a level, or None for the compact form.

    Raises:
        ConversionError: Bytes that are not UTF-8, or nesting over `MAX_NESTING`.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        _jsonable(value, "$", 0), ensure_ascii=False, indent=indent, separators=separators, allow_nan=False
    )


def _jsonable(value: Value, path: str, depth: int) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ConversionError(path, "lower", "text for JSON", f"{describe(value)} that are not UTF-8") from None
    if isinstance(value, (list, dict)) and depth >= MAX_NESTING:
        raise ConversionError(path, "lower", f"at most {MAX_NESTING} levels of nesting", "more")
    if isinstance(value, list):
        return [_jsonable(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _jsonable(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    return value


def decode_json(text: str | bytes) -> Value:
    """Reads JSON text (UTF-8 if bytes) as a value.

    Integers that fit neither s64 nor u64 become floats, which is what a Lua or a WIT number can hold of them.

    Raises:
        ConversionError: The text is not JSON (the message has line and column), or nests over `MAX_NESTING`.
    """
    try:
        value: Value = json.loads(text, parse_int=_integer, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise ConversionError("$", "lower", "JSON text", f"{error.msg} at {where}") from error
    except UnicodeDecodeError as error:
        raise ConversionError("$", "lower", "JSON text", "bytes that are not UTF-8") from error
    except RecursionError:
        raise ConversionError("$", "lower", f"at most {MAX_NESTING} levels of nesting", "more") from None
    _check_nesting(value, 0)
    return value


def _integer(digits: str) -> int | float:
    # Python refuses to parse an integer of thousands of digits; a float does it in linear time.
    if len(digits) > 20:
        return float(digits)
    number = int(digits)
    return number if number in _WIDEST else float(number)


def _refuse_constant(name: str) -> Value:
    raise ConversionError("$", "lower", "JSON text", name)


def _check_nesting(value: Value, depth: int) -> None:
    if not isinstance(value, (list, dict)):
        return
    if depth >= MAX_NESTING:
        raise ConversionError("$", "lower", f"at most {MAX_NESTING} levels of nesting", "more")
    for item in value.values() if isinstance(value, dict) else value:
        _check_nesting(item, depth + 1)
