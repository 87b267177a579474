"""Stdin, stdout and stderr: of a command, over real pipes, files and terminals; of a function, over its log."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polycall.interop.errors import DeadlineError
from polycall.wasm_runtime.wasi.console import Console, console_sink, console_source, is_terminal, write_out
from polycall.wasm_runtime.wasi.filesystem.types import Types as FilesystemTypes
from polycall.wasm_runtime.wasi.io.streams import InputStream, OutputStream
from polycall.wasm_runtime.wasi.session import Session
from wasi_sessions import STORE, new_session

CLOSED = {"err": {"closed": True}}
DONE = {"ok": None}
PIPE = 65536


class Descriptors:
    """Descriptors of one test, which are all closed at its end."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def keep(self, *descriptors: int) -> tuple[int, ...]:
        self._open.update(descriptors)
        return descriptors

    def pipe(self) -> tuple[int, ...]:
        return self.keep(*os.pipe())

    def close(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            self._open.remove(descriptor)
            os.close(descriptor)

    def close_all(self) -> None:
        self.close(*self._open)


@pytest.fixture
def descriptors() -> Iterator[Descriptors]:
    made = Descriptors()
    yield made
    made.close_all()


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open() -> Iterator[None]:
    before = _open_descriptors()
    yield
    assert _open_descriptors() - before <= 3, "the thread for input and output has three"


def _open_descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def command(
    stdin: int | None = None, stdout: int | None = None, stderr: int | None = None, seconds: float = 10
) -> Session:
    return new_session(console=Console(stdin, stdout, stderr), seconds=seconds)


def source_of(session: Session) -> InputStream:
    return InputStream(session, console_source(session), "input", lasting=True)


def sink_of(session: Session) -> OutputStream:
    return OutputStream(session, console_sink(session, "stdout"), "room for output", lasting=True)


def write_for_ever(stream: OutputStream) -> None:
    while True:
        assert stream.blocking_write_and_flush(STORE, bytes(4096)) == DONE


def blocks(descriptor: int) -> bool:
    return not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_NONBLOCK


# --- reading ---


def test_a_pipe_is_read_as_it_comes_and_ends_with_its_writer(descriptors: Descriptors) -> None:
    reader, writer = descriptors.pipe()
    session = command(reader)
    stream = source_of(session)
    assert stream.read(STORE, 100) == {"ok": b""}
    assert not stream.subscribe(STORE).ready(STORE)
    os.write(writer, b"abc\xff\0")
    assert stream.subscribe(STORE).ready(STORE)
    assert stream.blocking_read(STORE, 3) == {"ok": b"abc"}
    assert stream.skip(STORE, 100) == {"ok": 2}
    threading.Timer(0.02, os.write, (writer, b"late")).start()
    assert stream.blocking_read(STORE, 100) == {"ok": b"late"}
    threading.Timer(0.02, descriptors.close, (writer,)).start()
    assert stream.blocking_read(STORE, 100) == CLOSED
    session.close()


def test_handles_of_stdin_read_on_where_others_stopped(descriptors: Descriptors) -> None:
    reader, writer = descriptors.pipe()
    os.write(writer, b"abcd")
    session = command(reader)
    assert source_of(session).read(STORE, 2) == {"ok": b"ab"}
    assert source_of(session).read(STORE, 2) == {"ok": b"cd"}
    session.close()


def test_a_wait_for_input_ends_with_the_deadline(descriptors: Descriptors) -> None:
    reader, _writer = descriptors.pipe()
    session = command(reader, seconds=0.05)
    started = time.monotonic()
    with pytest.raises(DeadlineError, match="while it waited for input"):
        source_of(session).blocking_read(STORE, 1)
    assert time.monotonic() - started < 0.5
    session.close()


def test_the_near_end_of_a_terminal_is_that_of_this_one(descriptors: Descriptors) -> None:
    near, far = descriptors.keep(*pty.openpty())
    session = command(near, near)
    assert sink_of(session).blocking_write_and_flush(STORE, b"to the far end\n") == DONE
    assert select.select([far], [], [], 5)[0]
    assert os.read(far, 100) == b"to the far end\n"
    os.read(near, 100)  # the echo
    os.write(far, b"and back")
    assert source_of(session).blocking_read(STORE, 100) == {"ok": b"and back"}
    session.close()


def test_a_file_is_read_from_where_its_descriptor_stands(descriptors: Descriptors, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"0123456789")
    (file,) = descriptors.keep(os.open(path, os.O_RDONLY))
    os.lseek(file, 4, os.SEEK_SET)
    session = command(file)
    stream = source_of(session)
    assert stream.subscribe(STORE).ready(STORE)
    assert stream.blocking_read(STORE, 3) == {"ok": b"456"}
    assert stream.read(STORE, 100) == {"ok": b"789"}
    assert stream.read(STORE, 1) == CLOSED
    session.close()
    assert os.lseek(file, 0, os.SEEK_CUR) == 10  # whoever comes next reads on there


def test_the_null_device_is_empty_and_takes_everything(descriptors: Descriptors) -> None:
    (null,) = descriptors.keep(os.open(os.devnull, os.O_RDWR))
    session = command(null, null)
    assert source_of(session).blocking_read(STORE, 1) == CLOSED
    assert sink_of(session).blocking_write_and_flush(STORE, bytes(4096)) == DONE
    session.close()


def test_without_a_descriptor_stdin_is_empty() -> None:
    for session in (new_session(), command()):
        assert source_of(session).read(STORE, 1) == CLOSED
        assert source_of(session).subscribe(STORE).ready(STORE)
        session.close()


def test_a_folder_as_stdin_is_a_failure_without_paths(descriptors: Descriptors, tmp_path: Path) -> None:
    (folder,) = descriptors.keep(os.open(tmp_path, os.O_RDONLY))
    session = command(folder)
    outcome = source_of(session).blocking_read(STORE, 10)
    error = outcome["err"]["last-operation-failed"]
    assert error.cause == "is-directory"
    assert FilesystemTypes().filesystem_error_code(STORE, error) == "is-directory"
    assert str(tmp_path) not in error.to_debug_string(STORE)
    assert source_of(session).subscribe(STORE).ready(STORE)
    session.close()


def test_a_socket_is_read_and_written_though_it_cannot_be_opened_again() -> None:
    here, there = socket.socketpair()
    with here, there:
        session = command(here.fileno(), here.fileno())
        assert source_of(session).read(STORE, 1) == {"ok": b""}
        threading.Timer(0.02, there.sendall, (b"abc",)).start()
        assert source_of(session).blocking_read(STORE, 10) == {"ok": b"abc"}
        assert sink_of(session).blocking_write_and_flush(STORE, b"answer") == DONE
        assert there.recv(10) == b"answer"
        there.shutdown(socket.SHUT_WR)
        assert source_of(session).blocking_read(STORE, 10) == CLOSED
        assert blocks(here.fileno())
        session.close()
        here.sendall(b"it is still open")


# --- writing ---


def test_bytes_arrive_untouched(descriptors: Descriptors) -> None:
    reader, writer = descriptors.pipe()
    session = command(stdout=writer)
    data = bytes(range(256)) * 16
    assert sink_of(session).blocking_write_and_flush(STORE, data) == DONE
    assert os.read(reader, PIPE) == data
    session.close()


def test_as_much_as_a_pipe_holds_is_written_though_nobody_reads(descriptors: Descriptors) -> None:
    reader, writer = descriptors.pipe()
    session = command(stdout=writer, seconds=5)
    stream = sink_of(session)
    for _ in range(PIPE // 4096):
        assert stream.blocking_write_and_flush(STORE, bytes(4096)) == DONE
    assert stream.blocking_flush(STORE) == DONE
    write_out(session)
    session.close()
    assert len(os.read(reader, 2 * PIPE)) == PIPE


def test_a_full_pipe_holds_the_guest_up_and_the_host_keeps_one_piece(descriptors: Descriptors) -> None:
    reader, writer = descriptors.pipe()
    session = command(stdout=writer, seconds=10)
    stream = sink_of(session)
    written = 0
    while permit := stream.check_write(STORE)["ok"]:
        assert stream.write(STORE, bytes(permit)) == DONE
        written += permit
    assert written <= 3 * PIPE
    pollable = stream.subscribe(STORE)
    assert not pollable.ready(STORE)
    read = len(os.read(reader, PIPE))
    pollable.block(STORE)
    assert stream.check_write(STORE)["ok"] > 0
    read += len(os.read(reader, PIPE))
    write_out(session)
    session.close()
    descriptors.close(writer)
    while data := os.read(reader, PIPE):
        read += len(data)
    assert read == written


def test_a_wait_for_room_ends_with_the_deadline(descriptors: Descriptors) -> None:
    _reader, writer = descriptors.pipe()
    session = command(stdout=writer, seconds=0.05)
    stream = sink_of(session)
    started = time.monotonic()
    with pytest.raises(DeadlineError, match="while it waited for room for output"):
        write_for_ever(stream)
    with pytest.raises(DeadlineError):
        write_out(session)
    assert time.monotonic() - started < 0.5
    session.close()


def test_a_slow_reader_gets_everything_in_order(descriptors: Descriptors) -> None:
    reader, writer = descriptors.pipe()
    got = bytearray()

    def read() -> None:
        while data := os.read(reader, 1000):
            got.extend(data)

    thread = threading.Thread(target=read)
    thread.start()
    session = command(stdout=writer, seconds=30)
    stream = sink_of(session)
    sent = bytearray()
    for number in range(300):
        piece = number.to_bytes(2) * 1500
        sent += piece
        assert stream.blocking_write_and_flush(STORE, piece) == DONE
    write_out(session)
    session.close()
    descriptors.close(writer)
    thread.join()
    assert bytes(got) == bytes(sent)


def test_a_pipe_that_nobody_reads_any_more_is_closed_and_no_failure(descriptors: Descriptors) -> None:
    reader, writer = descriptors.pipe()
    session = command(stdout=writer)
    stream, other = sink_of(session), sink_of(session)
    assert stream.blocking_write_and_flush(STORE, b"a") == DONE
    descriptors.close(reader)
    assert stream.blocking_write_and_flush(STORE, b"b") == CLOSED
    assert stream.check_write(STORE) == CLOSED
    assert stream.subscribe(STORE).ready(STORE)
    assert other.blocking_write_and_flush(STORE, b"c") == CLOSED
    write_out(session)
    session.close()


def test_a_pipe_that_breaks_while_something_is_on_its_way_tells_whoever_asks_next(descriptors: Descriptors) -> None:
    reader, writer = descriptors.pipe()
    session = command(stdout=writer)
    stream = sink_of(session)
    while permit := stream.check_write(STORE)["ok"]:
        stream.write(STORE, bytes(permit))
    pollable = stream.subscribe(STORE)
    descriptors.close(reader)
    pollable.block(STORE)
    assert pollable.ready(STORE)
    assert stream.check_write(STORE) == CLOSED
    session.close()


def test_files_are_written_where_their_descriptor_stands(descriptors: Descriptors, tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"before ")
    (file,) = descriptors.keep(os.open(path, os.O_WRONLY | os.O_APPEND))
    session = command(stdout=file)
    stream = sink_of(session)
    assert stream.blocking_write_and_flush(STORE, b"after") == DONE
    assert stream.check_write(STORE)["ok"] >= 4096
    session.close()
    os.write(file, b" and later")
    assert path.read_bytes() == b"before after and later"


def test_a_full_device_is_a_failure(descriptors: Descriptors) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    (full,) = descriptors.keep(os.open("/dev/full", os.O_WRONLY))
    session = command(stdout=full)
    outcome = sink_of(session).blocking_write_and_flush(STORE, b"a")
    assert outcome["err"]["last-operation-failed"].cause == "insufficient-space"
    session.close()


def test_what_a_descriptor_does_not_allow_is_a_failure(descriptors: Descriptors, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    (file,) = descriptors.keep(os.open(path, os.O_RDONLY))
    session = command(stdout=file)
    assert "last-operation-failed" in sink_of(session).blocking_write_and_flush(STORE, b"a")["err"]
    session.close()
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_others_who_have_the_same_file_do_not_find_it_non_blocking(descriptors: Descriptors, kind: str) -> None:
    if kind == "pipe":
        reader, writer = descriptors.pipe()
    else:
        _master, reader = descriptors.keep(*pty.openpty())
        writer = reader
    session = command(reader, writer)
    source_of(session).read(STORE, 1)
    sink_of(session).blocking_write_and_flush(STORE, b"a")
    assert blocks(reader)
    assert blocks(writer)
    session.close()
    assert blocks(reader)
    assert blocks(writer)


def test_nothing_is_read_or_written_by_the_number_of_a_descriptor_that_was_given_back(
    descriptors: Descriptors,
) -> None:
    reader, writer = descriptors.pipe()
    session = command(reader, writer)
    source, sink = console_source(session), console_sink(session, "stdout")
    session.close()
    other_reader, other_writer = descriptors.pipe()
    os.write(other_writer, b"of others")
    assert InputStream(session, source, "input").read(STORE, 10) == CLOSED
    assert OutputStream(session, sink, "room").blocking_write_and_flush(STORE, b"a") == CLOSED
    source.close()
    sink.close()
    assert os.read(other_reader, 10) == b"of others"


# --- terminals ---


def test_a_terminal_is_there_where_there_is_one_and_is_written_and_read(descriptors: Descriptors) -> None:
    master, terminal = descriptors.keep(*pty.openpty())
    reader, writer = descriptors.pipe()
    session = command(terminal, terminal, writer)
    assert [is_terminal(session, name) for name in ("stdin", "stdout", "stderr")] == [True, True, False]
    assert sink_of(session).blocking_write_and_flush(STORE, b"prompt> ") == DONE
    assert os.read(master, 100) == b"prompt> "
    threading.Timer(0.02, os.write, (master, b"line\n")).start()
    assert source_of(session).blocking_read(STORE, 100) == {"ok": b"line\n"}
    session.close()
    del reader
    for session in (new_session(), command()):
        assert not any(is_terminal(session, name) for name in ("stdin", "stdout", "stderr"))


# --- the log of a function ---


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, record.getMessage()) for record in caplog.records]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, "polycall.entry.app:guest"):
        yield caplog


def test_stdout_and_stderr_of_a_function_are_lines_of_its_log(log: pytest.LogCaptureFixture) -> None:
    session = new_session()
    out = OutputStream(session, console_sink(session, "stdout"), "room", lasting=True)
    err = OutputStream(session, console_sink(session, "stderr"), "room", lasting=True)
    out.blocking_write_and_flush(STORE, b"one\r\ntw")
    err.blocking_write_and_flush(STORE, b"warning\n")
    out.blocking_write_and_flush(STORE, b"o\n\n\xffthree")
    assert lines(log) == [
        (logging.INFO, "one"),
        (logging.WARNING, "warning"),
        (logging.INFO, "two"),
        (logging.INFO, ""),
    ]
    session.end()
    assert lines(log)[4:] == [(logging.INFO, "\\xffthree")]


def test_the_last_line_without_an_end_belongs_to_its_call(log: pytest.LogCaptureFixture) -> None:
    session = new_session()
    call = session.running().call_id
    OutputStream(session, console_sink(session, "stdout"), "room", lasting=True).blocking_write_and_flush(STORE, b"end")
    session.end()
    (record,) = log.records
    assert record.__dict__["call_id"] == call


def test_a_line_without_end_is_kept_to_its_bound(log: pytest.LogCaptureFixture) -> None:
    session = new_session()
    stream = OutputStream(session, console_sink(session, "stdout"), "room", lasting=True)
    for _ in range(300):
        stream.blocking_write_and_flush(STORE, b"x" * 4096)
    stream.blocking_write_and_flush(STORE, b"\nnext\n")
    (_, long), (_, after) = lines(log)
    assert len(long) <= 16 * 1024
    assert long.endswith("bytes dropped)")
    assert after == "next"
    session.end()


def test_a_call_writes_so_much_and_the_next_one_again(log: pytest.LogCaptureFixture) -> None:
    session = new_session(output_bytes=1000)
    stream = OutputStream(session, console_sink(session, "stdout"), "room", lasting=True)
    for _ in range(100):
        stream.blocking_write_and_flush(STORE, b"x" * 100 + b"\n")
    session.end()
    texts = [text for _, text in lines(log)]
    assert texts.count("x" * 100) == 6
    assert "limits.max_output_bytes" in texts[6]
    assert texts[7] == "dropped output of this call: 94 lines, 9400 bytes"


def test_thousands_of_lines_in_one_write_end_with_the_deadline(log: pytest.LogCaptureFixture) -> None:
    session = new_session(seconds=0)
    stream = OutputStream(session, console_sink(session, "stdout"), "room", lasting=True)
    permit = stream.check_write(STORE)["ok"]
    with pytest.raises(DeadlineError, match="while it wrote to its log"):
        stream.write(STORE, b"\n" * permit)
    assert len(log.records) < 1000


def test_a_guest_that_asks_for_stdout_again_and_again_costs_one_end() -> None:
    session = new_session()
    for _ in range(10_000):
        OutputStream(session, console_sink(session, "stdout"), "room", lasting=True)
    assert len(session.ends()) == 1
    assert not session._lasting
    session.close()
