"""JSON as the text form of values: for ``json`` in Lua, for ``call-string`` and for the command line. One set of rules.

NaN and the infinities become null, as in the system we re-implement; bytes are written as text if they are UTF-8.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import accumulate

from polycall.interop.budget import Budget
from polycall.interop.errors import ConversionError
from polycall.interop.ids import cut
from polycall.interop.resources import ResourceHandle
from polycall.interop.value_path import Place, path_text
from polycall.interop.values import KEPT, MAX_NESTING, Value, describe

__all__ = ["decode_json", "encode_json"]

_BRACKET_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - _BRACKET_STEPS.keys())

_READ_DIGITS = 40  # more than any type of a guest holds, and few enough to read in no time
_WRITABLE_BITS = 14_000  # Python refuses to write an integer of more than 4,300 digits

# The reader and the writer are C code that holds the interpreter: what guests give them takes at most some 50 ms.
_MOST_READ = 16 << 20
_MOST_VALUES = 200_000
_MOST_WRITTEN = 32 << 20
_MOST_STRING = 8 << 20
_WRITTEN_AT_ONCE = 4 << 20
_MOST_TEXT = 64 << 20
_SHORT = 32_000  # what is read in a millisecond or two, whatever it is
_AT_ONCE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_STEP = 1024  # characters that take about as long as a value


def encode_json(
    value: Value, *, indent: int | None = None, bounded: bool = True, check: Callable[[], None] | None = None
) -> str:
    """Writes a value as JSON text; non-ASCII characters stand for themselves.

    Args:
        value: Plain value.
        indent: Spaces a level, or None for the compact form.
        bounded: False for what no guest waits for.
        check: Called again and again; raises to end the work.

    Raises:
        ConversionError: Bytes that are not UTF-8, an integer of thousands of digits, nesting over `MAX_NESTING`, or too
            much: 32 MiB in all, as `polycall.interop.budget` counts, or 8 MiB of text in one.
    """
    if not bounded and indent is None:
        with suppress(TypeError, ValueError):  # bytes, NaN, a resource, an integer of thousands of digits
            return _AT_ONCE.encode(value)
    separators = (",", ":") if indent is None else (",", ": ")
    writer = _Writer(bounded, check)
    ready = writer.jsonable(value, "$", 0)
    encoder = json.JSONEncoder(ensure_ascii=False, indent=indent, separators=separators, allow_nan=False)
    if writer.taken <= _WRITTEN_AT_ONCE:
        return encoder.encode(ready)
    return "".join(_within(_MOST_TEXT if bounded else sys.maxsize, encoder.iterencode(ready), check))


def _within(most: int, pieces: Iterable[str], check: Callable[[], None] | None) -> Iterator[str]:
    length, pace = 0, Budget(sys.maxsize, check=check)
    for piece in pieces:
        pace.take(values=1 + len(piece) // _STEP)
        length += len(piece)  # escapes make a text six times longer
        if length > most:
            raise ConversionError("$", "lower", f"what has at most {most} characters as JSON", "more")
        yield piece


class _Writer:
    """Turns values into what Python's writer takes, and counts them."""

    def __init__(self, bounded: bool, check: Callable[[], None] | None) -> None:
        self._budget = Budget(_MOST_WRITTEN if bounded else sys.maxsize, check=check)
        self._longest = _MOST_STRING if bounded else sys.maxsize

    @property
    def taken(self) -> int:
        return self._budget.taken

    def jsonable(self, value: Value, place: Place, depth: int) -> object:
        if isinstance(value, (str, bytes)):
            return self._text(value, place)
        self._budget.take()
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, (list, dict)) and depth >= MAX_NESTING:
            raise ConversionError(path_text(place), "lower", f"at most {MAX_NESTING} levels of nesting", "more")
        if isinstance(value, list):
            return [self.jsonable(item, (place, index), depth + 1) for index, item in enumerate(value)]
        if isinstance(value, dict):
            return {self._text(key, place): self.jsonable(item, (place, key), depth + 1) for key, item in value.items()}
        if isinstance(value, ResourceHandle):
            raise ConversionError(path_text(place), "lower", "a plain value", "a resource", hint=KEPT)
        if isinstance(value, int) and value.bit_length() > _WRITABLE_BITS:
            raise ConversionError(path_text(place), "lower", "an integer of some thousand digits", describe(value))
        return value

    def _text(self, value: str | bytes, place: Place) -> str:
        self._budget.take(len(value))
        if len(value) > self._longest:
            expected = f"text of at most {self._longest} bytes for JSON"
            raise ConversionError(path_text(place), "lower", expected, f"one of {len(value)}")
        try:
            return value if isinstance(value, str) else value.decode()
        except UnicodeDecodeError:
            got = f"{describe(value)} that are not UTF-8"
            raise ConversionError(path_text(place), "lower", "text for JSON", got) from None


def decode_json(text: str | bytes, *, bounded: bool = True, check: Callable[[], None] | None = None) -> Value:
    """Reads JSON text (UTF-8 if bytes) as a value.

    Numbers are never bent to fit: an integer stays one however large it is, so that whoever asks for 64 bits can refuse
    it, and what is beyond every type is refused here.

    Args:
        text: JSON.
        bounded: False for what no guest gave.
        check: Called again and again; raises to end the work.

    Raises:
        ConversionError: The text is not JSON (the message has line and column), nests over `MAX_NESTING`, or has an
            integer of more than 40 digits, a number that no float can hold, more than 16 MiB or 200,000 values.
    """
    if bounded and len(text) > _MOST_READ:
        raise ConversionError("$", "lower", f"JSON text of at most {_MOST_READ} bytes", f"{len(text)}")
    reader = _READER if check is None or len(text) <= _SHORT else _Reader(check)
    try:
        # Decoded here: left to itself, the reader would guess UTF-16 and UTF-32, and let surrogates through.
        decoded = text.decode() if isinstance(text, bytes) else text
        if bounded and len(text) > _SHORT and _values_in(decoded) > _MOST_VALUES:
            raise ConversionError("$", "lower", f"JSON text of at most {_MOST_VALUES} values", "more")
        nests = decoded.count("[") + decoded.count("{") > MAX_NESTING
        if nests and _nests_too_deep(decoded, bounded=bounded):
            raise ConversionError("$", "lower", f"at most {MAX_NESTING} levels of nesting", "more")
        if check is not None:
            check()
        value: Value = reader.decode(decoded)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        # Not `from error`, which would keep the whole text for as long as this one is kept.
        raise ConversionError("$", "lower", "JSON text", f"a mistake: {error.msg} at {where}") from None
    except UnicodeDecodeError:
        raise ConversionError("$", "lower", "JSON text", "bytes that are not UTF-8") from None
    except RecursionError:
        raise ConversionError("$", "lower", f"at most {MAX_NESTING} levels of nesting", "more") from None
    if nests:
        reader.check_nesting(value, 0)
    return value


def _values_in(text: str) -> int:
    """Returns how many values the text has at most, by the marks between them: before anything is built of it."""
    count = _marks_in(text)
    return count if count <= _MOST_VALUES else _marks_in(_without_strings(text, bounded=True))


def _without_strings(text: str, *, bounded: bool) -> str:
    # With their escapes gone, strings are every second part between quotes.
    text = text.replace(r"\\", "").replace(r"\"", "")
    if bounded and text.count('"') > 4 * _MOST_VALUES:  # no text of so few values: it would only cost memory
        return text
    return "".join(text.split('"')[::2])


def _nests_too_deep(text: str, *, bounded: bool) -> bool:
    """Says whether the text nests over `MAX_NESTING`: Python's reader, recursive C code, must not be let loose on it.

    How deep that goes by itself depends on Python's version: in 3.13 to a megabyte and a half of native stack.
    """
    brackets = _without_strings(text, bounded=bounded).encode("utf-8", "replace").translate(None, _NO_BRACKETS)
    return max(accumulate(map(_BRACKET_STEPS.__getitem__, brackets)), default=0) > MAX_NESTING


def _marks_in(text: str) -> int:
    # Each value stands behind one of these; nothing does in an empty container.
    return text.count(",") + text.count("[") + text.count("{") - text.count("[]") - text.count("{}")


def _nothing() -> None:
    return None


class _Reader:
    """What Python's reader calls back, and what is looked at when it is done."""

    def __init__(self, check: Callable[[], None] | None) -> None:
        self._step = _nothing if check is None else Budget(sys.maxsize, check=check).take
        self.decode: Callable[[str], Value] = json.JSONDecoder(
            parse_int=self.integer, parse_float=self.real, parse_constant=_refuse_constant
        ).decode

    def integer(self, text: str) -> int:
        self._step()
        digits = len(text.lstrip("-"))
        if digits > _READ_DIGITS:
            raise ConversionError("$", "lower", f"integers of at most {_READ_DIGITS} digits", f"one of {digits} digits")
        return int(text)

    def real(self, text: str) -> float:
        self._step()
        number = float(text)
        if math.isinf(number):
            raise ConversionError("$", "lower", "numbers that a float can hold", cut(text))
        return number

    def check_nesting(self, value: Value, depth: int) -> None:
        self._step()
        if not isinstance(value, (list, dict)):
            return
        if depth >= MAX_NESTING:
            raise ConversionError("$", "lower", f"at most {MAX_NESTING} levels of nesting", "more")
        for item in value.values() if isinstance(value, dict) else value:
            self.check_nesting(item, depth + 1)


def _refuse_constant(name: str) -> Value:
    raise ConversionError("$", "lower", "JSON text", f"{name}, which JSON does not have")


_READER = _Reader(None)
"""Has no state: to make a reader takes longer than to read a short text."""
