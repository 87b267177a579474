"""What a worker writes, in the parent's log: its guest's records, and whatever lands on its stdout and stderr."""

from __future__ import annotations

import logging
import os
from typing import Any

from registry.isolation.messages import MessageError

__all__ = ["WorkerOutput"]

_log = logging.getLogger("polycall.worker")

_PIECE_BYTES = 16 * 1024
_LINE_BYTES = 1000
_MOST_LINES = 200
_LAST_PIECES = 64


class WorkerOutput:
    """The pipe behind a worker's stdout and stderr, read without blocking, and its log messages.

    Attributes:
        writing: The end that the worker gets.
    """

    def __init__(self, entry_id: str) -> None:
        self._logger_name = f"polycall.entry.{entry_id}"
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
            _log.warning("%s: %s", self._entry_id, line[:_LINE_BYTES].decode(errors="backslashreplace"))
        elif self._lines == _MOST_LINES + 1:
            _log.warning("%s: its worker writes more than %d lines; the rest is left out", self._entry_id, _MOST_LINES)

    def log(self, message: list[Any]) -> None:
        """Logs a record of the guest's.

        Raises:
            MessageError: It is none, or one of another entry.
        """
        match message:
            case ["log", str(name), int(level), str(text), dict(fields)] if self._is_ours(name):
                logger = logging.getLogger(name)
                if logger.isEnabledFor(level):
                    logger.log(level, "%s", text, extra={"fields": fields})
            case _:
                raise MessageError("a log record that is not its own")

    def _is_ours(self, name: str) -> bool:
        return name == self._logger_name or name.startswith(f"{self._logger_name}.")

    def close_writing(self) -> None:
        """Closes the parent's hold on the worker's end."""
        os.close(self.writing)

    def close(self) -> None:
        """Logs what a dead worker left, within bounds, and closes the pipe."""
        for _ in range(_LAST_PIECES):
            if not self.read():
                break
        self._write(self._line)
        os.close(self._reading)
