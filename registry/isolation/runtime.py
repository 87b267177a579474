"""Functions in worker processes: who starts the workers, and ends them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.forks import new_lock
from polycall.interop.host_traffic import HostCounter
from polycall.interop.protocols import Invoker
from polycall.interop.services import Services
from polycall.interop.slow_work import told_if_slow
from polycall.interop.stack import DEFAULT_STACK_BYTES
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation.asking import asked
from polycall.registry.isolation.function import IsolatedFunction
from polycall.registry.isolation.messages import pack
from polycall.registry.isolation.process import WORKER_COMMAND, WorkerProcess
from polycall.registry.isolation.program_data import encode_program
from polycall.registry.isolation.services import ServiceDesk
from polycall.wasm_runtime.engine import DEFAULT_CACHE_BYTES
from polycall.wasm_runtime.spec import WasmProgram

__all__ = ["IsolationRuntime"]


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
