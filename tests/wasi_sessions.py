"""Sessions of instances that are not there, and ends of streams that do what a test says."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.limits import LimitsSpec
from polycall.interop.source import SourceText
from polycall.wasm_runtime.spec import WasiLimitsSpec, WasiSpec, WasmProgram
from polycall.wasm_runtime.wasi.console import Console
from polycall.wasm_runtime.wasi.io.ends import Closed, Failed, Sink, Source
from polycall.wasm_runtime.wasi.io.error import IoError
from polycall.wasm_runtime.wasi.session import Session

__all__ = ["HUGE", "STORE", "Basin", "Spring", "Watched", "closed", "failed", "new_session", "store_of"]

STORE: Any = None
"""For methods that do not look at the store."""

HUGE = 2**64 - 1


def new_session(
    *,
    seconds: float | None = None,
    cancellation: Cancellation | None = None,
    console: Console | None = None,
    services: Any = None,
    closing: Cancellation | None = None,
    output_bytes: int | None = None,
    **wasi: Any,
) -> Session:
    """Returns a session in the middle of a call.

    Args:
        seconds: What the call may take, or None.
        cancellation: What stops it.
        console: Of a command.
        services: Where variables come from.
        closing: Says that the runtime is closed.
        output_bytes: What the call may write to its log.
        **wasi: Fields of `WasiSpec`; those of `WasiLimitsSpec` as well.
    """
    limits = {name: wasi.pop(name) for name in list(wasi) if name.startswith("max_")}
    spec = WasiSpec(limits=WasiLimitsSpec(**limits), **wasi)
    bounds = LimitsSpec() if output_bytes is None else LimitsSpec(max_output_bytes=output_bytes)
    program = WasmProgram("app:guest", SourceText("", "guest.wat"), "run", wasi=spec, limits=bounds)
    session = Session(program, services, console, closing)
    deadline = None if seconds is None else time.monotonic() + seconds
    session.begin(CallContext("app:guest", "wasm", None, deadline, cancellation))
    return session


def store_of(session: Session) -> Any:
    """Returns what hosts take for the store of the instance."""
    return SimpleNamespace(session=session)


class Watched:
    """What tells whoever watches an end."""

    def __init__(self) -> None:
        self.watchers: list[Callable[[], None]] = []
        self.closes = 0

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(call)
        return lambda: self.watchers.remove(call)

    def tell(self) -> None:
        for call in list(self.watchers):
            call()

    def close(self) -> None:
        self.closes += 1


class Spring(Watched, Source):
    """Gives the pieces that it is given; then what `end` says, or nothing."""

    def __init__(self, *pieces: bytes, end: Exception | None = None) -> None:
        super().__init__()
        self.pieces = list(pieces)
        self.end = end
        self.asked: list[int] = []

    def ready(self) -> bool:
        return bool(self.pieces) or self.end is not None

    def read(self, most: int) -> bytes:
        self.asked.append(most)
        if self.pieces:
            piece = self.pieces.pop(0)
            if piece[most:]:
                self.pieces.insert(0, piece[most:])
            return piece[:most]
        if self.end is not None:
            raise self.end
        return b""


class Basin(Watched, Sink):
    """Takes so many bytes, and more when `drain` is called; or says what `end` says."""

    def __init__(self, room: int, end: Exception | None = None) -> None:
        super().__init__()
        self.room = room
        self.end = end
        self.taken = b""
        self.flushes = 0

    def ready(self) -> bool:
        return self.room > 0 or self.end is not None

    def permit(self) -> int:
        if self.end is not None:
            raise self.end
        return self.room

    def write(self, data: bytes) -> None:
        assert len(data) <= self.room, "an end was given more than it permits"
        self.permit()
        self.room -= len(data)
        self.taken += data

    def flush(self) -> None:
        self.permit()
        self.flushes += 1

    def drain(self, room: int) -> None:
        self.room += room
        self.tell()


def failed(text: str = "it broke") -> Failed:
    """Returns a failure of an end."""
    return Failed(IoError(text))


def closed() -> Closed:
    """Returns the end of an end."""
    return Closed()
