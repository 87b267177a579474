"""``outgoing-body`` of ``wasi:http/types``: what a guest sends."""

from __future__ import annotations

from typing import Any

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure
from polycall.wasm_runtime.wasi.http.fields import Fields, FieldValues, content_length
from polycall.wasm_runtime.wasi.http.outgoing_pipe import Outgoing
from polycall.wasm_runtime.wasi.http.room import Buffered, piece_bytes
from polycall.wasm_runtime.wasi.io.streams import OutputStream

__all__ = ["REQUEST_SIZE", "RESPONSE_SIZE", "OutgoingBody"]

REQUEST_SIZE = "HTTP-request-body-size"
RESPONSE_SIZE = "HTTP-response-body-size"

_AGAIN = {"err": None}
_NO_TRAILER = "content-length is no trailer"
_BEHIND_A_LENGTH = "a body with content-length is sent without trailers"


class OutgoingBody(Buffered):
    """The body of a request, or of a response; the room for it is its message's."""

    def __init__(self, message: Buffered, headers: FieldValues, size_case: str) -> None:
        """Makes one.

        Args:
            message: What it is the body of.
            headers: Of the message.
            size_case: The error code of a body that has not the length which they say.
        """
        most = piece_bytes(message.session)
        message.hold(message.held + most)
        super().__init__(message.session)
        self.pipe = Outgoing(most, content_length(headers), size_case)
        self._stream: OutputStream | None = None

    def write(self, _store: GuestStore) -> dict[str, Any]:
        """Returns the stream to write to, once."""
        if self._stream is not None:
            return _AGAIN
        self._stream = OutputStream(self.session, self.pipe, "room for the body of an HTTP request")
        return {"ok": self._stream}

    @staticmethod
    def finish(_store: GuestStore, this: OutgoingBody, trailers: Fields | None) -> dict[str, Any]:
        """Ends the body."""
        this.check()
        this.check_stream()
        values = {} if trailers is None else trailers.take()
        try:
            if "content-length" in values:  # a server that counts it in would read another body than was sent
                raise HttpFailure("internal-error", _NO_TRAILER)
            if values and this.pipe.expected is not None:
                raise HttpFailure("internal-error", _BEHIND_A_LENGTH)
            this.pipe.finish(values)
        except HttpFailure as failure:
            return {"err": failure.code}
        finally:
            this.drop()
        return {"ok": None}

    def check_stream(self) -> None:
        """Refuses to end while its stream is there, as the specification wants it."""
        if self._stream is not None and not self._stream.gone:
            raise TrapError("the guest ended an outgoing-body whose stream it has not dropped")

    def drop(self) -> None:
        """Is told that the guest has dropped it."""
        if not self.gone:
            self.check_stream()
        super().drop()

    def close(self) -> None:
        """Gives up what was not finished."""
        super().close()
        self.pipe.abort(HttpFailure("HTTP-protocol-error"))
