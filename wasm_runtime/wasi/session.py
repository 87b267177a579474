"""What the WASI hosts know of one instance, and what they keep for it: all of it counted, and closed in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import InternalError, LimitError, raise_if
from polycall.interop.guest_log import GuestLog
from polycall.interop.host_traffic import HostTraffic
from polycall.interop.logs import logger
from polycall.interop.observer import WaitObserver
from polycall.interop.services import Services
from polycall.interop.waiting import Wakeup
from polycall.wasm_runtime.component.host import HostResource
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.network_gate import NetworkGate
from polycall.wasm_runtime.wasi.readiness import Readiness

if TYPE_CHECKING:
    from polycall.wasm_runtime.spec import WasiSpec, WasmProgram
    from polycall.wasm_runtime.wasi.console import Console
    from polycall.wasm_runtime.wasi.io.ends import Sink, Source

__all__ = ["Bound", "Kept", "Session", "TooManyError", "session_of"]

E = TypeVar("E")

_LOG = "polycall.wasi"

Bound = Literal["max_open_files", "max_open_sockets", "max_http_requests", "max_pollables"]
"""The keys of ``wasi.limits`` that count what is open at a time."""


class TooManyError(LimitError):
    """A guest has as many things of a kind open as its entry allows."""


class Session:
    """What the WASI hosts know and keep of one instance. Used by one call at a time.

    Attributes:
        settings: The entry's ``wasi`` block.
        console: What stands behind stdin, stdout and stderr of a command; None for a function, which writes to its log.
        services: Where variables and folders come from.
        context: The frame of the running call, or of the guest's start code; None between calls.
        bytes_in: What the guest has read, until `take_traffic` is asked.
        bytes_out: What it has written.
        refusals: What it was refused by a rule.
    """

    def __init__(
        self,
        program: WasmProgram,
        services: Services | None,
        console: Console | None = None,
        closing: Cancellation | None = None,
    ) -> None:
        """Begins to keep what an instance opens.

        Args:
            program: The entry.
            services: Where variables and folders come from.
            console: What stands behind stdin, stdout and stderr of a command.
            closing: Goes on when nobody may wait any more, for the runtime is closed.
        """
        self._closing = closing or Cancellation()
        self.settings: WasiSpec = program.wasi
        self.console = console
        self.services = services
        self.context: CallContext | None = None
        self.entry_id = program.entry_id
        self._log: GuestLog | None = None
        self._log_bytes = program.limits.output_bytes
        self.bytes_in = 0
        self.bytes_out = 0
        self.refusals = 0
        self._counts: dict[Bound, int] = {}
        self._kept: dict[Kept, None] = {}
        self._lasting: dict[Kept, None] = {}
        self._ends: dict[str, Any] = {}
        self._network: NetworkGate | None = None
        self._remarks: dict[str, None] = {}  # no set: the garbage collector does not see an empty dict

    def begin(self, context: CallContext) -> None:
        """Begins a call, or the guest's start code."""
        self.context = context

    def end(self) -> None:
        """Closes whatever the call has opened, however it ended; raises nothing of its own."""
        ended = []
        while self._kept:
            kept, _ = self._kept.popitem()
            self._let_go(kept, "it was closed when the call that opened it ended")
            ended.append(kept)
        for each in (*self._lasting, *self._ends.values()):
            self._quietly(each.end_call)
        for kept in ended:
            kept.forget()
        if self._network is not None:
            self._network.forget()
        self._remarks.clear()
        context, self.context = self.context, None
        if self._log is not None and self._log.used:
            self._log.end(context)

    def close(self) -> None:
        """Closes everything; harmless when repeated."""
        self.end()
        while self._lasting:
            kept, _ = self._lasting.popitem()
            self._let_go(kept, "its instance has ended")
        while self._ends:
            _, end = self._ends.popitem()
            self._quietly(end.close)

    def running(self) -> CallContext:
        """Returns the frame of the running call, or of the guest's start code."""
        if self.context is None:
            raise InternalError("a guest called its host outside of any call")
        return self.context

    @property
    def log(self) -> GuestLog:
        """The entry's."""
        if self._log is None:
            self._log = GuestLog(self.entry_id, self._log_bytes)
        return self._log

    @property
    def network(self) -> NetworkGate:
        """What it may call, listen at and look up."""
        if self._network is None:
            self._network = NetworkGate(self.settings.network.rules(), self.refuse)
        return self._network

    def refuse(self, text: str) -> None:
        """Counts a refusal and tells the person of it, in the entry's log: of the same one once in a call."""
        self.refusals += 1
        if text in self._remarks or len(self._remarks) > _MOST_REMARKS:
            return
        self._remarks[text] = None
        if len(self._remarks) > _MOST_REMARKS:
            text = f"this call has been told {_MOST_REMARKS} times what was refused: the rest is left out"
        self.log.remark(text, self.context)

    def take_traffic(self) -> HostTraffic:
        """Returns what went between guest and host since this was last asked."""
        traffic = HostTraffic(bytes_in=self.bytes_in, bytes_out=self.bytes_out, refusals=self.refusals)
        self.bytes_in = self.bytes_out = self.refusals = 0
        return traffic

    # --- what it keeps ---

    def keep(self, kept: Kept) -> None:
        """Counts and keeps something that the guest holds open.

        Raises:
            TooManyError: The guest has too many of its kind.
        """
        bound = kept.bound
        if bound is not None:
            most: int = getattr(self.settings.limits, bound)
            held = self._counts.get(bound, 0)
            if held >= most:
                what = bound.removeprefix("max_").replace("_", " ").replace("http", "HTTP")
                raise TooManyError(
                    f"the guest has {most} {what} and may have no more",
                    hint=f"it must close some, or raise {_KEY}{bound}",
                )
            self._counts[bound] = held + 1
        (self._lasting if kept.lasting else self._kept)[kept] = None

    def drop(self, kept: Kept) -> None:
        """Closes something that the guest has let go of; harmless when repeated."""
        known = self._lasting if kept.lasting else self._kept
        if kept in known:
            del known[kept]
            self._let_go(kept, "it was dropped")

    def _let_go(self, kept: Kept, why: str) -> None:
        if kept.bound is not None:
            self._counts[kept.bound] -= 1
        kept.gone = why
        self._quietly(kept.close)

    def _quietly(self, close: Callable[[], None]) -> None:
        """Closes one thing; that it fails is a fault of polycall's, which must not keep the others open."""
        try:
            close()
        except Exception:  # noqa: BLE001  # whatever it is
            logger(_LOG).exception("something that %s had open could not be closed", self.entry_id)

    def shared(self, name: str, make: Callable[[], E]) -> E:
        """Returns the end of the streams of a name, made once: what a guest does with one of its handles, others see.

        Args:
            name: ``stdin``, ``stdout`` or ``stderr``.
            make: Makes it.
        """
        if name not in self._ends:
            self._ends[name] = make()
        found: E = self._ends[name]
        return found

    def ends(self) -> list[Source | Sink]:
        """Returns the ends that were made."""
        return list(self._ends.values())

    # --- waiting ---

    def wait(self, subjects: Collection[Readiness], what: str) -> None:
        """Blocks until one of several things is ready: the one place where guests wait.

        Args:
            subjects: What is waited for.
            what: What it is, as the error of a call that is over by then should put it: ``a connection``.

        Raises:
            DeadlineError, CancelledError: The call is over.
            PoolClosedError: The registry is closed.
        """
        context = self.running()
        if any(map(_is_ready, subjects)):
            return
        if (
            context.observer is None
        ):  # as `told` finds out, which would keep two objects more for each guest that sleeps
            self._wait(subjects, what, context)
        else:
            self.told(what, self._wait, subjects, what, context)

    def told(self, what: str, work: Callable[..., E], *arguments: Any) -> E:
        """Does what may take a while, and tells those who watch the call how long it took."""
        context = self.context
        observer = None if context is None else context.observer
        # None before anything else: to look whether something is of a protocol takes as long as all the rest.
        if context is None or observer is None or not isinstance(observer, WaitObserver):
            return work(*arguments)
        started = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            observer.waited(context, what, time.perf_counter() - started)

    def _wait(self, subjects: Collection[Readiness], what: str, context: CallContext) -> None:
        while True:
            wakeup = Wakeup()
            stops = []
            try:
                for each in subjects:
                    stops.append(each.watch(wakeup.notify))  # if one fails, the others are called off
                if any(map(_is_ready, subjects)):  # what became so before it was watched
                    return
                until = min(filter(None, map(_until, subjects)), default=None)
                wakeup.wait(context, what, until, self._closing)
            finally:
                for stop in stops:
                    stop()
            if any(map(_is_ready, subjects)):
                return
            # Somebody may wake it for nothing again and again, always before it looks at the clock by itself.
            raise_if(context.interruption(f"it waited for {what}"))


_is_ready: Callable[[Readiness], bool] = methodcaller("ready")
_until: Callable[[Readiness], float | None] = attrgetter("until")
_KEY = "wasi.limits."
_MOST_REMARKS = 16


class Kept(HostResource):
    """Something of the host that a guest holds open: closed when it is dropped, or when the call ends.

    Attributes:
        bound: The bound that it counts against, or None.
        lasting: Whether it lives on from one call to the next: only what the guest is given once, such as stdout.
    """

    bound: ClassVar[Bound | None] = None

    def __init__(self, session: Session, *, lasting: bool = False) -> None:
        self.session = session
        self.lasting = lasting
        session.keep(self)

    def drop(self) -> None:
        """Is told that the guest has dropped it; harmless when repeated."""
        self.session.drop(self)

    def close(self) -> None:
        """Gives back what it has of the host. Called once; must neither block nor raise."""

    def forget(self) -> None:
        """Refers to nothing any more but what tells that it is gone. Called when its call has ended.

        The guest may keep the handle for as long as its instance lives, one more in each call: what it was for would
        live as long, and be counted no more.
        """
        self.__dict__ = {"session": self.session, "lasting": self.lasting, "gone": self.gone}

    def end_call(self) -> None:
        """Is told that a call has ended, if it is lasting. Must neither block nor raise."""


def session_of(store: GuestStore) -> Session:
    """Returns the session of the instance that calls."""
    session = store.session
    if not isinstance(session, Session):
        raise InternalError("an instance without a session called WASI")
    return session
