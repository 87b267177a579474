"""``wasi:io/streams``: input and output streams, over whatever end is behind them."""

from __future__ import annotations

from typing import Any

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.io.ends import Closed, EmptySource, Failed, NullSink, Sink, Source
from polycall.wasm_runtime.wasi.io.error import Error
from polycall.wasm_runtime.wasi.io.poll import Poll, Pollable
from polycall.wasm_runtime.wasi.session import Kept, Session

__all__ = ["InputStream", "OutputStream", "Streams"]

_MOST_READ = 1024 * 1024
"""What one call gives at most, whatever is asked for: a guest may not have the host make room for 2^64 bytes."""

_MOST_AT_ONCE = 4096
"""Of ``blocking-write-and-flush`` and ``blocking-write-zeroes-and-flush``, by the specification."""

Outcome = dict[str, Any]
_CLOSED: Outcome = {"err": {"closed": True}}
_DONE: Outcome = {"ok": None}


def _failed(error: Failed) -> Outcome:
    return {"err": {"last-operation-failed": error.error}}


class InputStream(Kept):
    """A stream to read from."""

    def __init__(self, session: Session, source: Source, what: str, *, lasting: bool = False) -> None:
        """Makes one.

        Args:
            session: Of the instance.
            source: Where the bytes come from; this closes it, unless it lasts.
            what: What a call waits for that reads: ``input``.
            lasting: See `Kept`.
        """
        if lasting:  # the session closes what is behind it: a guest may have many such handles, and drop none of them
            self.session, self.lasting = session, True
        else:
            super().__init__(session)
        self.source = source
        self.what = what
        self._ended = False

    def take(self, most: int) -> bytes:
        """Returns what is there, at most so many bytes; an input stream that failed is closed.

        Raises:
            Closed, Failed: As of `Source.read`.
        """
        if self._ended:
            raise Closed
        if not most:
            return b""
        try:
            data = self.source.read(min(most, _MOST_READ))
        except (Closed, Failed):
            self._ended = True
            raise
        self.session.bytes_in += len(data)
        return data

    def wait(self) -> None:
        """Blocks until `take` gives something or raises."""
        if not self._ended:
            self.session.wait([self.source], self.what)

    def read(self, _store: GuestStore, most: int) -> Outcome:
        """Returns what is there now."""
        try:
            return {"ok": self.take(most)}
        except Closed:
            return _CLOSED
        except Failed as error:
            return _failed(error)

    def blocking_read(self, _store: GuestStore, most: int) -> Outcome:
        """Returns what is there, once something is."""
        try:
            return {"ok": self._waited(most)}
        except Closed:
            return _CLOSED
        except Failed as error:
            return _failed(error)

    def _waited(self, most: int) -> bytes:
        data = self.take(most)
        while most and not data:
            self.wait()
            data = self.take(most)
        return data

    def skip(self, store: GuestStore, most: int) -> Outcome:
        """Reads and forgets what is there now; returns how much that was."""
        return _counted(self.read(store, most))

    def blocking_skip(self, store: GuestStore, most: int) -> Outcome:
        """Reads and forgets what is there, once something is."""
        return _counted(self.blocking_read(store, most))

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns what to wait for."""
        return Pollable(self.session, self.source, self.what)

    def close(self) -> None:
        """Closes the source, and lets go of it: a guest may keep the handle for ever."""
        source, self.source = self.source, EmptySource()
        source.close()


def _counted(outcome: Outcome) -> Outcome:
    return {"ok": len(outcome["ok"])} if "ok" in outcome else outcome


class OutputStream(Kept):
    """A stream to write to."""

    def __init__(self, session: Session, sink: Sink, what: str, *, lasting: bool = False) -> None:
        """Makes one.

        Args:
            session: Of the instance.
            sink: Where the bytes go; this closes it, unless it lasts.
            what: What a call waits for that writes: ``room for output``.
            lasting: See `Kept`.
        """
        if lasting:  # the session closes what is behind it: a guest may have many such handles, and drop none of them
            self.session, self.lasting = session, True
        else:
            super().__init__(session)
        self.sink = sink
        self.what = what
        self._permitted = 0
        self._ended = False

    def permit(self) -> int:
        """Returns how many bytes may be written now; an output stream that failed is closed.

        Raises:
            Closed, Failed: As of `Sink.permit`.
        """
        if self._ended:
            raise Closed
        try:
            return self.sink.permit()
        except (Closed, Failed):
            self._ended = True
            raise

    def put(self, data: bytes) -> None:
        """Writes what was permitted.

        Raises:
            Closed, Failed: As of `Sink.write`.
        """
        if self._ended:
            raise Closed
        try:
            self.sink.write(data)
        except (Closed, Failed):
            self._ended = True
            raise
        self.session.bytes_out += len(data)

    def wait(self) -> None:
        """Blocks until `permit` gives something or raises."""
        if not self._ended:
            self.session.wait([self.sink], self.what)

    def put_all(self, data: bytes) -> None:
        """Writes all of it and sees it on its way, however long that takes.

        Raises:
            Closed, Failed: As of `Sink.write`.
        """
        at = 0
        while at < len(data):
            room = self._room()
            self.put(data[at : at + room])
            at += room
        self.flush_all()

    def _room(self) -> int:
        while not (room := self.permit()):
            self.wait()
        return room

    def flush_all(self) -> None:
        """Returns when all that was written is on its way.

        Raises:
            Closed, Failed: As of `Sink.flush`.
        """
        self._permitted = 0
        if self._ended:
            raise Closed
        try:
            self.sink.flush()
        except (Closed, Failed):
            self._ended = True
            raise
        self._room()

    # --- what guests call ---

    def check_write(self, _store: GuestStore) -> Outcome:
        """Returns how many bytes the next ``write`` may have."""
        try:
            self._permitted = self.permit()
        except Closed:
            return _CLOSED
        except Failed as error:
            return _failed(error)
        return {"ok": self._permitted}

    def write(self, _store: GuestStore, data: bytes) -> Outcome:
        """Writes what ``check-write`` has permitted."""
        if len(data) > self._permitted:
            raise TrapError(f"the guest wrote {len(data)} bytes where check-write had permitted {self._permitted}")
        self._permitted -= len(data)
        try:
            if data and self.lasting:
                self._room()  # other handles of the same end may have taken the room that this one was promised
            self.put(data)
        except Closed:
            return _CLOSED
        except Failed as error:
            return _failed(error)
        return _DONE

    def blocking_write_and_flush(self, _store: GuestStore, data: bytes) -> Outcome:
        """Writes up to 4096 bytes and waits until they are on their way."""
        if len(data) > _MOST_AT_ONCE:
            raise TrapError(f"blocking-write-and-flush got {len(data)} bytes; it takes at most {_MOST_AT_ONCE}")
        try:
            self.put_all(data)
        except Closed:
            return _CLOSED
        except Failed as error:
            return _failed(error)
        return _DONE

    def flush(self, _store: GuestStore) -> Outcome:
        """Begins to pass on what was written."""
        self._permitted = 0
        if self._ended:
            return _CLOSED
        try:
            self.sink.flush()
        except Closed:
            self._ended = True
            return _CLOSED
        except Failed as error:
            self._ended = True
            return _failed(error)
        return _DONE

    def blocking_flush(self, _store: GuestStore) -> Outcome:
        """Passes on what was written and waits until that is done."""
        try:
            self.flush_all()
        except Closed:
            return _CLOSED
        except Failed as error:
            return _failed(error)
        return _DONE

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns what to wait for."""
        return Pollable(self.session, self.sink, self.what)

    def write_zeroes(self, store: GuestStore, count: int) -> Outcome:
        """Writes so many zero bytes, as ``write``."""
        if count > self._permitted:
            raise TrapError(f"the guest wrote {count} zeroes where check-write had permitted {self._permitted} bytes")
        return self.write(store, bytes(count))

    def blocking_write_zeroes_and_flush(self, store: GuestStore, count: int) -> Outcome:
        """Writes so many zero bytes, as ``blocking-write-and-flush``."""
        if count > _MOST_AT_ONCE:
            raise TrapError(
                f"blocking-write-zeroes-and-flush got {count} bytes to write; it takes at most {_MOST_AT_ONCE}"
            )
        return self.blocking_write_and_flush(store, bytes(count))

    def splice(self, _store: GuestStore, source: InputStream, most: int) -> Outcome:
        """Moves what is there now from an input stream to this one; returns how much that was."""
        source.check()
        try:
            return {"ok": self._splice(source, most)}
        except Closed:
            return _CLOSED
        except Failed as error:
            return _failed(error)

    def blocking_splice(self, _store: GuestStore, source: InputStream, most: int) -> Outcome:
        """Moves something from an input stream to this one, once both are ready."""
        source.check()
        try:
            while not (moved := self._splice(source, most)) and most:
                self._room()
                source.wait()
            return {"ok": moved}
        except Closed:
            return _CLOSED
        except Failed as error:
            return _failed(error)

    def _splice(self, source: InputStream, most: int) -> int:
        room = min(self.permit(), most)
        data = source.take(room) if room else b""
        if data:
            self.put(data)
            self._permitted = max(0, self._permitted - len(data))  # the room that was promised is taken
        return len(data)

    def close(self) -> None:
        """Closes the sink, and lets go of it."""
        sink, self.sink = self.sink, NullSink()
        sink.close()


class Streams(HostInterface):
    """The interface."""

    name = "wasi:io/streams@0.2.12"
    wit = """
        use error.{error};
        use poll.{pollable};
        variant stream-error { last-operation-failed(error), closed }
        resource input-stream {
            read: func(len: u64) -> result<list<u8>, stream-error>;
            blocking-read: func(len: u64) -> result<list<u8>, stream-error>;
            skip: func(len: u64) -> result<u64, stream-error>;
            blocking-skip: func(len: u64) -> result<u64, stream-error>;
            subscribe: func() -> pollable;
        }
        resource output-stream {
            check-write: func() -> result<u64, stream-error>;
            write: func(contents: list<u8>) -> result<_, stream-error>;
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
            flush: func() -> result<_, stream-error>;
            blocking-flush: func() -> result<_, stream-error>;
            subscribe: func() -> pollable;
            write-zeroes: func(len: u64) -> result<_, stream-error>;
            blocking-write-zeroes-and-flush: func(len: u64) -> result<_, stream-error>;
            splice: func(src: borrow<input-stream>, len: u64) -> result<u64, stream-error>;
            blocking-splice: func(src: borrow<input-stream>, len: u64) -> result<u64, stream-error>;
        }
    """
    uses = (Error, Poll)
    resources = {"input-stream": InputStream, "output-stream": OutputStream}
