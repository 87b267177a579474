"""Characters that end a line of a log, steer a terminal or turn the direction of writing, and how they are shown.

Trojan-source tricks (CVE-2021-42574) and terminals' escape sequences work by these. Text of guests and files is shown
with them as escapes, in the log as on a terminal.
"""

from __future__ import annotations

import re

__all__ = ["BREAKING", "STEERING", "as_escape"]

STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ud800-\udfff"
"""For a character class: control characters but tab and line feed, what turns the direction of writing, and halves of
surrogate pairs, which nothing encodes."""

BREAKING = "\n\u2028\u2029"
"""For a character class: what else ends a line."""


def as_escape(found: re.Match[str]) -> str:
    r"""Returns one character as an escape: ``\x1b``, ``\u202e``."""
    return ascii(found[0])[1:-1]
