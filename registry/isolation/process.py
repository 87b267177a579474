"""One worker process, seen from the parent: start, messages, and an end that is never missed."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.errors import WorkerError
from polycall.registry.isolation.messages import MessageError, Reader
from polycall.registry.isolation.output import WorkerOutput
from polycall.registry.isolation.services import ServiceDesk

__all__ = ["WORKER_COMMAND", "TimeIsUp", "WorkerProcess"]

WORKER_COMMAND = (sys.executable, "-S", "-P", "-m", "polycall.registry.isolation.worker")
"""Neither site packages nor the current folder are looked into: the worker gets the parent's own search path."""

_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")  # what this very interpreter may need to start
_PIECE_BYTES = 256 * 1024
_LAST_BREATH_SECONDS = 0.5
_LONGEST_POLL_MS = 3_600_000.0


class TimeIsUp(Exception):  # noqa: N818  # not a failure of the worker: the parent stopped waiting
    """The time until which the parent wanted to wait is over."""


class WorkerProcess:
    """A process that runs one instance. One thread at a time talks to it; any thread may kill it.

    It hears of its parent through one socket, which is also how it notices that the parent is gone.

    Attributes:
        entry_id: The entry whose instance it runs.
        ended: Whether it was found dead, or put to death; there is no use for it then.
    """

    def __init__(
        self, entry_id: str, desk: ServiceDesk, output_bytes: int, command: Sequence[str] = WORKER_COMMAND
    ) -> None:
        """Starts it.

        Args:
            entry_id: The entry whose instance it will run.
            desk: Who answers its questions.
            output_bytes: What its guest may print and log in one call.
            command: What to start.

        Raises:
            WorkerError: The system starts no more processes.
        """
        self.entry_id = entry_id
        self.ended = False
        self._lock = threading.RLock()  # reentrant: a signal handler may cancel a call while its own thread closes this
        self._reader = Reader()
        self._socket, theirs = socket.socketpair()
        self._output = WorkerOutput(entry_id, output_bytes)
        self._desk = desk
        try:
            self._process = _start(command, theirs, self._output)
        except BaseException as error:
            self._socket.close()
            self._output.close()
            if not isinstance(error, OSError):  # Ctrl-C: starting a process takes a while
                raise
            raise WorkerError(f"no worker process can be started: {error}", entry_id=entry_id) from error
        finally:
            theirs.close()
            self._output.close_writing()
        self._socket.setblocking(False)
        self._poller = select.poll()
        self._poller.register(self._socket)
        self._poller.register(self._output)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the process is still there."""
        with self._lock:
            return not self.ended and self._process.poll() is None

    def turn_to(self, context: CallContext | None) -> None:
        """Says which call its log records belong to from now on; None for start-up code."""
        self._output.turn_to(context)

    def send(self, data: bytes, until: float | None) -> None:
        """Sends a message.

        Args:
            data: The message.
            until: How long to wait for the worker to take it, in seconds of `time.monotonic`; None for as long as it
                lives.

        Raises:
            TimeIsUp: It did not take it in time.
            WorkerError: It died.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, until)
            except OSError:
                raise self._death() from None

    def receive(self, until: float | None) -> list[Any]:
        """Returns the next message that is neither a log record nor a question; those go to the log, or are answered.

        Args:
            until: As for `send`.

        Raises:
            TimeIsUp: There was none in time.
            WorkerError: It died, or sent what is no message.
        """
        while True:
            try:
                message = self._reader.read_checked()
                if message is None:
                    self._wait(select.POLLIN, until)
                    self._take()
                    continue
                if message[0] == "log":
                    self._output.log(message)
                elif message[0] == "service":
                    self.send(self._desk.answer(message), until)
                else:
                    return message
                _check_time(until)  # a guest that never stops printing, or asking, is never waited for
            except MessageError as error:
                raise self.broken(str(error)) from error

    def _take(self) -> None:
        try:
            data = self._socket.recv(_PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise self._death()
        self._reader.feed(data)

    def _wait(self, event: int, until: float | None) -> None:
        self._poller.modify(self._socket, event)
        while True:
            left_ms = None if until is None else min(max(0.0, until - time.monotonic()) * 1000, _LONGEST_POLL_MS)
            ready = {descriptor for descriptor, _ in self._poller.poll(left_ms)}
            if self._output.fileno() in ready and not self._output.read():
                self._poller.unregister(self._output)
            if self._socket.fileno() in ready:
                return
            _check_time(until)

    def broken(self, reason: str) -> WorkerError:
        """Kills a worker that does not keep to the protocol, and returns the error to raise."""
        self.close()
        return WorkerError(f"the worker process sent {reason}; it was killed", entry_id=self.entry_id)

    def _death(self) -> WorkerError:
        """Returns the error to raise for a worker that is gone."""
        try:  # it hung up and is about to end: its own way of ending says more than ours
            self._process.wait(_LAST_BREATH_SECONDS)
        except subprocess.TimeoutExpired:
            return self.broken("nothing more, but did not end")
        status = self._process.returncode
        self.close()
        how = f"ended with exit code {status}" if status >= 0 else f"was killed by {_signal_name(-status)}"
        return WorkerError(f"the worker process {how}", entry_id=self.entry_id)

    def kill(self) -> None:
        """Ends the process at once; whoever waits for it finds it dead. Harmless when repeated, never blocks long."""
        with self._lock:
            if not self.ended:
                self._process.kill()

    def close(self) -> None:
        """Ends the process at once and gives back all it took; harmless when repeated."""
        with self._lock:
            if self.ended:
                return
            self._process.kill()
            self._process.wait()
            self.ended = True
            self._socket.close()
            self._output.close()

    def __del__(self) -> None:
        """Ends a process that nobody closed."""
        if hasattr(self, "_poller"):
            self.close()


def _start(command: Sequence[str], theirs: socket.socket, output: WorkerOutput) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=theirs.fileno(),
        stdout=output.writing,
        stderr=output.writing,
        env=_environment(),
        cwd="/",
        start_new_session=True,  # Ctrl-C in a terminal reaches the parent alone, which then ends the call
    )


def _environment() -> dict[str, str]:
    """Returns what a worker may know of the parent's environment: where Python finds its modules and libraries."""
    ours = str(Path(__file__).resolve().parents[2])
    paths = [ours, *(path for path in sys.path if os.path.isabs(path))]  # noqa: PTH117  # entries of sys.path are text
    kept = {name: os.environ[name] for name in _LIBRARY_PATHS if name in os.environ}
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), **kept}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _check_time(until: float | None) -> None:
    if until is not None and time.monotonic() >= until:
        raise TimeIsUp
