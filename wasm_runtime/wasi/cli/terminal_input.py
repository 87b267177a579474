"""``wasi:cli/terminal-input``: a sign that there is a terminal; it can do nothing."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface

__all__ = ["TerminalInput", "TerminalInputInterface"]


class TerminalInput:
    """A terminal."""


class TerminalInputInterface(HostInterface):
    """The interface."""

    name = "wasi:cli/terminal-input@0.2.12"
    wit = "resource terminal-input;"
    resources = {"terminal-input": TerminalInput}
