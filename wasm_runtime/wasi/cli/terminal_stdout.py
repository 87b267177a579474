"""``wasi:cli/terminal-stdout``."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.cli.terminal_output import TerminalOutput, TerminalOutputInterface
from polycall.wasm_runtime.wasi.console import is_terminal
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["TerminalStdout"]


class TerminalStdout(HostInterface):
    """The interface."""

    name = "wasi:cli/terminal-stdout@0.2.12"
    wit = """
        use terminal-output.{terminal-output};
        get-terminal-stdout: func() -> option<terminal-output>;
    """
    uses = (TerminalOutputInterface,)

    def get_terminal_stdout(self, store: GuestStore) -> TerminalOutput | None:
        """Returns a terminal if stdout is one."""
        return TerminalOutput() if is_terminal(session_of(store), "stdout") else None
