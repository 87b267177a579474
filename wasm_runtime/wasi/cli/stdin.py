"""``wasi:cli/stdin``."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.console import console_source
from polycall.wasm_runtime.wasi.io.streams import InputStream, Streams
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["Stdin"]


class Stdin(HostInterface):
    """The interface."""

    name = "wasi:cli/stdin@0.2.12"
    wit = """
        use streams.{input-stream};
        get-stdin: func() -> input-stream;
    """
    uses = (Streams,)

    def get_stdin(self, store: GuestStore) -> InputStream:
        """Returns what the guest reads."""
        session = session_of(store)
        return InputStream(session, console_source(session), "input", lasting=True)
