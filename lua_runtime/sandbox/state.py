"""One Lua state inside of WebAssembly, and the one gate between it and the host."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.core_engine import CoreProgram
from polycall.interop.errors import InternalError, PolycallError
from polycall.lua_runtime.failure import memory_error, raise_stopped
from polycall.lua_runtime.sandbox.clock import CLOCK_FUNCTIONS, clock_answer
from polycall.lua_runtime.sandbox.host_functions import HostFunctions, Numbering
from polycall.lua_runtime.sandbox.runs import (
    INTEGER,
    INTEGER_BYTES,
    MalformedRunError,
    encode,
    pack_integer,
    read_integer,
    read_run,
    read_text,
)
from polycall.lua_runtime.session import RefusedError, Session
from polycall.lua_runtime.values import readable

__all__ = ["SandboxState"]

_TAKE, _NO_MEMORY, _FAULT = range(3)
"""Numbers of ``c/host.h``."""

_SIZE = (1 << 32) - 1
_MOST_SHOWN = 300
_ENTER = _SIZE
"""What is called without a reference: the entry's function."""

_asked, _beginning, _answer = struct.Struct("<III"), struct.Struct("<Iqqq"), struct.Struct("<q")
_INBOX_AT = _asked.size + _beginning.size + _answer.size
"""What is shared with the module, in this order, as in ``c/host.h``; the inbox comes behind."""

_PIECE, _SMALL, _JOINED = 1 << 20, 1 << 12, 1 << 10
_STOP = b"stop"


class SandboxState:
    """A state that has begun a call, which `end` ends; from then on `begin` and `end` are around each call.

    What its memory holds may be a guest's doing at any time after the first guest's code has run: numbers that come out
    are looked at here, and texts and values in `read_run`. What it does not say of itself is as in
    `polycall.interop.core_engine.CoreGuest`.
    """

    def __init__(
        self,
        program: CoreProgram,
        session: Session,
        context: CallContext,
        numbering: Numbering,
        *,
        inbox: tuple[int, int] = (0, 0),
        memory_bytes: int | None = None,
    ) -> None:
        """Starts it.

        Args:
            program: What starts.
            session: What its host functions share.
            context: Of the call that begins.
            numbering: Its host functions.
            inbox: Where runs go in, and how long they may be: facts of the module, found out by `boot`.
            memory_bytes: What its memory may grow to.
        """
        self._session = session
        self._functions = HostFunctions(numbering, session)
        self.inbox, self.inbox_bytes = inbox
        self._most_bytes = program.most_bytes
        self._guest = program.start(self._serve, context, memory_bytes=memory_bytes)
        self._memory = self._guest.memory
        self.function, self.content = self._guest.function, self._guest.content
        self.begin, self.end, self.close = self._guest.begin, self._guest.end, self._guest.close
        self._call = self.function("call")

    def boot(self, seed: int) -> None:
        """Makes the state, where it is not in the image that the program starts from."""
        packed = self.function("inbox")()
        self.inbox, self.inbox_bytes = packed >> 32 & _SIZE, packed & _SIZE
        self.function("boot")(seed)

    def seed(self, seeds: tuple[int, int], most_bytes: int | None) -> None:
        """Says, before the first call, how `math.random` begins, and how much more the state may hold than now."""
        at = self.inbox - _answer.size - _beginning.size
        _beginning.pack_into(self._memory.view, at, 1, *seeds, most_bytes or 0)

    def invoke(self, function: int, *given: Any) -> Any:
        """Calls a function of the host's own Lua code, 0 for a chunk of it with text and name; as lupa would."""
        return self._answer(self._call(function, *self._write(encode(given))))

    def enter(self, run: Sequence[Any]) -> Any:
        """Calls the entry's function with a run of arguments; gives its value, or words of ``lua/guard/calls.lua``."""
        memory, inbox = self._memory, self.inbox
        if len(run) == 1 and type(run[0]) is int:
            pack_integer(memory.view, inbox, INTEGER, run[0])
            packed = self._call(_ENTER, inbox, INTEGER_BYTES)
        else:
            packed = self._call(_ENTER, *self._write(encode(run)))
        at, size = packed >> 32 & _SIZE, packed & _SIZE
        if size == INTEGER_BYTES and at <= memory.size - INTEGER_BYTES and memory.view[at] == INTEGER:
            return read_integer(memory.view, at + 1)[0]
        text = read_text(memory, at, size)
        return self._answer(packed) if text is None else text

    def _write(self, pieces: Sequence[bytes]) -> tuple[int, int]:
        size = sum(map(len, pieces))
        if size <= self.inbox_bytes:
            self._memory.view[self.inbox : self.inbox + size] = b"".join(pieces)
            return self.inbox, size
        address = self.function("reserve")(size) & _SIZE
        if not address:
            raise self._no_memory()
        self._copy(pieces, address, size)
        return address, size

    def _no_memory(self) -> PolycallError:
        error, limit, most = memory_error(self._session), self._session.memory_limit, self._most_bytes
        if most is not None and (limit is None or limit > most // 2):
            error.hint = f"ulimit -v bounds the addresses here: a guest's memory can hold {most} bytes at most"
        return error

    def _copy(self, pieces: Iterable[bytes], address: int, size: int) -> None:
        """Copies pieces one behind the other, so much at a time."""
        view = self._memory.fence(address, size, "a parcel")
        for part in _parts(pieces):
            self._session.check()
            view[address : address + len(part)] = part
            address += len(part)

    def _answer(self, packed: int) -> Any:
        values = read_run(self._memory, self._session, packed >> 32 & _SIZE, packed & _SIZE)
        return values[0] if len(values) == 1 else tuple(values)

    # What the module calls -----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Answers a call: what is asked, and what is answered, lies right below the inbox."""
        memory, at = self._memory, self.inbox - _INBOX_AT
        function, address, size = _asked.unpack_from(memory.view, at)
        _answer.pack_into(memory.view, self.inbox - _answer.size, self._answered(function, address, size))

    def _answered(self, function: int, address: int, size: int) -> int:
        host_function = self._functions[function]
        if host_function is None:
            return self._serve_module(function, address, size)
        session = self._session
        try:
            given = read_run(self._memory, session, address, size, host_function)
        except MalformedRunError:
            raise
        except RefusedError as refusal:
            answer = session.refuse(refusal.message, refusal.kind)
        except PolycallError as error:  # a resource that is gone, or the call is over
            answer = session.failed(error)
        else:
            answer = host_function(*given)
        if type(answer) is not tuple:
            answer = (answer,)
        elif answer[1:2] == (_STOP,):
            raise_stopped(session)
        if type(answer[0]) is int and len(answer) == 1:
            pack_integer(self._memory.view, self.inbox, INTEGER, answer[0])
            return INTEGER_BYTES
        pieces = encode(answer)
        size = sum(map(len, pieces))
        if size <= self.inbox_bytes:
            self._memory.view[self.inbox : self.inbox + size] = b"".join(pieces)
            return size
        limit = session.memory_limit
        if limit is not None and size > limit:
            raise memory_error(session)
        session.waiting, session.untidy = (pieces, size), True
        return -size

    def _serve_module(self, function: int, address: int, size: int) -> int:
        """Answers what the module itself asks, or a guest in its name."""
        waiting = self._session.waiting
        if function == _TAKE and waiting is not None and size == waiting[1]:
            self._session.waiting = None
            self._copy(waiting[0], address, size)
            return size
        if function == _NO_MEMORY:
            raise self._no_memory()
        view = self._memory.fence(address, size, "what the module gave")
        if function in CLOCK_FUNCTIONS:
            return clock_answer(function, view[address : address + size])
        if function == _FAULT:
            text = readable(bytes(view[address : address + min(size, _MOST_SHOWN)]))
            raise InternalError(f"Lua failed in the sandbox: {text}")
        raise MalformedRunError(f"there is no host function {function}")


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """Yields pieces in parts that are copied at once: small ones are joined, large ones cut."""
    small: list[bytes] = []
    for piece in pieces:
        if len(piece) < _SMALL and len(small) < _JOINED:
            small.append(piece)
        else:
            yield b"".join(small)
            small.clear()
            for at in range(0, len(piece), _PIECE):
                yield memoryview(piece)[at : at + _PIECE]
    yield b"".join(small)
