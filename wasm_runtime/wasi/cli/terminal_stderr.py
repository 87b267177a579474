"""``wasi:cli/terminal-stderr``."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.cli.terminal_output import TerminalOutput, TerminalOutputInterface
from polycall.wasm_runtime.wasi.console import is_terminal
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["TerminalStderr"]


class TerminalStderr(HostInterface):
    """The interface."""

    name = "wasi:cli/terminal-stderr@0.2.12"
    wit = """
        use terminal-output.{terminal-output};
        get-terminal-stderr: func() -> option<terminal-output>;
    """
    uses = (TerminalOutputInterface,)

    def get_terminal_stderr(self, store: GuestStore) -> TerminalOutput | None:
        """Returns a terminal if stderr is one."""
        return TerminalOutput() if is_terminal(session_of(store), "stderr") else None
