"""What a worker tells beside its answers: records and waits of its guest, and what lands on stdout and stderr."""

from __future__ import annotations

import os
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.guest_log import LINE_BYTES, GuestLog
from polycall.interop.logs import CRITICAL, logger
from polycall.interop.observer import WaitObserver
from polycall.registry.isolation.messages import MessageError
from polycall.wasm_runtime.engine.guest_text import shown

__all__ = ["WorkerOutput"]

_LOG = "polycall.worker"

_PIECE_BYTES = 16 * 1024
_LINE_BYTES = 1000
_LEVELS = range(1, CRITICAL + 1)
_MOST_LINES = 200
_LONGEST_WAIT_SECONDS = 1e9
_LAST_PIECES = 64
_SLACK_BYTES = 4096  # the warnings of the guest's own log


class WorkerOutput:
    """The pipe behind a worker's stdout and stderr, read without blocking, and its log messages.

    Attributes:
        writing: The end that the worker gets.
    """

    def __init__(self, entry_id: str, output_bytes: int) -> None:
        # The worker keeps to the bound by itself, also in start-up code, which may run within a call: twice is enough.
        self._guest_log = GuestLog(entry_id, 2 * output_bytes + _SLACK_BYTES)
        self._context: CallContext | None = None
        self._entry_id = entry_id
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._line = b""
        self._lines = 0

    def fileno(self) -> int:
        """Returns the descriptor to wait at."""
        return self._reading

    def read(self) -> bool:
        """Logs a piece of what has come, line by line; returns False when there is nothing (more) to read."""
        try:
            piece = os.read(self._reading, _PIECE_BYTES)
        except BlockingIOError:
            return False
        if piece:
            self._take(piece)
        return bool(piece)

    def _take(self, piece: bytes) -> None:
        *lines, self._line = (self._line + piece).split(b"\n")
        self._line = self._line[:_LINE_BYTES]
        for line in lines:
            self._write(line)

    def _write(self, line: bytes) -> None:
        if not line.strip():
            return
        self._lines += 1
        if self._lines <= _MOST_LINES:
            logger(_LOG).warning("%s: %s", self._entry_id, _shown(line))
        elif self._lines == _MOST_LINES + 1:
            logger(_LOG).warning(
                "%s: its worker writes more than %d lines; the rest is left out", self._entry_id, _MOST_LINES
            )

    def turn_to(self, context: CallContext | None) -> None:
        """Says to which call the records belong from now on; None for those of start-up code."""
        if self._guest_log.used:
            self._guest_log.end(self._context)
        self._context = context

    def log(self, message: list[Any]) -> None:
        """Logs a record of the guest's.

        Raises:
            MessageError: It is none.
        """
        match message:
            case ["log", int(level), str(line), str(name), dict(fields)] if _is_honest(level, line):
                self._guest_log.pass_on(level, line, self._context, name=name, fields=fields)
            case _:
                raise MessageError("what is no log record")

    def waited(self, message: list[Any]) -> None:
        """Tells who watches the call what its guest has waited for.

        Raises:
            MessageError: It is no such message.
        """
        match message:
            case ["waited", str(what), float(seconds)] if 0 <= seconds <= _LONGEST_WAIT_SECONDS:
                context = self._context
                if context is not None and isinstance(context.observer, WaitObserver):
                    context.observer.waited(context, shown(what), seconds)
            case _:
                raise MessageError("what is no wait")

    def close_writing(self) -> None:
        """Closes the parent's hold on the worker's end."""
        os.close(self.writing)

    def abandon(self) -> None:
        """Closes the pipe and reads nothing of it: in a forked child, what comes is its parent's."""
        os.close(self._reading)

    def close(self) -> None:
        """Logs what a dead worker left, within bounds, and closes the pipe."""
        for _ in range(_LAST_PIECES):
            if not self.read():
                break
        self._write(self._line)
        os.close(self._reading)


def _is_honest(level: int, line: str) -> bool:
    """Says whether a guest can log so: a logger keeps every level it is asked about, and lines come cut already."""
    return level in _LEVELS and len(line) <= LINE_BYTES


def _shown(line: bytes) -> str:
    """Returns a line as text that stays on its line, and does nothing to a terminal."""
    text = line[:_LINE_BYTES].decode(errors="backslashreplace")
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
