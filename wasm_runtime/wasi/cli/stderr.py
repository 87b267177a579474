"""``wasi:cli/stderr``."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.console import console_sink
from polycall.wasm_runtime.wasi.io.streams import OutputStream, Streams
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["Stderr"]


class Stderr(HostInterface):
    """The interface."""

    name = "wasi:cli/stderr@0.2.12"
    wit = """
        use streams.{output-stream};
        get-stderr: func() -> output-stream;
    """
    uses = (Streams,)

    def get_stderr(self, store: GuestStore) -> OutputStream:
        """Returns where the guest writes."""
        session = session_of(store)
        return OutputStream(session, console_sink(session, "stderr"), "room for output", lasting=True)
