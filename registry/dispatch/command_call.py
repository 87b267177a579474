"""A run of a command, in a call: it stands in for the pool, for a command has an instance of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polycall.interop.context import CallContext
from polycall.interop.errors import PreparationError
from polycall.interop.protocols import Function, Instance

if TYPE_CHECKING:
    from polycall.wasm_runtime.wasi.console import Console

__all__ = ["CommandCall"]


class CommandCall:
    """One run; see `polycall.registry.dispatch.routes.Taken`."""

    def __init__(self, function: Function, console: Console) -> None:
        """Prepares a run.

        Args:
            function: An entry of the program.
            console: What the program reads and writes.
        """
        self._function = function
        self._console = console
        self._instance: Instance | None = None

    def check_out(self, context: CallContext) -> Instance:
        """Returns an instance that runs the command.

        Raises:
            PreparationError: The entry is no command.
        """
        from polycall.registry.isolation.function import IsolatedFunction  # noqa: PLC0415  # loads what few need
        from polycall.wasm_runtime.command import WasmCommand  # noqa: PLC0415  # loads the engine
        from polycall.wasm_runtime.function import WasmFunction  # noqa: PLC0415  # the same

        function = self._function
        if isinstance(function, WasmFunction):
            self._instance = WasmCommand(function, self._console, context)
            return self._instance
        if isinstance(function, IsolatedFunction) and function.language == "wasm":
            self._instance = function.command(self._console, context)
            return self._instance
        raise PreparationError(f"it is no command: only WebAssembly can be one, and this is {function.language}")

    def give_back(self, instance: Instance) -> None:
        """Frees it."""
        instance.close()

    def take_back(self, _context: CallContext) -> None:
        """Frees what Python has broken off."""
        if self._instance is not None:
            self._instance.close()
