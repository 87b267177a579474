"""``wasi:io/error``."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["Error", "IoError"]


class IoError:
    """Why an operation of a stream failed.

    Attributes:
        text: What the guest may read: nothing of the host's.
        cause: What the interface that the stream is of says: an error code of its own.
    """

    def __init__(self, text: str, cause: object = None) -> None:
        self.text = text
        self.cause = cause

    def to_debug_string(self, _store: GuestStore) -> str:
        """Returns the text."""
        return self.text


class Error(HostInterface):
    """The interface."""

    name = "wasi:io/error@0.2.12"
    wit = """
        resource error {
            to-debug-string: func() -> string;
        }
    """
    resources = {"error": IoError}
