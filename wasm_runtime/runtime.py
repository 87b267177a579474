"""The WebAssembly runtime: entries in, callable functions out. Importing it loads the engine."""

from __future__ import annotations

from pathlib import Path

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import PolycallError, PreparationError
from polycall.interop.protocols import Invoker
from polycall.interop.services import Services
from polycall.interop.stack import DEFAULT_STACK_BYTES
from polycall.wasm_runtime.command import command_export
from polycall.wasm_runtime.component.core_function import CoreInterfaces
from polycall.wasm_runtime.component.host import Interfaces
from polycall.wasm_runtime.core_plan import declared_signature, plan_core_module
from polycall.wasm_runtime.engine import DEFAULT_CACHE_BYTES
from polycall.wasm_runtime.engine.cache_folder import default_cache_directory
from polycall.wasm_runtime.engine.compile_cache import CompileCache
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
from polycall.wasm_runtime.exports import START, exported_function
from polycall.wasm_runtime.function import WasmFunction
from polycall.wasm_runtime.granted_host import GrantedHost
from polycall.wasm_runtime.hosts.funcs import Funcs
from polycall.wasm_runtime.links import Links
from polycall.wasm_runtime.programs import CompiledProgram, Programs
from polycall.wasm_runtime.spec import WasmProgram
from polycall.wasm_runtime.wasi.interfaces import wasi_interface

__all__ = ["WasmRuntime"]

_PREVIEW1 = "wasi_snapshot_preview1"


class WasmRuntime:
    """One engine, its compiled programs and its interruption clock. Shared by threads."""

    def __init__(
        self,
        invoker: Invoker,
        cache_directory: Path | None = None,
        stack_bytes: int = DEFAULT_STACK_BYTES,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        services: Services | None = None,
        *,
        engine: WasmEngine | None = None,
    ) -> None:
        """Starts the engine.

        Args:
            invoker: Where the guests' calls to other entries go.
            cache_directory: Where compiled code is kept between runs; None for the user's cache directory.
            stack_bytes: What a guest may use of the native stack in one call.
            cache_bytes: How much is kept there.
            services: Where guests' variables and folders come from; without, those that ask for them fail.
            engine: Where guests run, in the place of one of its own; it has its own bound of the stack.
        """
        self._engine = engine or WasmEngine(stack_bytes)
        cache = CompileCache(cache_directory or default_cache_directory(), cache_bytes)
        self._programs = Programs(self._engine, cache)
        self._invoker = invoker
        self._services = services
        self._closing = Cancellation()
        self._interfaces = Interfaces([Funcs(invoker)], wasi_interface)

    def prepare(self, program: WasmProgram, context: CallContext | None = None) -> WasmFunction:
        """Compiles, checks and links an entry: a component or a core module, as the binary's header says.

        Args:
            program: The entry.
            context: The call that waits for it, if there is one.

        Raises:
            DeadlineError, CancelledError: The call was over before the program was compiled.
            NotFoundError: The binary is not there.
            HashError: The binary is not the declared one.
            MissingExportError: There is no such export.
            ImportDeniedError: With ``strict_imports``, the guest needs more than is granted.
            PreparationError: It does not compile, or does not fit its declaration.
        """
        try:
            compiled = self._programs.load(program.code, context or CallContext(program.entry_id, "wasm"))
            plan, links = compiled.plan, Links(program.links, self._invoker)
            offered = {} if plan is not None else _core_interfaces(compiled)
            host = GrantedHost(self._interfaces, program.grants, links, offered)
            if plan is None:
                if links:
                    raise PreparationError("only a component can have links; this is a core module").at("links")
                method = program.method or START
                signature = declared_signature(method, program.wit)
                plan = plan_core_module(method, signature, compiled.modules[0], host.core_interfaces())
            export = exported_function(program.method, plan.exports) if program.method else command_export(plan.exports)
            links.check(plan.imports)
            return WasmFunction(
                self._engine,
                program,
                compiled,
                plan=plan,
                export=export,
                host=host,
                services=self._services,
                closing=self._closing,
            )
        except PolycallError as error:
            error.entry_id = error.entry_id or program.entry_id
            raise

    def end_waits(self) -> None:
        """Lets guests wait for nothing from now on. Neither blocks nor raises: a signal handler may ask for it."""
        self._closing.cancel()

    def close(self) -> None:
        """Ends the waits of guests, and the interruption clock once no guarded call runs.

        What is still in use keeps the engine alive.
        """
        self.end_waits()
        self._engine.ticker.close()


def _core_interfaces(compiled: CompiledProgram) -> CoreInterfaces:
    """Returns what a core module may import, of what it does import."""
    if all(each.module != _PREVIEW1 for each in compiled.modules[0].imports):
        return {}
    from polycall.wasm_runtime.wasi.preview1.interface import PREVIEW1  # noqa: PLC0415  # most do without

    return {_PREVIEW1: PREVIEW1}
