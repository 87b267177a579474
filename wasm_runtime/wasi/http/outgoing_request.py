"""``outgoing-request`` of ``wasi:http/types``: a request that a guest composes."""

from __future__ import annotations

from typing import Any

from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.http.fields import Fields, pairs, size_of
from polycall.wasm_runtime.wasi.http.outgoing_body import REQUEST_SIZE, OutgoingBody
from polycall.wasm_runtime.wasi.http.outgoing_pipe import Outgoing
from polycall.wasm_runtime.wasi.http.room import Buffered
from polycall.wasm_runtime.wasi.http.syntax import Authority, is_path, is_scheme, method_name, scheme_name
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["OutgoingRequest"]

_DONE: dict[str, Any] = {"ok": None}
_REFUSED: dict[str, Any] = {"err": None}
_LEAST_LONGEST_PATH = 8 * 1024


class OutgoingRequest(Buffered):
    """A request.

    Attributes:
        fields: Its headers.
        pipe: Its body, or None.
    """

    def __init__(self, store: GuestStore, headers: Fields) -> None:
        """Makes a GET with these headers, which cannot be changed any more."""
        session = session_of(store)
        self.fields = headers.take()
        super().__init__(session, size_of(pairs(self.fields)))
        self.pipe: Outgoing | None = None
        self._method: dict[str, Any] = {"get": True}
        self._scheme: dict[str, Any] | None = None
        self._authority: str | None = None
        self._path: str | None = None
        self._is_sent = False

    def body(self, _store: GuestStore) -> dict[str, Any]:
        """Returns its body, once."""
        if self.pipe is not None:
            return _REFUSED
        body = OutgoingBody(self, self.fields, REQUEST_SIZE)
        self.pipe = body.pipe
        return {"ok": body}

    def method(self, _store: GuestStore) -> dict[str, Any]:
        """Returns it."""
        return self._method

    def set_method(self, _store: GuestStore, method: dict[str, Any]) -> dict[str, Any]:
        """Sets it, if it is one."""
        if method_name(method) is None:
            return _REFUSED
        self._method = method
        return _DONE

    def path_with_query(self, _store: GuestStore) -> str | None:
        """Returns it."""
        return self._path

    def set_path_with_query(self, _store: GuestStore, path: str | None) -> dict[str, Any]:
        """Sets it, if it is one."""
        if path is not None and not is_path(path):
            return _REFUSED
        if len(path or "") > max(_LEAST_LONGEST_PATH, self.session.settings.limits.max_header_bytes):
            return _REFUSED
        self.hold(self.held - len(self._path or "") + len(path or ""))
        self._path = path
        return _DONE

    def scheme(self, _store: GuestStore) -> dict[str, Any] | None:
        """Returns it."""
        return self._scheme

    def set_scheme(self, _store: GuestStore, scheme: dict[str, Any] | None) -> dict[str, Any]:
        """Sets it, if it is one."""
        if scheme is not None and not is_scheme(scheme.get("other", "http")):
            return _REFUSED
        self._scheme = scheme
        return _DONE

    def authority(self, _store: GuestStore) -> str | None:
        """Returns it."""
        return self._authority

    def set_authority(self, _store: GuestStore, authority: str | None) -> dict[str, Any]:
        """Sets it, if it is one."""
        if authority is not None:
            try:
                Authority.parse(authority)
            except ValueError:
                return _REFUSED
        self._authority = authority
        return _DONE

    def headers(self, store: GuestStore) -> Fields:
        """Returns its headers, which cannot be changed."""
        return Fields.view(store, self.fields)

    def first_line(self) -> tuple[str, str, str | None, str | None]:
        """Returns method, scheme, authority and path, those that are text."""
        return method_name(self._method) or "", scheme_name(self._scheme), self._authority, self._path

    def send(self) -> None:
        """Is told that it is on its way: its body lives on without it."""
        self._is_sent = True
        self.drop()

    def close(self) -> None:
        """Lets nobody write to a body that will never be sent."""
        super().close()
        if self.pipe is not None and not self._is_sent:
            self.pipe.cut()
