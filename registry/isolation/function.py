"""Functions in worker processes, in the shape that the dispatcher knows, and who prepares them."""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.forks import new_lock
from polycall.interop.host_traffic import HostCounter, HostTraffic
from polycall.interop.payload import PayloadForm
from polycall.interop.protocols import Function, ImportNeed, Invoker, Link, Signature
from polycall.interop.services import Services
from polycall.interop.slow_work import told_if_slow
from polycall.interop.stack import DEFAULT_STACK_BYTES
from polycall.interop.values import Value
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation.asking import asked, have_instance
from polycall.registry.isolation.guest_calls import GuestCalls
from polycall.registry.isolation.instance import IsolatedCommand, IsolatedInstance
from polycall.registry.isolation.messages import pack
from polycall.registry.isolation.process import WORKER_COMMAND, WorkerProcess
from polycall.registry.isolation.program_data import encode_program
from polycall.registry.isolation.services import ServiceDesk, modules_of
from polycall.wasm_runtime.engine import DEFAULT_CACHE_BYTES
from polycall.wasm_runtime.spec import WasmProgram

if TYPE_CHECKING:
    from polycall.wasm_runtime.wasi.console import Console

__all__ = ["IsolatedFunction", "IsolationRuntime"]

_MOST_DESCRIBED = 1024 * 1024
"""Bytes of what a worker tells of its function, which the parent keeps."""


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
        self._invoker = GuestCalls(invoker, program)
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
        have_instance(worker, context)
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


def _above_stderr(descriptor: int) -> int:
    """Returns a copy of a descriptor with a number that no worker has for its own stdin, stdout and stderr."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


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
                return worker, asked(worker, start, call)

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
