"""JSON as the text form of values: for ``json`` in Lua, for ``call-string`` and for the command line. One set of rules.

NaN and the infinities become null, as in the system we re-implement; bytes are written as text if they are UTF-8.
"""

from __future__ import annotations

import json
import math

from polycall.interop.errors import ConversionError
from polycall.interop.ids import cut
from polycall.interop.value_path import Place, path_text
from polycall.interop.values import MAX_NESTING, Value, describe

__all__ = ["decode_json", "encode_json"]

_READ_DIGITS = 40  # more than any type of a guest holds, and few enough to read in no time
_WRITABLE_BITS = 14_000  # Python refuses to write an integer of more than 4,300 digits


def encode_json(value: Value, *, indent: int | None = None) -> str:
    """Writes a value as JSON text; non-ASCII characters stand for themselves.

    Args:
        value: Plain value.
        indent: Spaces a level, or None for the compact form.

    Raises:
        ConversionError: Bytes that are not UTF-8, an integer of thousands of digits, or nesting over `MAX_NESTING`.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        _jsonable(value, "$", 0), ensure_ascii=False, indent=indent, separators=separators, allow_nan=False
    )


def _jsonable(value: Value, place: Place, depth: int) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            got = f"{describe(value)} that are not UTF-8"
            raise ConversionError(path_text(place), "lower", "text for JSON", got) from None
    if isinstance(value, (list, dict)) and depth >= MAX_NESTING:
        raise ConversionError(path_text(place), "lower", f"at most {MAX_NESTING} levels of nesting", "more")
    if isinstance(value, list):
        return [_jsonable(item, (place, index), depth + 1) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _jsonable(item, (place, key), depth + 1) for key, item in value.items()}
    if isinstance(value, int) and value.bit_length() > _WRITABLE_BITS:
        raise ConversionError(path_text(place), "lower", "an integer of some thousand digits", describe(value))
    return value


def decode_json(text: str | bytes) -> Value:
    """Reads JSON text (UTF-8 if bytes) as a value.

    Numbers are never bent to fit: an integer stays one however large it is, so that whoever asks for 64 bits can refuse
    it, and what is beyond every type is refused here.

    Raises:
        ConversionError: The text is not JSON (the message has line and column), nests over `MAX_NESTING`, or has an
            integer of more than 40 digits or a number that no float can hold.
    """
    try:
        # Decoded here: left to itself, the reader would guess UTF-16 and UTF-32, and let surrogates through.
        decoded = text.decode() if isinstance(text, bytes) else text
        value: Value = json.loads(decoded, parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise ConversionError("$", "lower", "JSON text", f"{error.msg} at {where}") from error
    except UnicodeDecodeError as error:
        raise ConversionError("$", "lower", "JSON text", "bytes that are not UTF-8") from error
    except RecursionError:
        raise ConversionError("$", "lower", f"at most {MAX_NESTING} levels of nesting", "more") from None
    _check_nesting(value, 0)
    return value


def _integer(text: str) -> int:
    digits = len(text.lstrip("-"))
    if digits > _READ_DIGITS:
        raise ConversionError("$", "lower", f"integers of at most {_READ_DIGITS} digits", f"one of {digits} digits")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ConversionError("$", "lower", "numbers that a float can hold", cut(text))
    return number


def _refuse_constant(name: str) -> Value:
    raise ConversionError("$", "lower", "JSON text", f"{name}, which JSON does not have")


def _check_nesting(value: Value, depth: int) -> None:
    if not isinstance(value, (list, dict)):
        return
    if depth >= MAX_NESTING:
        raise ConversionError("$", "lower", f"at most {MAX_NESTING} levels of nesting", "more")
    for item in value.values() if isinstance(value, dict) else value:
        _check_nesting(item, depth + 1)
