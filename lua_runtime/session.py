"""The host's side of one Lua state: what its host functions know and how they answer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from io import FileIO
from typing import Any

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import (
    CancelledError,
    ConversionError,
    DeadlineError,
    PolycallError,
    PoolClosedError,
    raise_if,
)
from polycall.interop.guest_log import GuestLog
from polycall.interop.kept_errors import KeptErrors
from polycall.interop.protocols import Invoker, YamlText
from polycall.interop.resources import ResourceHandle
from polycall.interop.services import Services
from polycall.interop.values import Value
from polycall.lua_runtime.engine import MemoryCap
from polycall.lua_runtime.resources import Resources
from polycall.lua_runtime.values import (
    AS_THEY_ARE,
    AT_ONCE,
    LARGEST,
    LIST,
    MOST_TEXT_BYTES,
    SMALLEST,
    Mark,
    Marks,
    lift_all,
    lower,
    lower_scalars,
)

__all__ = ["MOST_AT_ONCE_BYTES", "MOST_NAME_BYTES", "MOST_TEXT_BYTES", "PIECE", "RefusedError", "Session"]

PIECE = 1 << 20
"""Bytes that hashing and the like work through without asking whether the call is still wanted: about a millisecond."""

MOST_NAME_BYTES = 4 << 10
"""What a name, a path or a word may have that a guest gives a host function."""

_MOST_DETAIL_BYTES = 1 << 20
"""What the details of an error may come to that a guest is told of."""

MOST_AT_ONCE_BYTES = 16 << 20
"""What a text may have that a host function works through in one step of at most some 50 ms."""


class RefusedError(Exception):
    """What a host function raises to give ``nil, err``."""

    def __init__(self, message: str, kind: str = "Invalid") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


class Session:
    """What the host functions of one state share.

    A host function never raises: it returns one scalar, or None, a word and what the word says (see ``receive`` in
    ``lua/values/values.lua``). `answer`, `refuse` and `failed` make such returns.

    Attributes:
        entry_id: The entry whose state this is.
        invoker: The way to other entries.
        yaml: Reads and writes YAML.
        services: The way to environment, folders and entries, or None.
        log: Where what the guest prints and logs goes.
        resources: What the running call has got of components.
        files: What the running call has open, by handle.
        context: The frame of the running call; None outside calls, also while the chunk starts.
        closing: Goes on when guests may wait for nothing any more; None if nothing says so.
        starting: The frame that bounds start-up code; nested calls are not possible from it.
        failure: What must be raised when the guest has been unwound, if its own interruption does not say it.
        stopped: Whether the guest was told to end.
        untidy: Whether the running call has files open, has written to the log, was told of an error or gave a long
            answer: whatever does one of these sets it, so that the end of any other call pays for one look.
        waiting: An answer for which the sandbox is still making room, in pieces, and how long it is.
        unread: Whether a long answer of the guest's was not read to its end: what is left of it is in the state.
        marks: Of this state; None once it is closed.
        cap: What keeps lupa to the memory limit, or None.
        memory_limit: Bytes that the guest may hold, or None.
        at_once: How many scalars may cross together, or None for any number.
    """

    def __init__(
        self, entry_id: str, invoker: Invoker, yaml: YamlText, services: Services | None, output_bytes: int
    ) -> None:
        self.entry_id = entry_id
        self.invoker = invoker
        self.yaml = yaml
        self.services = services
        self.log = GuestLog(entry_id, output_bytes)
        self.files: dict[int, FileIO] = {}
        self.context: CallContext | None = None
        self.starting: CallContext | None = None
        self.closing: Cancellation | None = None
        self.failure: BaseException | None = None
        self.stopped = False
        self.untidy = False
        self.resources = Resources()
        self.marks: Marks | None = None
        self.cap: MemoryCap | None = None
        self.memory_limit: int | None = None
        self.at_once: int | None = AT_ONCE
        self.unread = False
        self._kept = KeptErrors()
        self._collected: list[Any] = []
        self._leaving: Iterator[Any] = iter(())
        self.waiting: tuple[list[bytes], int] | None = None

    def end_call(self) -> None:
        """Forgets what belonged to the call that ended."""
        context, self.context = self.context, None
        if self.untidy:
            self.tidy_up(context)

    def tidy_up(self, context: CallContext | None) -> None:
        """Does the rest of what `end_call` does, for a call that was `untidy`."""
        self.untidy = False
        self._kept.clear()
        self.resources.clear()
        self._collected.clear()
        self._leaving = iter(())
        self.waiting = None
        while self.files:
            _, file = self.files.popitem()
            with suppress(OSError):
                file.close()
        self.log.end(context)  # last: a handler of the user's may raise

    # What Lua calls ------------------------------------------------------------------------------------------------

    def expired(self) -> bool:
        """Says whether the running guest must stop; asked by the count hook."""
        try:
            context = self.context or self.starting
            if context is None:
                return False
            late = context.deadline is not None and time.monotonic() >= context.deadline
            self.stopped = late or (context.cancellation is not None and context.cancellation.cancelled)
            return self.stopped
        except BaseException as error:  # noqa: BLE001  # KeyboardInterrupt, most likely: kept and raised after unwinding
            self.failure, self.stopped = error, True
            return True

    def collect(self, *piece: object) -> None:
        """Takes a piece of a long run, for the call that follows; no piece begins a new one."""
        if not piece:
            self.untidy = True
            self._collected.clear()
        self._collected += piece

    def more(self) -> tuple[Any, ...]:
        """Gives the next piece of a long answer; an empty one at the end."""
        piece = tuple(itertools.islice(self._leaving, AT_ONCE))
        self.lift_cap()
        return piece

    # For host functions --------------------------------------------------------------------------------------------

    def safe(self, function: Callable[..., Any], most: int = MOST_TEXT_BYTES) -> Callable[..., Any]:
        """Returns a host function that answers with `refuse` or `failed` where `function` raises.

        What a guest gives is bounded here, for every host function. The sandbox asks `admission` before it copies a
        text; lupa has copied it by then, which is all that a text of any length costs, so each such copy is a look at
        the clock.

        Args:
            function: Takes scalars; texts as bytes.
            most: Bytes that a text may have.
        """

        def host_function(*arguments: Any) -> Any:
            try:
                for argument in arguments:
                    if type(argument) is bytes and len(argument) > MOST_NAME_BYTES:
                        self.admit(len(argument), most)
                return function(*arguments)
            except RefusedError as refusal:
                return self.refuse(refusal.message, refusal.kind)
            except BaseException as error:  # noqa: BLE001  # nothing may be raised into Lua
                return self.failed(error)

        host_function.most_bytes = most  # type: ignore[attr-defined]  # a table of them would be a ring of references
        return host_function

    def admission(self, host_function: Callable[..., Any]) -> Callable[[int], None]:
        """Returns what is asked for each long text that a host function is about to be given; see `admit`."""
        return partial(self.admit, most=getattr(host_function, "most_bytes", MOST_TEXT_BYTES))

    def admit(self, length: int, most: int) -> None:
        """Looks at the clock for a long text, and refuses one that is too long.

        Raises:
            RefusedError: It is.
            LimitError: The deadline passed, or the call was cancelled.
        """
        if length > PIECE:
            self.check()
        if length > most:
            raise RefusedError(f"expected at most {most} bytes, got a text of {length}")

    def take_failure(self) -> BaseException | None:
        """Returns what must be raised, and forgets it: an error that is kept keeps what its traceback refers to."""
        failure, self.failure = self.failure, None
        return failure

    @property
    def interruptible(self) -> bool:
        """Whether `check` may ever raise."""
        context = self.context or self.starting
        return context is not None and context.guarded

    def check(self) -> None:
        """Raises if the guest must stop; for host functions that work in pieces, between them.

        Raises:
            LimitError: The deadline passed, or the call was cancelled.
        """
        raise_if(self._interruption())

    def pieces(self, data: bytes, size: int = PIECE) -> Iterator[memoryview]:
        """Yields data in pieces, with a `check` before each: C code runs at most one of them without asking."""
        view = memoryview(data)
        for start in range(0, len(data), size):
            self.check()
            yield view[start : start + size]

    def token(self, handle: ResourceHandle) -> int:
        """Returns the number of a resource that is about to enter Lua."""
        self.untidy = True
        return self.resources.token(handle)

    def received(self, run: Sequence[Any]) -> Sequence[Value]:
        """Returns the values that a host function was called with."""
        for item in run:
            if type(item) is bytes or type(item) is Mark:
                break
        else:
            return run  # numbers and the like are what they are
        if len(run) == 2 and run[0] is LIST and run[1] == -1:
            run, self._collected = self._collected, []
        return lift_all(run, self.check, self.resources.handle)

    def answer(self, value: Value) -> Any:
        """Returns what a host function returns to give a value.

        Raises:
            ConversionError: Lua cannot hold the value, or it comes to more than `CROSSING_BYTES`.
            LimitError: The deadline passed, or the call was cancelled.
        """
        kind = type(value)
        if kind in AS_THEY_ARE or (kind is int and SMALLEST <= value <= LARGEST):  # type: ignore[operator]  # narrowed
            if self.cap is not None:
                self.cap.lift()
            return value
        scalars = lower_scalars((value,))
        if scalars is not None:
            if self.cap is not None:
                self.cap.lift()
            return scalars[0]
        run = lower(value, "$.result", self.marks, self.check)
        self.lift_cap()
        if self.at_once is not None and len(run) > self.at_once:
            self.untidy = True
            self._leaving = itertools.islice(run, AT_ONCE, None)
            return (None, b"long", *run[:AT_ONCE])
        return (None, b"value", *run)

    def refuse(self, message: str, kind: str) -> tuple[Any, ...]:
        """Returns what a host function returns to give ``nil, err``."""
        self.lift_cap()
        return (None, b"error", _bytes(message), _bytes(kind), None, None, None)

    def failed(self, error: BaseException) -> tuple[Any, ...]:
        """Returns what a host function returns when it met an exception.

        An error of a call becomes an error object, unless the time of the guest is up as well, or the registry is
        closed. Anything else ends the guest and is raised again outside of it.
        """
        if not isinstance(error, PolycallError):
            return self._stop(error)
        interruption = self._interruption()
        if interruption is None:
            if isinstance(error, PoolClosedError) and self.closing is not None and self.closing.cancelled:
                return self._stop(error)  # or a guest that sleeps again and again would go on without end
            return self._told(error)
        if self.context is None:  # start-up code has no call whose error this could be
            return self._stop(None)
        return self._stop(error if isinstance(error, (DeadlineError, CancelledError)) else interruption)

    def _interruption(self) -> CancelledError | DeadlineError | None:
        context = self.context or self.starting
        return context.interruption() if context and context.guarded else None

    def original(self, token: int | None) -> PolycallError | None:
        """Returns the error that an error object stands for; None for one of an earlier call, or long ago."""
        return None if token is None else self._kept.get(token)

    def lift_cap(self) -> None:
        """Makes room for what the host is about to push; Lua's side applies the limit again."""
        if self.cap is not None:
            self.cap.lift()

    def _stop(self, failure: BaseException | None) -> tuple[Any, ...]:
        self.failure, self.stopped = failure, True
        self.lift_cap()
        return (None, b"stop")

    def _told(self, error: PolycallError) -> tuple[Any, ...]:
        token = self._kept.keep(error)
        self.untidy = True
        text = error.text(skip_frames=self.context.depth if self.context else 0)
        trace = error.guest_traceback and _bytes(error.guest_traceback)
        self.lift_cap()
        return (None, b"error", _bytes(text), _bytes(error.kind), error.retryable, token, trace, *self._details(error))

    def _details(self, error: PolycallError) -> list[Any]:
        """Returns details as a run; none where Lua cannot hold them or they are huge: the error itself matters more."""
        try:
            run = (
                [] if error.details is None else lower(error.details, "$.details", self.marks, most=_MOST_DETAIL_BYTES)
            )
        except ConversionError:
            return []
        return run if len(run) <= AT_ONCE else []


def _bytes(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
