"""One worker process, seen from the parent: start, messages, and an end that is never missed."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.errors import WorkerError
from polycall.interop.forks import watch_forks
from polycall.interop.host_traffic import HostCounter
from polycall.registry.isolation.messages import END_WAITS, MessageError, Reader
from polycall.registry.isolation.output import WorkerOutput
from polycall.registry.isolation.services import ServiceDesk

__all__ = ["WORKER_COMMAND", "TimeIsUp", "WorkerProcess", "worker_environment"]

WORKER_COMMAND = (sys.executable, "-S", "-P", "-m", "polycall.registry.isolation.worker")
"""Neither site packages nor the current folder are looked into: the worker gets the parent's own search path."""

_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")  # what this very interpreter may need to start
_PIECE_BYTES = 256 * 1024
_LAST_BREATH_SECONDS = 0.05
_LONGEST_POLL_MS = 3_600_000.0
_MOST_COUNTED = 2**63 - 1

_HINTS = {
    errno.EMFILE: "the process has as many files open as it may: raise ulimit -n, or lower pool.max_size",
    errno.ENFILE: "the system has as many files open as it may: close some, or lower pool.max_size",
    errno.EAGAIN: "the user has as many processes as they may: raise ulimit -u, or lower pool.max_size",
    errno.ENOMEM: "the system has no memory left for it: lower pool.max_size",
    errno.ENOENT: "this very Python is not where it was when it started",
}

_STARTING = threading.RLock()
"""Held while a worker is started. Elsewhere a fork would give the child ends of pipes whose closing somebody waits for.

By process, as forks are; reentrant, for a signal handler may fork.
"""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_STARTING.acquire, after_in_parent=_STARTING.release, after_in_child=_STARTING.release)


class TimeIsUp(Exception):  # noqa: N818  # not a failure of the worker: the parent stopped waiting
    """The time until which the parent wanted to wait is over."""


class WorkerProcess:
    """A process that runs one instance. One thread at a time talks to it; any thread may kill it.

    It hears of its parent through one socket, which is also how it notices that the parent is gone. The two speak in
    turn: the parent asks, and from then on it is the worker's turn until its answer. What comes out of turn ends it.

    A forked child lets go of it: two processes that talk over one socket would get each other's answers.

    Attributes:
        entry_id: The entry whose instance it runs.
        ended: Whether it was found dead, or put to death; there is no use for it then.
    """

    def __init__(
        self,
        entry_id: str,
        desk: ServiceDesk,
        output_bytes: int,
        command: Sequence[str] = WORKER_COMMAND,
        *,
        traffic: HostCounter | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        """Starts it.

        Args:
            entry_id: The entry whose instance it will run.
            desk: Who answers its questions.
            output_bytes: What its guest may print and log in one call.
            command: What to start.
            traffic: Counts what its guest has its host do, as it says itself.
            descriptors: What it has of ours, under the same numbers: from 3 on.

        Raises:
            WorkerError: The system starts no more processes.
        """
        self.entry_id = entry_id
        self.ended = False
        self._traffic = traffic or HostCounter()
        self._killed = False
        self._lock = threading.RLock()  # reentrant: a signal handler may cancel a call while its own thread closes this
        self._reader = Reader()
        self._desk = desk
        try:
            self._start(command, output_bytes, descriptors)
        except OSError as error:
            reason = error.strerror or str(error)
            raise WorkerError(
                f"no worker process can be started: {reason}", entry_id=entry_id, hint=_HINTS.get(error.errno or 0)
            ) from error
        self._socket.setblocking(False)
        self._poller = select.poll()
        self._poller.register(self._socket)
        self._poller.register(self._output)
        watch_forks(self)

    def _start(self, command: Sequence[str], output_bytes: int, descriptors: Sequence[int]) -> None:
        with _STARTING, ExitStack() as undoing, ExitStack() as theirs:
            self._socket, other_end = socket.socketpair()
            undoing.callback(self._socket.close)
            theirs.callback(other_end.close)
            self._output = WorkerOutput(self.entry_id, output_bytes)
            undoing.callback(self._output.close)
            theirs.callback(self._output.close_writing)
            self._process = _started(command, other_end, self._output, descriptors)
            undoing.pop_all()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the process is still there."""
        with self._lock:
            return not self.ended and self._process.poll() is None

    def end_waits(self) -> None:
        """Lets its guest, which runs, wait for nothing from now on. Neither blocks nor raises."""
        with self._lock:
            if self.is_alive():
                self._process.send_signal(END_WAITS)

    def turn_to(self, context: CallContext | None) -> None:
        """Says which call its log records belong to from now on; None for start-up code."""
        self._output.turn_to(context)

    def send(self, data: bytes, until: float | None) -> None:
        """Sends a message, after which it is the worker's turn.

        Args:
            data: The message.
            until: How long to wait for the worker to take it, in seconds of `time.monotonic`; None for as long as it
                lives.

        Raises:
            TimeIsUp: It did not take it in time.
            WorkerError: It died, or sent something out of turn.
        """
        self._expect_silence(until)
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                if self._wait(select.POLLOUT | select.POLLIN, until) & ~select.POLLOUT:
                    self._expect_silence(until)  # it may also have hung up, and never take the rest
            except OSError:
                raise self._death(until) from None

    def receive(self, until: float | None) -> list[Any]:
        """Returns the next answer; log records, questions and what is told of a call are dealt with as they come.

        Args:
            until: As for `send`.

        Raises:
            TimeIsUp: There was none in time.
            WorkerError: It died, or sent what is no message.
        """

        def check() -> None:
            _check_time(until)  # a guest that never stops printing, or asking, is never waited for
            if self._killed:
                raise self._death(until)

        while True:
            try:
                message = self._reader.read_checked(check)
                if message is None:
                    self._wait(select.POLLIN, until)
                    self._reader.feed(self._taken(until))
                    continue
                if message[0] == "log":
                    self._output.log(message)
                elif message[0] == "waited":
                    self._output.waited(message)
                elif message[0] == "traffic":
                    self._count(message)
                elif message[0] == "service":
                    self.send(self._desk.answer(message, check), until)
                else:
                    self._expect_no_more()
                    return message
                check()
            except MessageError as error:
                raise self.broken(str(error)) from error

    def _count(self, message: list[Any]) -> None:
        match message:
            case ["traffic", None, int(calls), int(bytes_in), int(bytes_out), int(refusals)] if (
                min(figures := message[2:]) >= 0 and max(figures) <= _MOST_COUNTED
            ):
                self._traffic.add(calls, bytes_in, bytes_out, refusals)
            case _:
                raise MessageError("what are no figures")

    @property
    def last_bytes(self) -> int:
        """How long the message was that came last."""
        return self._reader.last_bytes

    def _taken(self, until: float | None) -> bytes:
        """Returns what has come, without waiting; nothing if nothing has."""
        try:
            data = self._socket.recv(_PIECE_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            raise self._death(until)
        return data

    def _expect_silence(self, until: float | None) -> None:
        """Ends a worker that has spoken out of turn: another call would take it for its answer."""
        self._reader.feed(self._taken(until))
        self._expect_no_more()

    def _expect_no_more(self) -> None:
        if self._reader.has_more:
            raise self.broken("more than it was asked for")

    def _wait(self, events: int, until: float | None) -> int:
        """Waits until something happens at the socket, and returns what."""
        self._poller.modify(self._socket, events)
        while True:
            left_ms = None if until is None else min(max(0.0, until - time.monotonic()) * 1000, _LONGEST_POLL_MS)
            ready = dict(self._poller.poll(left_ms))
            if self._output.fileno() in ready and not self._output.read():
                self._poller.unregister(self._output)
            if self._socket.fileno() in ready:
                return ready[self._socket.fileno()]
            _check_time(until)

    def broken(self, reason: str) -> WorkerError:
        """Kills a worker that does not keep to the protocol, and returns the error to raise."""
        self.close()
        return WorkerError(f"the worker process sent {reason}; it was killed", entry_id=self.entry_id)

    def _death(self, until: float | None) -> WorkerError:
        """Returns the error to raise for a worker that has hung up."""
        if self.ended:  # in a forked child, whose parent it belongs to
            return WorkerError("the worker process is that of the process that forked", entry_id=self.entry_id)
        # One that is about to end gets the time to do so, for its own way of ending says more than ours. One that died
        # by anything but SIGKILL needs none of that: it stays dead as it died.
        patience = _LAST_BREATH_SECONDS if until is None else min(_LAST_BREATH_SECONDS, until - time.monotonic())
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, patience))
        by_us = self._process.returncode is None and not self._killed
        self.close()
        status = self._process.returncode
        if by_us and status == -signal.SIGKILL:
            return self.broken("nothing more, but did not end")
        how = f"ended with exit code {status}" if status >= 0 else f"was killed by {_signal_name(-status)}"
        return WorkerError(f"the worker process {how}", entry_id=self.entry_id)

    def kill(self) -> None:
        """Ends the process at once; whoever waits for it finds it dead. Harmless when repeated, never blocks long."""
        with self._lock:
            if not self.ended:
                self._killed = True
                self._process.kill()

    def after_fork(self) -> None:
        """Lets go of it in a forked child, which can neither use it nor wait for it."""
        self._lock = threading.RLock()
        if not self.ended:
            self.ended = True
            self._process.returncode = 0  # what Popen needs to leave it alone
            self._socket.close()
            self._output.abandon()

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


def _started(
    command: Sequence[str], theirs: socket.socket, output: WorkerOutput, descriptors: Sequence[int]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        pass_fds=descriptors,
        stdin=theirs.fileno(),
        stdout=output.writing,
        stderr=output.writing,
        env=worker_environment(),
        cwd="/",
        start_new_session=True,  # Ctrl-C in a terminal reaches the parent alone, which then ends the call
    )


def worker_environment() -> dict[str, str]:
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
