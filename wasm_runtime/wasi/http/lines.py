"""The lines that h11 reads of a response: none that it would take the square of its length to find fault with.

Its regular expressions for headers, trailers and the sizes of chunks go back over a run of spaces once for each of
them, where what stands behind is not what they look for. Nothing interrupts that, and no other thread runs meanwhile: a
server that sends 64 KiB of spaces would stop the whole process for half a minute.
"""

from __future__ import annotations

import h11
from h11._receivebuffer import ReceiveBuffer  # the one place at which lines can be looked at before they are matched

__all__ = ["Lines"]

_TOO_MANY_SPACES = b" " * 256


class Lines(ReceiveBuffer):
    """What has come and was not read yet."""

    def maybe_extract_next_line(self) -> bytearray | None:
        """Returns the next line, if it is there."""
        line: bytearray | None = super().maybe_extract_next_line()
        if line is not None:
            _check(line)
        return line

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """Returns the lines up to an empty one, if it is there."""
        lines: list[bytearray] | None = super().maybe_extract_lines()
        if lines:
            _check(bytearray().join(lines))  # together: a line that begins with a space goes on with the one before
        return lines


def _check(text: bytearray) -> None:
    if _TOO_MANY_SPACES in text.replace(b"\t", b" "):
        raise h11.RemoteProtocolError("too many spaces in a row")
