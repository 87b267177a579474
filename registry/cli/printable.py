"""Text of guests and files for a terminal: nothing in it steers the terminal, and any encoding can write it.

Everything that the command line writes passes through here, but for the result of a call that goes to a pipe or a file.
"""

from __future__ import annotations

import re
from typing import TextIO

from polycall.interop.steering import BREAKING, STEERING, as_escape

__all__ = ["encodable", "indented", "one_line", "printable", "printable_json"]

# A pattern is compiled at its first use: most text is printable as a whole, and a cold start needs none.
_STEERING = f"[{STEERING}]"
_BREAKING = f"[{BREAKING}]"
_UNESCAPED_IN_JSON = f"[{STEERING}\u2028\u2029]"
_BEYOND_ASCII = "[^\x00-\x7f]"


def printable(text: str) -> str:
    r"""Returns text with what steers a terminal, and lone surrogates, as escapes: ``\x1b``, ``\u202e``, ``\udcff``.

    Tabs and line ends stay.
    """
    return text if text.isprintable() else re.sub(_STEERING, as_escape, text)


def one_line(text: str) -> str:
    """Returns text as `printable` does, with line ends escaped as well."""
    return text if text.isprintable() else re.sub(_BREAKING, as_escape, printable(text))


def indented(text: str) -> str:
    """Returns text as `printable` does, its lines after the first set in: none looks like a line of ours."""
    return "\n  ".join(printable(text).split("\n"))


def encodable(text: str, stream: TextIO) -> str:
    r"""Returns text with what the encoding of a stream does not have as escapes: ``\u251c``."""
    encoding = stream.encoding or "utf-8"  # one that lives in memory has none
    return text if text.isascii() else text.encode(encoding, "backslashreplace").decode(encoding)


def printable_json(text: str, stream: TextIO) -> str:
    """Returns JSON text that means the same, with what steers a terminal or a stream cannot encode as escapes."""
    if not text.replace("\n", "").isprintable():
        text = re.sub(_UNESCAPED_IN_JSON, _escape_in_json, text)
    # What the stream lacks is no character of ours: beyond ASCII, JSON has nothing outside of texts.
    return text if encodable(text, stream) == text else re.sub(_BEYOND_ASCII, _escape_in_json, text)


def _escape_in_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
