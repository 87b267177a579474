"""``wasi:random/insecure``: bytes that may be foretold; ours may not, for nothing is gained by that."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.random.random import random_bytes

__all__ = ["Insecure"]


class Insecure(HostInterface):
    """The interface."""

    name = "wasi:random/insecure@0.2.12"
    wit = """
        get-insecure-random-bytes: func(len: u64) -> list<u8>;
        get-insecure-random-u64: func() -> u64;
    """

    def get_insecure_random_bytes(self, _store: GuestStore, count: int) -> bytes:
        """Returns so many bytes."""
        return random_bytes(count)

    def get_insecure_random_u64(self, _store: GuestStore) -> int:
        """Returns a number."""
        return int.from_bytes(random_bytes(8))
