"""``wasi:random/insecure-seed``: what hash tables of guests are seeded with."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.random.random import random_bytes

__all__ = ["InsecureSeed"]


class InsecureSeed(HostInterface):
    """The interface."""

    name = "wasi:random/insecure-seed@0.2.12"
    wit = "insecure-seed: func() -> tuple<u64, u64>;"

    def insecure_seed(self, _store: GuestStore) -> list[int]:
        """Returns two numbers."""
        return [int.from_bytes(random_bytes(8)), int.from_bytes(random_bytes(8))]
