"""How stores end: to give a lot of memory back takes the system a millisecond for each ten megabytes."""

from __future__ import annotations

from polycall.interop.forks import new_lock
from polycall.interop.stack import OwnThread
from polycall.wasm_runtime.engine import native

__all__ = ["StoreEnds"]

_LITTLE_BYTES = 1 << 20
_MUCH_BYTES = 64 << 20


class StoreEnds:
    """Deletes stores so that nobody waits long for it. Shared by threads."""

    def __init__(self) -> None:
        """Has nothing to do."""
        self._elsewhere = new_lock()

    def delete(self, address: int, held_bytes: int | None) -> None:
        """Deletes a store.

        Args:
            address: The ``wasmtime_store_t``; nobody else may know it any more.
            held_bytes: How large its memories are; None if nobody knows.
        """
        if held_bytes is not None and held_bytes <= _LITTLE_BYTES:
            native.store_delete_brief(address)
        # One at a time, or guests could have more memory on its way back than they may hold.
        elif held_bytes is not None and held_bytes >= _MUCH_BYTES and self._elsewhere.acquire(blocking=False):
            self._delete_elsewhere(address)
        else:
            native.store_delete(address)

    def _delete_elsewhere(self, address: int) -> None:
        try:
            OwnThread(lambda: self._delete(address), "polycall memory").start()
        except RuntimeError:  # no more threads
            self._delete(address)

    def _delete(self, address: int) -> None:
        try:
            native.store_delete(address)
        finally:
            self._elsewhere.release()
