"""The resources of who answers requests: a guest here is never asked, and its toolchain imports them all the same."""

from __future__ import annotations

from typing import Any, NoReturn

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.http.fields import Fields, pairs, size_of
from polycall.wasm_runtime.wasi.http.outgoing_body import RESPONSE_SIZE, OutgoingBody
from polycall.wasm_runtime.wasi.http.room import Buffered
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["IncomingRequest", "OutgoingResponse", "ResponseOutparam"]


class OutgoingResponse(Buffered):
    """A response that a guest composes, and has nobody to give to."""

    def __init__(self, store: GuestStore, headers: Fields) -> None:
        """Makes a 200 with these headers, which cannot be changed any more."""
        self._fields = headers.take()
        super().__init__(session_of(store), size_of(pairs(self._fields)))
        self._status = 200
        self._body: OutgoingBody | None = None

    def status_code(self, _store: GuestStore) -> int:
        """Returns it."""
        return self._status

    def set_status_code(self, _store: GuestStore, status: int) -> dict[str, Any]:
        """Sets it, if it is one."""
        if not 100 <= status <= 999:
            return {"err": None}
        self._status = status
        return {"ok": None}

    def headers(self, store: GuestStore) -> Fields:
        """Returns its headers, which cannot be changed."""
        return Fields.view(store, self._fields)

    def body(self, _store: GuestStore) -> dict[str, Any]:
        """Returns its body, once."""
        if self._body is not None:
            return {"err": None}
        self._body = OutgoingBody(self, self._fields, RESPONSE_SIZE)
        return {"ok": self._body}

    def close(self) -> None:
        """Lets nobody write to a body that nobody will have."""
        super().close()
        if self._body is not None:
            self._body.pipe.cut()


def _no_such(*_arguments: object) -> NoReturn:
    raise TrapError("no guest is handed an incoming-request or a response-outparam")


class IncomingRequest:
    """A request to a guest: there are none."""

    method = path_with_query = scheme = authority = headers = consume = _no_such


class ResponseOutparam:
    """Where the response to one would go."""

    send_informational = set = _no_such
