"""``wasi:cli/terminal-output``: a sign that there is a terminal; it can do nothing."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface

__all__ = ["TerminalOutput", "TerminalOutputInterface"]


class TerminalOutput:
    """A terminal."""


class TerminalOutputInterface(HostInterface):
    """The interface."""

    name = "wasi:cli/terminal-output@0.2.12"
    wit = "resource terminal-output;"
    resources = {"terminal-output": TerminalOutput}
