"""The worker process: ``python -m polycall.registry.isolation.worker``, started by `isolation.process` alone.

It prepares one program and runs its calls one after the other. Calls to other entries go back to the parent.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polycall.interop.context import CallContext
from polycall.interop.errors import InternalError, PolycallError, PreparationError
from polycall.interop.guest_log import guest_logger
from polycall.interop.host_traffic import HostTraffic
from polycall.interop.observer import Finish, ObservedCall
from polycall.interop.payload import PayloadForm
from polycall.interop.protocols import Function, Instance
from polycall.interop.stack import StackRoom
from polycall.interop.values import Value
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation.error_data import ToldErrors, decode_error, error_message
from polycall.registry.isolation.messages import END_WAITS, Reader, pack
from polycall.registry.isolation.program_data import decode_program
from polycall.registry.isolation.services import AskedServices
from polycall.registry.services.guest_yaml import GuestYaml
from polycall.wasm_runtime.spec import WasmProgram

if TYPE_CHECKING:
    from polycall.lua_runtime.sandbox.snapshot import Sandbox

__all__ = ["Parent", "main"]

_PIECE_BYTES = 256 * 1024


class Parent:
    """The way to the parent, and the `Invoker` of the guest here."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = Reader()
        self._told = ToldErrors()

    def receive(self) -> list[Any]:
        """Returns the next message; the process ends when the parent hangs up."""
        while (message := self._reader.read()) is None:
            data = self._socket.recv(_PIECE_BYTES)
            if not data:
                os._exit(0)
            self._reader.feed(data)
        return message

    def send(self, data: bytes) -> None:
        """Sends a message."""
        self._socket.sendall(data)

    def begin_call(self) -> None:
        """Forgets the errors of the call before."""
        self._told = ToldErrors()

    def call(self, target: str, arguments: Sequence[Value], _caller: CallContext) -> Value:
        """Has the parent call an entry; see `polycall.interop.protocols.Invoker`."""
        return self._call(pack("call", list(arguments), "$.args", target))

    def call_linked(self, target: str, arguments: Sequence[Value], _caller: CallContext) -> Value:
        """Has the parent call the entry that serves an import; see `polycall.interop.protocols.Invoker`."""
        return self._call(pack("call_linked", list(arguments), "$.args", target))

    def call_payload(self, target: str, payload: str | bytes, _caller: CallContext) -> Value:
        """Has the parent call an entry with a payload; see `polycall.interop.protocols.Invoker`."""
        return self._call(pack("call_payload", payload, "$.args[0]", target))

    def _call(self, data: bytes) -> Value:
        try:
            return self.ask(data)
        except PolycallError as error:
            self._told.add(error, len(data) + self._reader.last_bytes)
            raise

    def ask(self, data: bytes) -> Value:
        """Sends a message and returns the parent's answer.

        Raises:
            PolycallError: The answer is an error.
        """
        self.send(data)
        word, answer, *returned = self.receive()
        if word != "result":
            raise decode_error(answer, returned=bool(returned))
        value: Value = answer
        return value

    def encode(self, error: PolycallError) -> bytes:
        """Returns the message that tells of an error."""
        return error_message(error, self._told)


class _Waits:
    """Tells the parent what the guest has waited for; see `polycall.interop.observer.WaitObserver`."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent

    def start(self, _context: ObservedCall, _arguments: Sequence[Value]) -> Finish:
        """Does nothing: the parent knows of the call."""
        return lambda _ended: None

    def waited(self, _context: ObservedCall, what: str, seconds: float) -> None:
        """Sends it."""
        self._parent.send(pack("waited", what, "$", seconds))


class _LogHandler(logging.Handler):
    """Sends what the guest prints and logs to the parent, whose loggers decide what becomes of it."""

    def __init__(self, parent: Parent) -> None:
        super().__init__()
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        about = record.__dict__  # with what `polycall.interop.guest_log` put there
        self._parent.send(pack("log", record.levelno, "$", record.getMessage(), about["logger_name"], about["fields"]))


def main() -> None:
    """Serves the parent at the other end of stdin until it hangs up."""
    # Here, for handlers belong to the main thread, and with little stack the guest runs in another one.
    ends: list[Callable[[], None]] = []
    signal.signal(END_WAITS, lambda *_: _end_waits(ends))
    connection = _take_stdin()
    threading.Thread(target=_end_with_parent, args=(connection.fileno(),), daemon=True).start()
    parent = Parent(connection)
    _, program_data, cache_directory, stack_bytes, cache_bytes = parent.receive()
    program = decode_program(program_data)
    # A worker nests no calls: its guest's go to the parent. So there is one look, for all that it will ever run.
    room = StackRoom(stack_bytes)
    limits = (stack_bytes, cache_bytes)
    room.run(CallContext(program.entry_id, ""), lambda: _serve(parent, program, Path(cache_directory), limits, ends))


def _end_waits(ends: list[Callable[[], None]]) -> None:
    for end in ends:
        end()


def _serve(
    parent: Parent,
    program: LuaProgram | WasmProgram,
    cache: Path,
    limits: tuple[int, int],
    ends: list[Callable[[], None]],
) -> None:
    log = guest_logger(program.entry_id)
    log.addHandler(_LogHandler(parent))
    log.setLevel(logging.DEBUG)  # of start-up code; each call says what the parent listens to
    log.propagate = False
    try:
        function, form = _prepare(program, parent, cache, limits, ends)
    except PolycallError as error:
        parent.send(parent.encode(error))
        return
    needs = [[*need[:-1], *(need.link or ())] for need in function.imports]
    signature = None if function.signature is None else str(function.signature)
    parent.send(pack("ready", signature, "$", needs, str(form)))
    _Server(parent, function).serve()


def _take_stdin() -> socket.socket:
    """Returns the socket that stdin is, out of reach of whatever else may read from stdin."""
    connection = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return connection


def _end_with_parent(descriptor: int) -> None:
    """Ends the process when the parent is gone, also in the middle of a guest that never ends."""
    poller = select.poll()
    poller.register(descriptor, 0)  # nothing but the hang-up, which is always reported
    poller.poll()
    os._exit(0)


def _prepare(
    program: LuaProgram | WasmProgram,
    parent: Parent,
    cache: Path,
    limits: tuple[int, int],
    ends: list[Callable[[], None]],
) -> tuple[Function, PayloadForm]:
    # Imported here: a worker needs one of the two engines.
    if isinstance(program, LuaProgram):
        from polycall.lua_runtime.runtime import LuaRuntime  # noqa: PLC0415

        services = AskedServices(parent.ask)
        lua = LuaRuntime(parent, GuestYaml(), services, lambda: _sandbox(cache, *limits))
        ends.append(lua.end_waits)
        return lua.prepare(program), PayloadForm.WHOLE
    from polycall.wasm_runtime.runtime import WasmRuntime  # noqa: PLC0415

    runtime = WasmRuntime(parent, cache, *limits, AskedServices(parent.ask))
    ends.append(runtime.end_waits)
    function = runtime.prepare(program)
    if function.has_resources:
        message = "it takes or gives resources, which cannot enter or leave the worker process that isolates it"
        raise PreparationError(message, entry_id=program.entry_id, hint="declare isolation: none").at("isolation")
    return function, function.signature.payload_form


def _sandbox(cache: Path, stack_bytes: int, cache_bytes: int) -> Sandbox:
    from polycall.lua_runtime.sandbox.snapshot import Sandbox  # noqa: PLC0415  # as above
    from polycall.wasm_runtime.core_engine import WasmCoreEngine  # noqa: PLC0415  # as above
    from polycall.wasm_runtime.engine.wasm_engine import WasmEngine  # noqa: PLC0415  # the same

    return Sandbox(WasmCoreEngine(WasmEngine(stack_bytes), cache, cache_bytes))


class _Server:
    """Runs calls, one at a time, in one instance after the other."""

    def __init__(self, parent: Parent, function: Function) -> None:
        self._parent = parent
        self._function = function
        self._log = guest_logger(function.entry_id)
        self._instance: Instance | None = None
        self._told = HostTraffic()

    def serve(self) -> None:
        ways: dict[str, Callable[..., bytes]] = {
            "run": self._run,
            "command": self._run_command,
            "instantiate": self._instantiate,
        }
        while True:
            word, *about = self._parent.receive()
            self._parent.begin_call()
            try:
                answer = ways[word](*about)
            except PolycallError as error:
                answer = self._parent.encode(error)
            except Exception as error:  # noqa: BLE001  # told to the parent, as the dispatcher there would put it
                fault = InternalError(f"{type(error).__name__}: {error}", hint="this is a fault of polycall")
                answer = self._parent.encode(fault)
            self._tell_traffic()
            self._parent.send(answer)

    def _tell_traffic(self) -> None:
        """Tells the parent what the guest has had its host do since the last time."""
        traffic = self._function.host_traffic()
        if traffic is not None and traffic != self._told:
            new = [now - before for now, before in zip(traffic, self._told, strict=True)]
            self._told = traffic
            self._parent.send(pack("traffic", None, "$", *new))

    def _instantiate(self, _nothing: None) -> bytes:
        if self._instance is None:
            self._instance = self._function.instantiate()
        return pack("instantiated", None, "$")

    def _run(self, arguments: list[Value], *about: Any) -> bytes:
        context = self._begin(*about)
        instance = self._instance
        if instance is None:
            raise InternalError("a worker was to call without an instance", entry_id=self._function.entry_id)
        try:
            result = instance.call(arguments, context)
        finally:
            if instance.poisoned:  # the guest is in an unknown state, or its memory has grown: the process is good
                instance.close()
                self._instance = None
        return pack("result", result, "$.result", *([True] if instance.poisoned else []), direction="lift")

    def _run_command(self, console: list[Any], *about: Any) -> bytes:
        from polycall.wasm_runtime.command import WasmCommand  # noqa: PLC0415  # functions do without
        from polycall.wasm_runtime.function import WasmFunction  # noqa: PLC0415  # the same
        from polycall.wasm_runtime.wasi.console import Console  # noqa: PLC0415  # the same

        context = self._begin(*about)
        if not isinstance(self._function, WasmFunction):
            raise InternalError("a worker was to run what is no command", entry_id=self._function.entry_id)
        stdin, stdout, stderr, arguments, variables = console
        pairs = tuple((name, value) for name, value in variables)
        command = WasmCommand(self._function, Console(stdin, stdout, stderr, tuple(arguments), pairs), context)
        try:
            return pack("result", command.call((), context), "$.result", True)
        finally:
            command.close()

    def _begin(
        self, seconds: float | None, depth: int, values: dict[str, Value], log_level: int, watched: bool
    ) -> CallContext:
        if self._log.level != log_level:
            self._log.setLevel(log_level)
        deadline = None if seconds is None else time.monotonic() + seconds
        context = CallContext(self._function.entry_id, self._function.language, deadline=deadline, values=values)
        context.depth = depth  # the frames above are the parent's to know
        if watched:
            context.observer = _Waits(self._parent)
        return context


if __name__ == "__main__":
    main()
