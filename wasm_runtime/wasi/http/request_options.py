"""``request-options`` of ``wasi:http/types``: how long a request may wait for what."""

from __future__ import annotations

from typing import Any

from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.http.room import Buffered
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["RequestOptions"]

_DONE: dict[str, Any] = {"ok": None}


class RequestOptions(Buffered):
    """Three timeouts, in nanoseconds; None for one that the guest leaves to its host.

    Attributes:
        connect: For the look-up, the connection and TLS.
        first_byte: From then on until the head of the response is there.
        between_bytes: For every further piece of the response.
    """

    def __init__(self, store: GuestStore) -> None:
        """Makes one without any."""
        super().__init__(session_of(store))
        self.connect: int | None = None
        self.first_byte: int | None = None
        self.between_bytes: int | None = None

    def connect_timeout(self, _store: GuestStore) -> int | None:
        """Returns it."""
        return self.connect

    def set_connect_timeout(self, _store: GuestStore, duration: int | None) -> dict[str, Any]:
        """Sets it."""
        self.connect = duration
        return _DONE

    def first_byte_timeout(self, _store: GuestStore) -> int | None:
        """Returns it."""
        return self.first_byte

    def set_first_byte_timeout(self, _store: GuestStore, duration: int | None) -> dict[str, Any]:
        """Sets it."""
        self.first_byte = duration
        return _DONE

    def between_bytes_timeout(self, _store: GuestStore) -> int | None:
        """Returns it."""
        return self.between_bytes

    def set_between_bytes_timeout(self, _store: GuestStore, duration: int | None) -> dict[str, Any]:
        """Sets it."""
        self.between_bytes = duration
        return _DONE
