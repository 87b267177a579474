"""``wasi:io/streams``, function by function, over ends that do what the test says."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from polycall.interop.context import Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, TrapError
from polycall.wasm_runtime.wasi.io.ends import EmptySource, NullSink
from polycall.wasm_runtime.wasi.io.streams import InputStream, OutputStream
from polycall.wasm_runtime.wasi.session import Session
from wasi_sessions import HUGE, STORE, Basin, Spring, closed, failed, new_session

CLOSED = {"err": {"closed": True}}
DONE = {"ok": None}


def reading(*pieces: bytes, session: Session | None = None, end: Exception | None = None) -> InputStream:
    return InputStream(session or new_session(), Spring(*pieces, end=end), "input")


def writing(room: int, session: Session | None = None, end: Exception | None = None) -> OutputStream:
    return OutputStream(session or new_session(), Basin(room, end), "room for output")


def basin(stream: OutputStream) -> Basin:
    assert isinstance(stream.sink, Basin)
    return stream.sink


def failure(outcome: dict[str, Any]) -> str:
    text: str = outcome["err"]["last-operation-failed"].to_debug_string(STORE)
    return text


# --- reading ---


def test_read_gives_what_is_there_and_nothing_where_nothing_is() -> None:
    stream = reading(b"abcde")
    assert stream.read(STORE, 2) == {"ok": b"ab"}
    assert stream.read(STORE, 100) == {"ok": b"cde"}
    assert stream.read(STORE, 100) == {"ok": b""}


def test_what_is_asked_for_makes_the_host_hold_no_more_than_a_mebibyte() -> None:
    stream = reading(b"abc")
    assert stream.read(STORE, HUGE) == {"ok": b"abc"}
    assert stream.skip(STORE, HUGE) == {"ok": 0}
    assert isinstance(stream.source, Spring)
    assert max(stream.source.asked) == 1024 * 1024


def test_reading_nothing_succeeds_while_the_stream_is_open_and_says_closed_afterwards() -> None:
    stream = reading(end=closed())
    assert stream.read(STORE, 0) == {"ok": b""}
    assert stream.blocking_read(STORE, 0) == {"ok": b""}
    assert stream.skip(STORE, 0) == {"ok": 0}
    assert stream.read(STORE, 1) == CLOSED
    assert stream.read(STORE, 0) == CLOSED
    assert stream.blocking_skip(STORE, 0) == CLOSED


@pytest.mark.parametrize("function", ["read", "blocking_read", "skip", "blocking_skip"])
def test_a_failure_is_told_once_and_from_then_on_the_stream_is_closed(function: str) -> None:
    stream = reading(end=failed())
    assert failure(getattr(stream, function)(STORE, 10)) == "it broke"
    for later in ("read", "blocking_read", "skip", "blocking_skip"):
        assert getattr(stream, later)(STORE, 10) == CLOSED
    assert stream.subscribe(STORE).ready(STORE)


def test_skip_counts_what_it_forgets() -> None:
    stream = reading(b"abcde", end=closed())
    assert stream.skip(STORE, 2) == {"ok": 2}
    assert stream.blocking_skip(STORE, HUGE) == {"ok": 3}
    assert stream.skip(STORE, 1) == CLOSED


def test_blocking_read_waits_until_something_is_there() -> None:
    stream = reading()
    source = stream.source
    assert isinstance(source, Spring)

    def give() -> None:
        while not source.watchers:
            time.sleep(0.001)
        source.tell()  # for nothing
        source.pieces.append(b"late")
        source.tell()

    thread = threading.Thread(target=give)
    thread.start()
    assert stream.blocking_read(STORE, 10) == {"ok": b"late"}
    thread.join()
    assert not source.watchers  # called off


def test_bytes_are_counted() -> None:
    session = new_session()
    reading(b"abc", session=session).read(STORE, 10)
    out = writing(10, session)
    out.check_write(STORE)
    out.write(STORE, b"four")
    traffic = session.take_traffic()
    assert (traffic.bytes_in, traffic.bytes_out) == (3, 4)


# --- writing ---


def test_write_takes_what_check_write_has_permitted() -> None:
    stream = writing(5)
    assert stream.check_write(STORE) == {"ok": 5}
    assert stream.write(STORE, b"abc") == DONE
    assert stream.write(STORE, b"de") == DONE
    basin(stream).room = 1
    with pytest.raises(TrapError, match="the guest wrote 1 bytes where check-write had permitted 0"):
        stream.write(STORE, b"f")  # the permit is used up
    basin(stream).room = 0
    assert stream.check_write(STORE) == {"ok": 0}
    assert basin(stream).taken == b"abcde"


@pytest.mark.parametrize("permitted", [False, True])
def test_writing_more_than_was_permitted_traps(permitted: bool) -> None:
    stream = writing(5)
    if permitted:
        stream.check_write(STORE)
    with pytest.raises(TrapError, match="the guest wrote 6 bytes where check-write had permitted"):
        stream.write(STORE, b"abcdef")
    with pytest.raises(TrapError, match=f"the guest wrote {HUGE} zeroes where check-write had permitted"):
        stream.write_zeroes(STORE, HUGE)
    assert basin(stream).taken == b""


def test_writing_nothing_needs_no_permit() -> None:
    stream = writing(0)
    assert stream.write(STORE, b"") == DONE
    assert stream.write_zeroes(STORE, 0) == DONE
    assert basin(stream).taken == b""


def test_zeroes_are_written() -> None:
    stream = writing(10)
    stream.check_write(STORE)
    assert stream.write_zeroes(STORE, 3) == DONE
    assert stream.blocking_write_zeroes_and_flush(STORE, 2) == DONE
    assert basin(stream).taken == bytes(5)


@pytest.mark.parametrize(
    "write", [lambda stream: stream.blocking_write_and_flush(STORE, bytes(4097)),
              lambda stream: stream.blocking_write_zeroes_and_flush(STORE, 4097),
              lambda stream: stream.blocking_write_zeroes_and_flush(STORE, HUGE)],
)  # fmt: skip
def test_the_blocking_forms_take_4096_bytes(write: Callable[[OutputStream], Any]) -> None:
    stream = writing(10_000)
    with pytest.raises(TrapError, match="it takes at most 4096"):
        write(stream)
    assert stream.blocking_write_and_flush(STORE, bytes(4096)) == DONE
    assert len(basin(stream).taken) == 4096


def test_blocking_write_goes_piece_by_piece_as_there_is_room() -> None:
    stream = writing(0)
    sink = basin(stream)

    def drain() -> None:
        for _ in range(4):
            while not sink.watchers:
                time.sleep(0.001)
            sink.drain(1)

    thread = threading.Thread(target=drain)
    thread.start()
    assert stream.blocking_write_and_flush(STORE, b"abc") == DONE
    thread.join()
    assert (sink.taken, sink.flushes) == (b"abc", 1)
    assert not sink.watchers


def test_flush_takes_the_permit_away() -> None:
    for flush in ("flush", "blocking_flush"):
        stream = writing(5)
        stream.check_write(STORE)
        assert getattr(stream, flush)(STORE) == DONE
        with pytest.raises(TrapError):
            stream.write(STORE, b"a")
        assert stream.check_write(STORE) == {"ok": 5}
        assert basin(stream).flushes == 1


_WRITERS: dict[str, Callable[[OutputStream], Any]] = {
    "check-write": lambda stream: stream.check_write(STORE),
    "write": lambda stream: stream.write(STORE, b""),
    "blocking-write-and-flush": lambda stream: stream.blocking_write_and_flush(STORE, b"a"),
    "blocking-write-and-flush of nothing": lambda stream: stream.blocking_write_and_flush(STORE, b""),
    "flush": lambda stream: stream.flush(STORE),
    "blocking-flush": lambda stream: stream.blocking_flush(STORE),
    "write-zeroes": lambda stream: stream.write_zeroes(STORE, 0),
    "blocking-write-zeroes-and-flush": lambda stream: stream.blocking_write_zeroes_and_flush(STORE, 1),
    "splice": lambda stream: stream.splice(STORE, reading(b"a"), 1),
    "blocking-splice": lambda stream: stream.blocking_splice(STORE, reading(b"a"), 1),
}


@pytest.mark.parametrize("first", _WRITERS)
def test_a_failed_output_stream_says_so_once_and_is_closed_then(first: str) -> None:
    stream = writing(5, end=failed())
    assert failure(_WRITERS[first](stream)) == "it broke"
    for each in _WRITERS.values():
        assert each(stream) == CLOSED
    assert stream.subscribe(STORE).ready(STORE)


@pytest.mark.parametrize("first", _WRITERS)
def test_a_closed_output_stream_is_closed_for_everything(first: str) -> None:
    stream = writing(5, end=closed())
    assert _WRITERS[first](stream) == CLOSED
    for each in _WRITERS.values():
        assert each(stream) == CLOSED


def test_a_stream_that_closed_since_it_permitted_takes_nothing() -> None:
    stream = writing(5)
    stream.check_write(STORE)
    basin(stream).end = closed()
    assert stream.write(STORE, b"abc") == CLOSED
    assert basin(stream).taken == b""


# --- splice ---


def test_splice_moves_the_smaller_of_what_is_there_and_what_fits() -> None:
    session = new_session()
    source, sink = reading(b"abcdef", session=session), writing(4, session)
    assert sink.splice(STORE, source, 3) == {"ok": 3}
    assert sink.splice(STORE, source, HUGE) == {"ok": 1}
    assert sink.splice(STORE, source, HUGE) == {"ok": 0}  # no room
    basin(sink).room = 10
    assert sink.splice(STORE, source, HUGE) == {"ok": 2}
    assert sink.splice(STORE, source, HUGE) == {"ok": 0}  # nothing there
    assert sink.splice(STORE, source, 0) == {"ok": 0}
    assert basin(sink).taken == b"abcdef"


def test_splice_takes_of_what_was_permitted() -> None:
    sink = writing(5)
    sink.check_write(STORE)
    assert sink.splice(STORE, reading(b"abc"), 3) == {"ok": 3}
    with pytest.raises(TrapError):
        sink.write(STORE, b"abc")
    assert sink.write(STORE, b"de") == DONE


@pytest.mark.parametrize("splice", ["splice", "blocking_splice"])
def test_splice_tells_of_the_end_of_either_side(splice: str) -> None:
    for source, sink in ((reading(end=closed()), writing(5)), (reading(b"a"), writing(5, end=closed()))):
        assert getattr(sink, splice)(STORE, source, 10) == CLOSED
    for source, sink in ((reading(end=failed()), writing(5)), (reading(b"a"), writing(5, end=failed()))):
        assert failure(getattr(sink, splice)(STORE, source, 10)) == "it broke"


def test_the_failure_of_the_source_leaves_the_sink_open() -> None:
    sink = writing(5)
    failure(sink.splice(STORE, reading(end=failed()), 10))
    assert sink.check_write(STORE) == {"ok": 5}


def test_blocking_splice_waits_for_both() -> None:
    session = new_session()
    source, sink = reading(session=session), writing(0, session)
    spring = source.source
    assert isinstance(spring, Spring)

    def serve() -> None:
        while not basin(sink).watchers:
            time.sleep(0.001)
        basin(sink).drain(2)
        while not spring.watchers:
            time.sleep(0.001)
        spring.pieces.append(b"abc")
        spring.tell()

    thread = threading.Thread(target=serve)
    thread.start()
    assert sink.blocking_splice(STORE, source, HUGE) == {"ok": 2}
    thread.join()
    assert sink.blocking_splice(STORE, source, 0) == {"ok": 0}


@pytest.mark.parametrize("splice", ["splice", "blocking_splice"])
def test_a_source_that_is_gone_cannot_be_spliced_from(splice: str) -> None:
    source = reading(b"a")
    source.drop()
    with pytest.raises(TrapError, match="a resource that is gone: it was dropped"):
        getattr(writing(5), splice)(STORE, source, 1)


# --- waiting ends ---

_BLOCKING: dict[str, Callable[[Session], Any]] = {
    "blocking-read": lambda session: reading(session=session).blocking_read(STORE, 1),
    "blocking-skip": lambda session: reading(session=session).blocking_skip(STORE, 1),
    "blocking-write-and-flush": lambda session: writing(0, session).blocking_write_and_flush(STORE, b"a"),
    "blocking-write-zeroes-and-flush": lambda session: writing(0, session).blocking_write_zeroes_and_flush(STORE, 1),
    "blocking-flush": lambda session: writing(0, session).blocking_flush(STORE),
    "blocking-splice, no room": lambda session: writing(0, session).blocking_splice(STORE, reading(b"a"), 1),
    "blocking-splice, nothing there": lambda session: writing(1, session).blocking_splice(
        STORE, reading(session=session), 1
    ),
    "a pollable": lambda session: reading(session=session).subscribe(STORE).block(STORE),
}


@pytest.mark.parametrize("form", _BLOCKING)
def test_what_blocks_ends_with_the_deadline(form: str) -> None:
    session = new_session(seconds=0.05)
    started = time.monotonic()
    with pytest.raises(DeadlineError, match=r"while it waited for (input|room for output)"):
        _BLOCKING[form](session)
    assert 0.04 < time.monotonic() - started < 0.5  # alone on a machine within a millisecond


@pytest.mark.parametrize("form", _BLOCKING)
def test_what_blocks_ends_with_the_cancellation(form: str) -> None:
    cancellation = Cancellation()
    session = new_session(cancellation=cancellation)
    timer = threading.Timer(0.02, cancellation.cancel)
    timer.start()
    with pytest.raises(CancelledError, match=r"while it waited for (input|room for output)"):
        _BLOCKING[form](session)
    timer.join()
    assert not cancellation._wakers


# --- ends, and what becomes of them ---


def test_handles_that_a_guest_keeps_for_ever_keep_nothing_behind_them() -> None:
    session = new_session()
    source, sink = Spring(b"a"), Basin(1)
    ends: list[Callable[[], object]] = [weakref.ref(source), weakref.ref(sink)]
    handles: list[Any] = [InputStream(session, source, "input"), OutputStream(session, sink, "room")]
    handles += [handle.subscribe(STORE) for handle in handles]
    del source, sink
    session.end()
    assert [end() for end in ends] == [None, None]
    assert all(handle.gone for handle in handles)


def test_dropping_a_stream_closes_its_end_once() -> None:
    stream = reading(b"a")
    source = stream.source
    pollable = stream.subscribe(STORE)
    stream.drop()
    stream.drop()
    assert isinstance(source, Spring)
    assert source.closes == 1
    sink = writing(1)
    end = basin(sink)
    sink.drop()
    assert end.closes == 1
    with pytest.raises(TrapError, match="it was dropped"):
        stream.check()
    pollable.drop()


def test_streams_that_last_leave_their_end_to_the_session_and_are_not_kept() -> None:
    session = new_session()
    sink, source = Basin(5), Spring(b"a")
    for _ in range(1000):
        OutputStream(session, sink, "room", lasting=True)
        InputStream(session, source, "input", lasting=True)
    OutputStream(session, sink, "room", lasting=True).drop()
    session.end()
    session.close()
    assert (sink.closes, source.closes) == (0, 0)
    assert not session._lasting


def test_two_handles_of_one_end_that_both_have_a_permit_wait_for_each_other() -> None:
    session = new_session(seconds=10)
    sink = Basin(4)
    first, second = (OutputStream(session, sink, "room for output", lasting=True) for _ in range(2))
    assert first.check_write(STORE) == second.check_write(STORE) == {"ok": 4}
    assert first.write(STORE, b"1111") == DONE

    def drain() -> None:
        while not sink.watchers:
            time.sleep(0.001)
        sink.drain(4)

    thread = threading.Thread(target=drain)
    thread.start()
    assert second.write(STORE, b"2222") == DONE
    thread.join()
    assert sink.taken == b"11112222"


def test_nothing_and_nowhere() -> None:
    session = new_session()
    assert InputStream(session, EmptySource(), "input").blocking_read(STORE, 1) == CLOSED
    stream = OutputStream(session, NullSink(), "room")
    assert stream.check_write(STORE)["ok"] > 0
    assert stream.write(STORE, b"abc") == DONE
    assert stream.blocking_flush(STORE) == DONE
