"""Standard input of the commands that read it to its end."""

from __future__ import annotations

import io
import select
import sys
from typing import BinaryIO

__all__ = ["standard_input"]

_PIECE = 64 * 1024


class _Waiting(io.RawIOBase):
    """A descriptor that waits for what comes, whether it blocks or not."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # that is all that it is given
        poll: select.poll | None = None
        while (size := self._raw.readinto(buffer)) is None:
            if poll is None:
                poll = select.poll()
                poll.register(self._raw.fileno(), select.POLLIN)
            poll.poll()
        return size


def standard_input() -> BinaryIO:
    """Returns standard input as bytes, to be read from here alone; it must not be closed.

    Whether it blocks is up to all who share it: another program may have had the terminal, or the socket, not block.
    Python would take nothing for the end then.
    """
    stream = sys.stdin.buffer
    raw = getattr(stream, "raw", None)
    return io.BufferedReader(_Waiting(raw), _PIECE) if isinstance(raw, io.RawIOBase) else stream
