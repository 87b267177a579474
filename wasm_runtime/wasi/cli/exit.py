"""``wasi:cli/exit``: the guest's own end (difference 16)."""

from __future__ import annotations

from typing import Any, NoReturn

from polycall.interop.errors import ExitError
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["Exit"]


class Exit(HostInterface):
    """The interface."""

    name = "wasi:cli/exit@0.2.12"
    wit = """
        exit: func(status: result);
        exit-with-code: func(status-code: u8);
    """

    def exit(self, _store: GuestStore, status: dict[str, Any]) -> NoReturn:
        """Ends the call: with success, or without."""
        raise ExitError(0 if "ok" in status else 1)

    def exit_with_code(self, _store: GuestStore, code: int) -> NoReturn:
        """Ends the call with a status."""
        raise ExitError(code)
