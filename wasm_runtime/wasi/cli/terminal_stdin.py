"""``wasi:cli/terminal-stdin``."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.cli.terminal_input import TerminalInput, TerminalInputInterface
from polycall.wasm_runtime.wasi.console import is_terminal
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["TerminalStdin"]


class TerminalStdin(HostInterface):
    """The interface."""

    name = "wasi:cli/terminal-stdin@0.2.12"
    wit = """
        use terminal-input.{terminal-input};
        get-terminal-stdin: func() -> option<terminal-input>;
    """
    uses = (TerminalInputInterface,)

    def get_terminal_stdin(self, store: GuestStore) -> TerminalInput | None:
        """Returns a terminal if stdin is one."""
        return TerminalInput() if is_terminal(session_of(store), "stdin") else None
