"""Functions whose instances run in worker processes, in the shape that the dispatcher knows."""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polycall.interop.context import NO_VALUES, CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, InternalError, PolycallError, WorkerError, raise_if
from polycall.interop.forks import new_lock
from polycall.interop.guest_log import guest_logger
from polycall.interop.host_traffic import HostCounter, HostTraffic
from polycall.interop.observer import WaitObserver
from polycall.interop.payload import PayloadForm
from polycall.interop.protocols import Function, ImportNeed, Invoker, Link, Signature
from polycall.interop.services import Services
from polycall.interop.slow_work import told_if_slow
from polycall.interop.stack import DEFAULT_STACK_BYTES
from polycall.interop.start_up import start_frame, start_interruption
from polycall.interop.values import Value
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation.error_data import ToldErrors, decode_error, error_message
from polycall.registry.isolation.messages import MessageError, pack
from polycall.registry.isolation.process import WORKER_COMMAND, TimeIsUp, WorkerProcess
from polycall.registry.isolation.program_data import encode_program
from polycall.registry.isolation.services import ServiceDesk, modules_of
from polycall.wasm_runtime.engine import DEFAULT_CACHE_BYTES
from polycall.wasm_runtime.spec import WasmProgram

if TYPE_CHECKING:
    from polycall.wasm_runtime.wasi.console import Console

__all__ = ["IsolatedCommand", "IsolatedFunction", "IsolatedInstance", "IsolationRuntime"]

_START_SECONDS = 60.0
"""How long a worker may take to start, compile and prepare. What it runs then has bounds of its own (10 s)."""

_GRACE_SECONDS = 0.03
"""How much later than the deadline a worker is killed: a guest that its runtime can stop has ended by then."""

_MOST_DESCRIBED = 1024 * 1024
"""Bytes of what a worker tells of its function, which the parent keeps."""

_INSTANTIATE = pack("instantiate", None, "$")
"""Has a worker make an instance, unless it has one."""


class IsolationRuntime:
    """Prepares functions in worker processes and sees to it that none outlives the registry."""

    def __init__(
        self,
        invoker: Invoker,
        services: Services | None = None,
        cache_directory: Path | None = None,
        command: Sequence[str] = WORKER_COMMAND,
        *,
        stack_bytes: int = DEFAULT_STACK_BYTES,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        """Makes a runtime.

        Args:
            invoker: Where the guests' calls to other entries go.
            services: What the modules `env`, `fs` and `registry` offer; without, they answer Unavailable.
            cache_directory: Where compiled WebAssembly is kept; None for the user's cache folder.
            command: What to start as a worker.
            stack_bytes: What a guest of WebAssembly may use of the native stack in one call.
            cache_bytes: How much compiled WebAssembly is kept.
        """
        self._stack_bytes = stack_bytes
        self._cache_bytes = cache_bytes
        self._invoker = invoker
        self._services = services
        self._cache_directory = cache_directory
        self._command = command
        self._functions: weakref.WeakSet[IsolatedFunction] = weakref.WeakSet()
        self._lock = new_lock()
        self._closed = False
        self._closing = Cancellation()

    def prepare(self, program: LuaProgram | WasmProgram, context: CallContext | None = None) -> IsolatedFunction:
        """Has a worker prepare a program; start-up code runs there.

        Args:
            program: The entry.
            context: The call that waits for it, if there is one: when it is over, the worker is killed.

        Raises:
            PolycallError: Whatever the runtime in the worker says.
            WorkerError: The worker died.
        """
        # The folder is named here: a worker does not know the user's environment.
        from polycall.wasm_runtime.engine.cache_folder import default_cache_directory  # noqa: PLC0415  # only needed here

        directory = (self._cache_directory or default_cache_directory()).absolute()
        start = pack("start", encode_program(program), "$", str(directory), self._stack_bytes, self._cache_bytes)
        desk = ServiceDesk(program, self._services)
        traffic = HostCounter()

        def begin(call: CallContext | None, descriptors: Sequence[int] = ()) -> tuple[WorkerProcess, list[Any]]:
            output_bytes = program.limits.output_bytes
            worker = WorkerProcess(
                program.entry_id, desk, output_bytes, self._command, traffic=traffic, descriptors=descriptors
            )
            with told_if_slow(f"the worker of {program.entry_id} is starting: what it runs is compiled once"):
                return worker, _asked(worker, start, call)

        function = IsolatedFunction(
            program, begin, self._invoker, context=context, closing=self._closing, traffic=traffic
        )
        with self._lock:
            self._functions.add(function)
            closed = self._closed
        if closed:  # meanwhile
            function.close()
        return function

    def close(self) -> None:
        """Ends the workers that no instance has, and what guests wait for; the workers of instances end with them."""
        self._closing.cancel()
        with self._lock:
            self._closed = True
            functions = list(self._functions)
        for function in functions:
            function.close()


class _GuestCalls:
    """The calls that a worker's guest may make: one that its guest has taken over gets no further than its entry."""

    def __init__(self, invoker: Invoker, program: LuaProgram | WasmProgram) -> None:
        self._invoker = invoker
        granted = program.grants if isinstance(program, WasmProgram) else modules_of(program)
        self._funcs = "funcs" in granted
        links = program.links.values() if isinstance(program, WasmProgram) else ()
        self._links = frozenset(each if ":" in each else f"{each}:" for each in links)

    def allows(self, way: str, what: Any, target: str) -> bool:
        """Whether a message is a call that the entry may make."""
        if way == "call_linked":
            namespace, colon, _ = target.partition(":")
            return type(what) is list and not self._links.isdisjoint((target, namespace + colon))
        return self._funcs and (type(what) is list if way == "call" else way == "call_payload" and _is_text(what))

    def call(self, way: str, target: str, what: Any, caller: CallContext) -> Value:
        """Makes a call that is allowed."""
        if way == "call_linked":
            return self._invoker.call_linked(target, what, caller)
        if way == "call":
            return self._invoker.call(target, what, caller)
        return self._invoker.call_payload(target, what, caller)


def _is_text(what: Any) -> bool:
    return type(what) in {str, bytes}


class IsolatedFunction:
    """A Lua or WebAssembly entry that a worker process prepared; see `polycall.interop.protocols.Function`.

    Attributes:
        entry_id: ``namespace:name``.
        language: ``lua`` or ``wasm``.
        signature: As the worker told it.
        imports: As the worker told them.
        has_resources: False: they cannot leave a worker.
    """

    has_resources = False
    export = None

    def __init__(
        self,
        program: LuaProgram | WasmProgram,
        start: Callable[..., tuple[WorkerProcess, list[Any]]],
        invoker: Invoker,
        *,
        context: CallContext | None,
        closing: Cancellation,
        traffic: HostCounter,
    ) -> None:
        """Starts the first worker; `IsolationRuntime.prepare` tells what can go wrong."""
        self._closing = closing
        self._traffic = traffic
        self.entry_id = program.entry_id
        self.language = "lua" if isinstance(program, LuaProgram) else "wasm"
        self._start = start
        self._call_seconds = program.limits.execution_seconds
        self._invoker = _GuestCalls(invoker, program)
        self._reads_values = "ctx" in modules_of(program)
        worker, answer = start(context)
        self.signature, self.imports, self._payload_form = _description(worker, answer)
        self._spare = [worker]  # the one that preparing started serves the first instance

    def instantiate(self, context: CallContext | None = None) -> IsolatedInstance:
        """Makes a fresh instance in a worker of its own; see `polycall.interop.protocols.Function`.

        Raises:
            PolycallError: The guest's own start-up code failed.
            WorkerError: The worker died.
        """
        return IsolatedInstance(
            self._ready_worker,
            self._invoker,
            self._call_seconds,
            context,
            reads_values=self._reads_values,
            closing=self._closing,
        )

    def _ready_worker(self, context: CallContext | None) -> WorkerProcess:
        try:
            worker = self._spare.pop()  # list.pop is atomic
        except IndexError:
            worker, _ = self._start(context)
        if not worker.is_alive():  # a spare one that died, or is that of the process which forked this one
            worker, _ = self._start(context)
        _have_instance(worker, context)
        return worker

    def command(self, console: Console, context: CallContext) -> IsolatedCommand:
        """Makes a run of a command, in a worker of its own that has the descriptors of its console.

        Raises:
            PolycallError: As of `instantiate`.
        """
        with ExitStack() as open_here:
            given: list[int | None] = []
            for descriptor in (console.stdin, console.stdout, console.stderr):
                copy = None if descriptor is None else _above_stderr(descriptor)
                if copy is not None:
                    open_here.callback(os.close, copy)
                given.append(copy)
            worker, _ = self._start(context, [each for each in given if each is not None])
        about = [*given, list(console.arguments), [list(pair) for pair in console.variables]]
        return IsolatedCommand(
            lambda _context: worker,
            self._invoker,
            self._call_seconds,
            context,
            reads_values=self._reads_values,
            closing=self._closing,
            console=about,
        )

    def shares_instances_with(self, _other: Function) -> bool:
        """Says no: it has no resources."""
        return False

    def host_traffic(self) -> HostTraffic | None:
        """Returns what its guests had their host do so far, as their workers say; nobody counts for Lua."""
        return self._traffic.snapshot() if self.language == "wasm" else None

    def payload_arguments(self, payload: str | bytes) -> Sequence[Value]:
        """Returns the arguments that a payload stands for; see `polycall.interop.payload`."""
        return self._payload_form.arguments(payload)

    def close(self) -> None:
        """Ends the worker that waits for the first instance, if it still does; harmless when repeated."""
        while self._spare:
            self._spare.pop().close()


class IsolatedInstance:
    """An instance in a worker process. The calls that its guest makes are made here, in the thread of its call.

    A guest that its runtime could stop, or that trapped, is replaced inside the worker, which stays in use.

    Attributes:
        poisoned: True once the worker is gone.
    """

    def __init__(
        self,
        ready_worker: Callable[[CallContext | None], WorkerProcess],
        invoker: _GuestCalls,
        call_seconds: float | None,
        context: CallContext | None,
        *,
        reads_values: bool,
        closing: Cancellation,
    ) -> None:
        """Starts the worker.

        Args:
            ready_worker: Gives a worker with an instance in it.
            invoker: Where its calls go, if its entry may make them.
            call_seconds: How long a call may take once there is an instance for it, or None.
            context: The call that waits for it, if there is one.
            reads_values: Whether its guest may know the context values of its calls; else the worker is not told.
            closing: Goes on when its guest may wait for nothing any more.
        """
        self._closing = closing
        self.poisoned = False
        self._ready_worker = ready_worker
        self._invoker = invoker
        self._call_seconds = call_seconds
        self._reads_values = reads_values
        self._worker = ready_worker(context)
        self._may_be_without_instance = False

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._worker.pid

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Runs the function; blocks the thread until it ends, fails or is interrupted.

        Raises:
            WorkerError: The worker died; the instance is poisoned.
            PolycallError: The call failed, or an argument cannot travel.
        """
        if self.poisoned:
            raise InternalError("an isolated instance was called after its end", entry_id=context.entry_id)
        worker = self._ready(context)
        if self._call_seconds is not None:
            context.limit(self._call_seconds)
        data = self._message(arguments, context)
        call = _Call(worker, self._invoker, context)
        worker.turn_to(context)
        forget = None if context.cancellation is None else context.cancellation.on_cancel(worker.kill)
        let_wait = self._closing.on_cancel(worker.end_waits)
        try:
            return call.run(data)
        finally:
            let_wait()
            if forget is not None:
                forget()
            self._may_be_without_instance = call.discarded
            if not call.answered:  # KeyboardInterrupt, for one: the guest would run on, and answer the next call
                worker.close()
            self.poisoned = worker.ended
            worker.turn_to(None)  # last: a log handler of the user's may raise

    def _message(self, arguments: Sequence[Value], context: CallContext) -> bytes:
        return _call_message("run", list(arguments), context, self._values(context))

    def _values(self, context: CallContext) -> Mapping[str, Value]:
        return context.values if self._reads_values else NO_VALUES

    def _ready(self, context: CallContext) -> WorkerProcess:
        """Returns the worker with an instance in it: the time to make one is none of the call's own."""
        if not self._worker.is_alive():  # it was killed while nothing ran in it: nobody needs to hear of that
            self._worker.close()
            self._worker = self._ready_worker(context)
        elif self._may_be_without_instance:
            _have_instance(self._worker, context)
        return self._worker

    def close(self) -> None:
        """Ends the worker; harmless when repeated."""
        self.poisoned = True
        self._worker.close()


class IsolatedCommand(IsolatedInstance):
    """One run of a command in a worker, which answers with its exit status."""

    def __init__(self, *arguments: Any, console: list[Any], **options: Any) -> None:
        """Prepares it; see `IsolatedInstance`.

        Args:
            *arguments: Of `IsolatedInstance`.
            console: Stdin, stdout and stderr as the worker has them, arguments and variables of the command.
            **options: Of `IsolatedInstance`.
        """
        super().__init__(*arguments, **options)
        self._console = console

    def _message(self, _arguments: Sequence[Value], context: CallContext) -> bytes:
        return _call_message("command", self._console, context, self._values(context))


def _above_stderr(descriptor: int) -> int:
    """Returns a copy of a descriptor with a number that no worker has for its own stdin, stdout and stderr."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


class _Call:
    """One call of an isolated guest.

    Attributes:
        answered: Whether the worker gave its answer, and so is ready for another call.
        discarded: Whether the worker may have discarded its instance: if it says so, or after anything but a result.
    """

    def __init__(self, worker: WorkerProcess, invoker: _GuestCalls, context: CallContext) -> None:
        self._worker = worker
        self._invoker = invoker
        self._context = context
        self._until = None if context.deadline is None else context.deadline + _GRACE_SECONDS
        self._told = ToldErrors()
        self.answered = False
        self.discarded = True

    def run(self, data: bytes) -> Value:
        try:
            self._worker.send(data, self._until)
            return self._serve()
        except (TimeIsUp, WorkerError) as end:  # a WorkerError may also be the guest's answer: of a call that it made
            # A worker that was killed because the call is over is no failure of the worker.
            if not self.answered:
                raise_if(self._interruption(end.__cause__))
            raise

    def _serve(self) -> Value:
        while True:
            match self._worker.receive(self._until):
                case ["result", value, *discarded] if discarded in ([], [True]):
                    self.answered, self.discarded = True, bool(discarded)
                    result: Value = value
                    return result
                case ["error", data, *returned] if returned in ([], [True]):
                    raise self._failure(data, returned=bool(returned))
                case [str(way), what, str(target)] if self._invoker.allows(way, what, target):
                    self._worker.send(self._answer(way, target, what), self._until)
                case [str(word), *_]:
                    raise self._worker.broken(f'"{word[:40]}", which is out of place')
                case _:
                    raise self._worker.broken("a message without a word")

    def _answer(self, way: str, target: str, what: Any) -> bytes:
        try:
            value = self._invoker.call(way, target, what, self._context)
            return pack("result", value, "$.result", check=lambda: raise_if(self._context.interruption()))
        except PolycallError as error:
            if self._context.interruption() is None:
                message = error_message(error)
                self._told.add(error, self._worker.last_bytes + len(message))
                return message
            # The guest's own time is up too: it gets no chance to go on.
            if not isinstance(error, (DeadlineError, CancelledError)):
                raise_if(self._interruption(error))
            raise

    def _interruption(self, cause: BaseException | None) -> PolycallError | None:
        interruption = self._context.interruption()
        if interruption is not None:
            interruption.__cause__ = cause
        return interruption

    def _failure(self, data: Any, *, returned: bool) -> PolycallError:
        try:
            error = decode_error(data, self._told, returned=returned)
        except MessageError as broken:
            error = self._worker.broken(str(broken))
        self.answered = not self._worker.ended
        return error


def _call_message(word: str, what: list[Any], context: CallContext, values: Mapping[str, Value]) -> bytes:
    seconds = context.remaining_seconds()
    log_level = max(1, guest_logger(context.entry_id).getEffectiveLevel())
    about = (seconds, context.depth, dict(values), log_level, isinstance(context.observer, WaitObserver))
    return pack(word, what, "$.args", *about, check=lambda: raise_if(context.interruption()))


def _have_instance(worker: WorkerProcess, context: CallContext | None) -> None:
    if _asked(worker, _INSTANTIATE, context) != ["instantiated", None]:
        raise worker.broken("no word of an instance")


def _asked(worker: WorkerProcess, request: bytes, context: CallContext | None) -> list[Any]:
    """Returns the worker's answer to what is asked of it outside calls; a worker that fails is ended."""
    frame = start_frame(worker.entry_id, "python", _START_SECONDS, context)
    forget = None if frame.cancellation is None else frame.cancellation.on_cancel(worker.kill)
    try:
        worker.send(request, frame.deadline)
        return _unfailed(worker, worker.receive(frame.deadline))
    except BaseException as error:
        worker.close()
        # A worker that was killed because nobody waits for it any more is no failure of the worker.
        if isinstance(error, (TimeIsUp, WorkerError)) and frame.interruption() is not None:
            raise start_interruption(worker.entry_id, _START_SECONDS, context) from None
        raise
    finally:
        if forget is not None:
            forget()


def _unfailed(worker: WorkerProcess, answer: list[Any]) -> list[Any]:
    if answer[0] != "error":
        return answer
    try:
        raise decode_error(answer[1] if len(answer) == 2 else None)
    except MessageError as error:
        raise worker.broken(str(error)) from error


def _description(
    worker: WorkerProcess, answer: list[Any]
) -> tuple[Signature | None, tuple[ImportNeed, ...], PayloadForm]:
    try:
        match answer:
            case ["ready", str() | None as signature, list(needs), str(form)] if worker.last_bytes <= _MOST_DESCRIBED:
                return signature, tuple(_import_needs(needs)), PayloadForm(form)
    except (TypeError, ValueError) as error:
        raise worker.broken("a wrong description of its function") from error
    raise worker.broken("no description of its function")


def _import_needs(needs: Iterable[Any]) -> Iterable[ImportNeed]:
    for name, group, granted, available, *link in needs:
        if not all(isinstance(text, str) for text in (name, group or "", *link)):
            raise TypeError("a name is no text")
        yield ImportNeed(name, group, granted is True, available is True, Link(*link) if link else None)
