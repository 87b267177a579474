"""What a plain (unquoted) scalar of YAML means.

The core schema of YAML 1.2, which JSON is a part of, and one spelling that Go's YAML reads as well: ``1_000`` is a
thousand. So ``08`` and ``010`` are decimal (octal is ``0o10``), and ``yes``, ``no``, ``on`` and ``off``, dates, and
times such as ``22:30`` are text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["Scalar", "integer", "resolve_plain"]

Scalar = None | bool | int | float | str

_CONSTANTS: Mapping[str, Scalar] = MappingProxyType(
    {
        **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
        **dict.fromkeys(("true", "True", "TRUE"), True),
        **dict.fromkeys(("false", "False", "FALSE"), False),
        **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
        **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
        **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    }
)
_NUMBER_STARTS = frozenset("+-.0123456789")
# Compiled when a number is first read, if any is: a short command need not wait for it.
_DECIMAL = r"[-+]?(?:[0-9]++|[1-9][0-9_]*+)"
_OTHER_BASE = r"([-+]?)0(?:o(?P<octal>[0-7]{1,22})|x(?P<hexadecimal>[0-9a-fA-F]{1,16}))"
_FLOAT = r"[-+]?(?:\.[0-9]++|[0-9]++(?:\.[0-9]*+)?)(?:[eE][-+]?[0-9]++)?"
_WIDEST = range(-(2**63), 2**64)
_LONGEST_INTEGER = 20


def resolve_plain(text: str) -> Scalar:
    """Returns the value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if re.fullmatch(_DECIMAL, text):
        return integer(text.replace("_", ""))
    if other := re.fullmatch(_OTHER_BASE, text):
        octal, hexadecimal = other["octal"], other["hexadecimal"]
        number = int(octal, 8) if octal else int(hexadecimal, 16)
        return -number if other[1] == "-" else number
    return float(text) if re.fullmatch(_FLOAT, text) else text


def integer(digits: str) -> int | float:
    """Reads a decimal integer; beyond s64 and u64 it becomes a float, as in `polycall.interop.json_text`."""
    # Python refuses to parse an integer of thousands of digits; a float does it in linear time.
    if len(digits) > _LONGEST_INTEGER + 1 and len(digits.lstrip("+-0")) > _LONGEST_INTEGER:
        return float(digits)
    number = int(digits)
    return number if number in _WIDEST else float(number)
