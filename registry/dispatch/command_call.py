"""A run of a command, in a call: a command has an instance of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from polycall.interop.context import CallContext
from polycall.interop.errors import PreparationError
from polycall.interop.protocols import Function, Instance
from polycall.registry.dispatch.own_instance import OwnInstance

if TYPE_CHECKING:
    from polycall.registry.dispatch.routes import Route
    from polycall.wasm_runtime.wasi.console import Console

__all__ = ["CommandCall"]


class CommandCall(OwnInstance):
    """One run."""

    def __init__(self, route: Route, function: Callable[[CallContext], Function], console: Console) -> None:
        """Prepares a run.

        Args:
            route: That of an entry of the program.
            function: As for `OwnInstance`.
            console: What the program reads and writes.
        """
        super().__init__(route, function)
        self._console = console

    def instance(self, function: Function, context: CallContext) -> Instance:
        """Returns an instance that runs the command.

        Raises:
            PreparationError: The entry is no command.
        """
        from polycall.registry.isolation.function import IsolatedFunction  # noqa: PLC0415  # loads what few need
        from polycall.wasm_runtime.command import WasmCommand  # noqa: PLC0415  # loads the engine
        from polycall.wasm_runtime.function import WasmFunction  # noqa: PLC0415  # the same

        if isinstance(function, WasmFunction):
            return WasmCommand(function, self._console, context)
        if isinstance(function, IsolatedFunction) and function.language == "wasm":
            return function.command(self._console, context)
        raise PreparationError(f"it is no command: only WebAssembly can be one, and this is {function.language}")
