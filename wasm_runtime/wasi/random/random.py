"""``wasi:random/random``: bytes that nobody can foretell."""

from __future__ import annotations

import os

from polycall.interop.errors import LimitError
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["Random", "random_bytes"]

_MOST = 1024 * 1024


def random_bytes(count: int) -> bytes:
    """Returns so many bytes from the system's generator.

    Raises:
        LimitError: More than 1 MiB is asked for in one call.
    """
    if count > _MOST:
        raise LimitError(f"the guest asked for {count} random bytes; one call gives at most {_MOST}")
    return os.urandom(count)


class Random(HostInterface):
    """The interface."""

    name = "wasi:random/random@0.2.12"
    wit = """
        get-random-bytes: func(len: u64) -> list<u8>;
        get-random-u64: func() -> u64;
    """

    def get_random_bytes(self, _store: GuestStore, count: int) -> bytes:
        """Returns so many bytes."""
        return random_bytes(count)

    def get_random_u64(self, _store: GuestStore) -> int:
        """Returns a number."""
        return int.from_bytes(random_bytes(8))
