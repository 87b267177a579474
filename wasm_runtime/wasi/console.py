"""What stands behind stdin, stdout and stderr of an instance: the entry's log, or descriptors of this process."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

from polycall.interop.errors import raise_if
from polycall.interop.guest_log import LINE_BYTES
from polycall.interop.logs import INFO, WARNING
from polycall.interop.records import record
from polycall.interop.values import describe
from polycall.wasm_runtime.wasi.io.ends import Closed, EmptySource, Failed, Sink, Source
from polycall.wasm_runtime.wasi.readiness import watch_descriptor
from polycall.wasm_runtime.wasi.session import Session

__all__ = ["Console", "console_sink", "console_source", "is_terminal", "write_out"]

_PIECE = 64 * 1024
_WITHOUT_BLOCKING = 4096
"""What a pipe that `select` calls writable takes at once in any case (PIPE_BUF of Linux; 512 is the least anywhere)."""

_NEAR_END = os.makedev(5, 2)
"""``/dev/ptmx`` of Linux: whoever has it open is the near end of a terminal."""

_LINES_BETWEEN_LOOKS = 256
"""A log may be slow, and one write may have thousands of lines."""

Output = Literal["stdout", "stderr"]
_LEVELS: Mapping[Output, int] = {"stdout": INFO, "stderr": WARNING}


@record
class Console:
    """The terminal, files or pipes of a command.

    Attributes:
        stdin: The descriptor to read from; None for an empty input.
        stdout: The descriptor to write to; None for the entry's log.
        stderr: The same.
        arguments: What ``get-arguments`` gives, the name of the command first.
        variables: What the guest sees beside those of ``wasi.env``, or in their place.
    """

    stdin: int | None
    stdout: int | None
    stderr: int | None
    arguments: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        """Refuses what is none, before anything runs.

        Raises:
            TypeError: A stream is no number, or an argument or a variable no string.
            ValueError: A stream is not open.
        """
        for name, descriptor in (("stdin", self.stdin), ("stdout", self.stdout), ("stderr", self.stderr)):
            if descriptor is None:
                continue
            if not isinstance(descriptor, int):
                raise TypeError(f"{name} is {describe(descriptor)}; it must be the number of a descriptor, or None")
            try:
                os.fstat(descriptor)
            except OSError:
                raise ValueError(f"{name} is {descriptor}, and no such descriptor is open") from None
        for text in (*self.arguments, *(text for pair in self.variables for text in pair)):
            if not isinstance(text, str):
                raise TypeError(f"a command takes strings, not {describe(text)}")


def console_source(session: Session) -> Source:
    """Returns what a guest reads from stdin; one for all its handles."""

    def make() -> Source:
        descriptor = None if session.console is None else session.console.stdin
        return EmptySource() if descriptor is None else _DescriptorSource(descriptor)

    return session.shared("stdin", make)


def console_sink(session: Session, name: Output) -> Sink:
    """Returns where stdout or stderr of a guest go; one for all its handles."""

    def make() -> Sink:
        descriptor = None if session.console is None else getattr(session.console, name)
        return _LogSink(session, _LEVELS[name]) if descriptor is None else _DescriptorSink(descriptor)

    return session.shared(name, make)


def is_terminal(session: Session, name: Literal["stdin", "stdout", "stderr"]) -> bool:
    """Says whether a terminal stands behind stdin, stdout or stderr of a guest."""
    descriptor = None if session.console is None else getattr(session.console, name)
    return descriptor is not None and os.isatty(descriptor)


def write_out(session: object) -> None:
    """Returns when what a command has written is where it goes.

    Args:
        session: The `Session` of its instance; anything else has written nothing.

    Raises:
        DeadlineError, CancelledError: The call is over.
    """
    if not isinstance(session, Session):
        return
    sinks = [each for each in session.ends() if isinstance(each, _DescriptorSink)]
    for each in sinks:
        with suppress(Closed, Failed):  # the guest was told, or has not asked
            while not each.permit():
                session.wait([each], "room for output")


class _LogSink(Sink):
    """The log of an entry, line by line."""

    def __init__(self, session: Session, level: int) -> None:
        self._session = session
        self._level = level
        self._line = bytearray()
        self._cut = 0

    def permit(self) -> int:
        return _PIECE

    def write(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        context = self._session.context
        for number, line in enumerate(lines, 1):
            self._add(line)
            self.end_line()
            if context is not None and not number % _LINES_BETWEEN_LOOKS:
                raise_if(context.interruption("it wrote to its log"))
        self._add(rest)

    def _add(self, data: bytes) -> None:
        room = LINE_BYTES - len(self._line)
        self._line += data[:room]
        self._cut += max(0, len(data) - room)

    def end_line(self) -> None:
        """Writes what there is of a line."""
        line, cut = bytes(self._line), self._cut
        self._line.clear()
        self._cut = 0
        session = self._session
        session.log.write(self._level, line.removesuffix(b"\r"), session.context, cut_off=cut)

    def end_call(self) -> None:
        """Writes a last line without an end."""
        if self._line:
            self.end_line()


def _own_description(descriptor: int, flags: int) -> int | None:
    """Returns a descriptor of the same file that does not block, and that nobody else has; None if there is none.

    ``O_NONBLOCK`` belongs to what all processes share that have the file from each other: set on ours, a shell's
    standard input would not block any more either. So the file is opened once more, where the system can; else the
    descriptor is used as it is, carefully.
    """
    with suppress(OSError):
        if os.fstat(descriptor).st_rdev == _NEAR_END:  # opened again, it would be that of a new terminal
            return None
        return os.open(f"/proc/self/fd/{descriptor}", flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    return None


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


class _Descriptor:
    """A descriptor of the process's, as something to wait for."""

    until: float | None = None

    def __init__(self, descriptor: int, event: Literal["read", "write"]) -> None:
        self._event: Literal["read", "write"] = event
        # A regular file is never opened again: that would begin at its start.
        self._waits = not _is_regular(descriptor)
        flags = os.O_RDONLY if event == "read" else os.O_WRONLY
        own = _own_description(descriptor, flags) if self._waits else None
        # Never a duplicate, which is one description under two numbers: see `IoThread.watch`.
        self.descriptor = descriptor if own is None else own
        self._is_own = own is not None
        self._may_block = self._waits and not self._is_own  # then it is looked at before it is used
        self.closed = False

    def ready(self) -> bool:
        if self.closed or not self._waits:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN if self._event == "read" else select.POLLOUT)
        return bool(poll.poll(0))

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        return watch_descriptor(self.descriptor, self._event, call)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if self._is_own:
                os.close(self.descriptor)


def _failed(error: OSError) -> Failed:
    from polycall.wasm_runtime.wasi.filesystem.errors import failed  # noqa: PLC0415  # it hardly ever fails

    return failed(error)  # so that ``filesystem-error-code`` has a code for it


class _DescriptorSource(_Descriptor, Source):
    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "read")

    def read(self, most: int) -> bytes:
        if self.closed:
            raise Closed  # its number may be another file's by now
        if self._may_block and not self.ready():
            return b""
        try:
            data = os.read(self.descriptor, most)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise _failed(error) from error
        if not data:
            raise Closed
        return data


class _DescriptorSink(_Descriptor, Sink):
    """Takes a piece whether the descriptor does or not, and the next one when that has gone.

    So a guest that has written as much as a pipe holds need not wait for somebody who reads.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "write")
        self._left = b""
        self._error: Closed | Failed | None = None

    def ready(self) -> bool:
        try:
            self._push()
        except (Closed, Failed) as error:
            self._error = error
        return not self._left

    def permit(self) -> int:
        self._push()
        return 0 if self._left else _PIECE

    def write(self, data: bytes) -> None:
        self._left += data
        self._push()

    def flush(self) -> None:
        self._push()

    def _push(self) -> None:
        """Writes what the descriptor takes; what is left is tried again whenever somebody asks."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        if self.closed:
            raise Closed
        while self._left and not (self._may_block and not super().ready()):
            try:
                count = os.write(self.descriptor, self._left[:_WITHOUT_BLOCKING] if self._may_block else self._left)
            except BlockingIOError:
                return
            except BrokenPipeError as error:
                self._left = b""
                raise Closed from error
            except OSError as error:
                self._left = b""
                raise _failed(error) from error
            self._left = self._left[count:]
