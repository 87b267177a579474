"""A program of WebAssembly that runs once, with stdin, stdout and stderr: what a shell calls a command."""

from __future__ import annotations

from collections.abc import Sequence

from polycall.interop.context import CallContext
from polycall.interop.errors import ExitError, MissingExportError
from polycall.interop.values import Value
from polycall.wasm_runtime.component.plan import ExportedInstance, LiftedFunction
from polycall.wasm_runtime.exports import commands
from polycall.wasm_runtime.function import WasmFunction, WasmInstance
from polycall.wasm_runtime.wasi.console import Console, write_out

__all__ = ["WasmCommand", "command_export"]


def command_export(exports: ExportedInstance) -> LiftedFunction:
    """Returns what runs a command: ``run`` of the interface ``wasi:cli/run``, or ``_start`` of a core module.

    Raises:
        MissingExportError: It is no command.
    """
    for found in commands(exports):
        return found
    hint = "a component must export wasi:cli/run; a core module must export _start, and its entry name it as method"
    raise MissingExportError("it is no command", hint=hint)


class WasmCommand:
    """One run of a command, in the shape of `polycall.interop.protocols.Instance`; it answers with the exit status.

    Attributes:
        poisoned: Always: it runs once.
    """

    def __init__(self, function: WasmFunction, console: Console, context: CallContext) -> None:
        """Makes an instance of a program.

        Args:
            function: An entry of it, whichever function it names.
            console: What the program reads and writes.
            context: The call that runs it.

        Raises:
            MissingExportError: It is no command.
            PolycallError: As of `WasmFunction.instantiate`.
        """
        self.poisoned = True
        self._export = command_export(function.exports)
        self._instance: WasmInstance = function.instantiate(context, console)

    def call(self, _arguments: Sequence[Value], context: CallContext) -> int:
        """Runs the command to its end.

        Returns:
            0 for success; what it gave to ``exit``; 1 if it returned an error.

        Raises:
            PolycallError: It trapped or was interrupted.
        """
        try:
            value = self._instance.call((), context, self._export, write_out)
        except ExitError as error:
            if error.entry_id != context.entry_id:
                raise  # of an entry that it called
            return error.exit_status
        return int(isinstance(value, dict) and "err" in value)

    def close(self) -> None:
        """Frees the instance."""
        self._instance.close()
