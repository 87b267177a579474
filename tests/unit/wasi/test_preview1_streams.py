"""Preview 1: stdin, stdout and stderr; arguments and variables; clocks and random bytes; a guest's end."""

from __future__ import annotations

import logging
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from polycall.interop.errors import ExitError, TrapError
from polycall.wasm_runtime.wasi.console import Console
from wasip1_guests import OUT, Host, Steps
from wasm_guests import call

AGAIN, BADF, INVAL, NOTCAPABLE, NOTSOCK, NOTSUP, SPIPE = 6, 8, 28, 76, 57, 58, 70


@contextmanager
def pipes() -> Iterator[tuple[Console, int, int]]:
    """Lends a console of pipes, where to write to its stdin, and where to read its stdout."""
    stdin, to_stdin = os.pipe()
    from_stdout, stdout = os.pipe()
    try:
        yield Console(stdin, stdout, stdout), to_stdin, from_stdout
    finally:
        for each in (stdin, to_stdin, from_stdout, stdout):
            os.close(each)


def test_what_is_written_goes_to_the_log_line_by_line(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    first, second = steps.text("one\ntw"), steps.text("o\nthree")
    with (
        caplog.at_level(logging.INFO),
        caplog.at_level(logging.INFO, "polycall"),
        caplog.at_level(logging.INFO, "polycall.entry"),
    ):
        done = steps.call("fd_write", 1, steps.buffers(first, second), 2, OUT).run()
    assert done.errnos == [0]
    assert done.u32() == 13
    assert [each.message for each in caplog.records] == ["one", "two", "three"]


def test_what_is_written_to_stderr_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    steps.call("fd_write", 2, steps.buffers(steps.text("careful")), 1, OUT).run()
    assert [(each.levelname, each.message) for each in caplog.records] == [("WARNING", "careful")]


def test_a_function_has_an_empty_stdin() -> None:
    steps = Steps()
    done = steps.call("fd_read", 0, steps.buffers((2048, 100)), 1, OUT).run()
    assert (done.errnos, done.u32()) == ([0], 0)


def test_a_command_reads_and_writes_its_console() -> None:
    with pipes() as (console, to_stdin, from_stdout):
        os.write(to_stdin, b"to be scattered")
        steps = Steps(Host(console=console))
        steps.call("fd_read", 0, steps.buffers((2048, 5), (2100, 100)), 2, OUT)
        steps.call("fd_write", 1, steps.buffers((2100, 10), (2048, 5)), 2, OUT + 4)
        done = steps.run()
        assert done.errnos == [0, 0]
        assert (done.u32(), done.u32(OUT + 4)) == (15, 15)
        assert os.read(from_stdout, 100) == b" scatteredto be"


def test_input_that_does_not_wait_says_again() -> None:
    with pipes() as (console, to_stdin, _):
        steps = Steps(Host(console=console))
        read = steps.buffers((2048, 5))
        steps.call("fd_read", 0, read, 1, OUT)
        os.write(to_stdin, b"x")
        waits = Steps(Host(console=console)).call("fd_fdstat_set_flags", 0, 4)
        waits.call("fd_read", 0, waits.buffers((2048, 5)), 1, OUT)
        waits.call("fd_read", 0, waits.buffers((2048, 5)), 1, OUT)
        assert waits.run().errnos == [0, 0, AGAIN]


def test_arguments_and_variables() -> None:
    host = Host(arguments=("tool", "ärger"), variables={"A": "1", "B": "zwei"})
    steps = Steps(host).call("args_sizes_get", OUT, OUT + 4).call("environ_sizes_get", OUT + 8, OUT + 12)
    steps.call("args_get", 2000, 2100).call("environ_get", 2200, 2300)
    done = steps.run()
    assert done.errnos == [0, 0, 0, 0]
    assert struct.unpack_from("<4I", done.memory, OUT) == (2, 12, 2, 11)
    assert struct.unpack_from("<2I", done.memory, 2000) == (2100, 2105)
    assert done.text(2100, 12) == "tool\0ärger\0".encode()
    assert struct.unpack_from("<2I", done.memory, 2200) == (2300, 2304)
    assert done.text(2300, 11) == b"A=1\0B=zwei\0"


class Growing(dict[str, str]):
    """Variables that are longer each time somebody asks."""

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self[name] += "+"
        return super().get(name, default)


def test_variables_that_change_meanwhile_take_the_room_that_the_guest_was_told() -> None:
    steps = Steps(Host(variables=Growing(A="")))
    steps.call("environ_sizes_get", OUT, OUT + 4).call("environ_get", 2000, 2100)
    steps.call("environ_sizes_get", OUT + 8, OUT + 12).call("environ_get", 2200, 2300)
    with steps.host.instance(steps.source(), wit="run: func() -> list<u8>") as instance:
        first, second = steps.run_in(instance), steps.run_in(instance)
    assert struct.unpack_from("<4I", first.memory, OUT) == (1, 4, 1, 5)
    assert (first.text(2100, 5), first.text(2300, 6)) == (b"A=+\0\0", b"A=++\0\0")
    assert (second.text(2100, 7), second.text(2300, 8)) == (b"A=+++\0\0", b"A=++++\0\0")


def test_clocks() -> None:
    steps = Steps()
    for place, clock in enumerate((0, 1)):
        steps.call("clock_time_get", clock, 1, OUT + 8 * place).call("clock_res_get", clock, OUT + 16 + 8 * place)
    steps.call("clock_time_get", 1, 0, OUT + 32)
    for other in (2, 3, 4):
        steps.call("clock_time_get", other, 0, 2000).call("clock_res_get", other, 2000)
    done = steps.run()
    assert done.errnos == [0] * 5 + [INVAL] * 6
    assert abs(done.u64() - time.time_ns()) < 60 * 10**9
    assert done.u64(OUT + 8) <= done.u64(OUT + 32)
    assert done.u64(OUT + 16) >= 1
    assert done.u64(OUT + 24) == 1


def test_random_bytes() -> None:
    done = Steps().call("random_get", 2000, 64).call("random_get", 2064, 0).run()
    assert done.errnos == [0, 0]
    assert done.text(2000, 32) != done.text(2032, 32)
    assert not any(done.text(2064, 100))


@pytest.mark.parametrize("status", [0, 1, 33, 255, 2**32 - 1])
def test_exit(status: int) -> None:
    steps = Steps().call("proc_exit", status).call("sched_yield")
    if not status:
        with steps.host.instance(steps.source(), wit="run: func() -> list<u8>") as instance:
            with pytest.raises(AssertionError):  # it gives no memory: it came to no end of its own
                steps.run_in(instance)
            assert instance.poisoned
        return
    with pytest.raises(ExitError, match=f"the guest exited with status {status}$") as raised:
        steps.run()
    assert raised.value.exit_status == status


def test_there_are_neither_signals_nor_sockets() -> None:
    steps = Steps().call("proc_raise", 9).call("sched_yield")
    for fd in (0, 77):
        steps.call("sock_accept", fd, 0, OUT).call("sock_recv", fd, 0, 0, 0, OUT, OUT)
        steps.call("sock_send", fd, 0, 0, 0, OUT).call("sock_shutdown", fd, 1)
    steps.call("sock_shutdown", 0, 4)
    assert steps.run().errnos == [NOTSUP, 0, *[NOTSOCK] * 4, *[BADF] * 4, INVAL]


def test_streams_have_no_places() -> None:
    steps = Steps()
    buffers = steps.buffers((2048, 5))
    steps.call("fd_seek", 0, 0, 1, OUT).call("fd_tell", 1, OUT)
    steps.call("fd_pread", 0, buffers, 1, 0, OUT).call("fd_pwrite", 1, buffers, 1, 0, OUT)
    steps.call("fd_read", 1, buffers, 1, OUT).call("fd_write", 0, buffers, 1, OUT)
    assert steps.run().errnos == [*[SPIPE] * 4, BADF, BADF]


def test_kinds_and_rights_of_streams() -> None:
    steps = Steps().call("fd_fdstat_get", 0, 2000).call("fd_fdstat_get", 1, 2048).call("fd_filestat_get", 2, 2100 + 4)
    done = steps.run()
    assert done.errnos == [0, 0, 0]
    for address, right in ((2000, 1 << 1), (2048, 1 << 6)):
        kind, flags, rights, inheriting = struct.unpack_from("<BxH4xQQ", done.memory, address)
        assert (kind, flags, inheriting) == (0, 0, 0)
        assert rights & right
        assert not rights & (1 << 2 | 1 << 5)  # nor seek nor tell: so a C library may take it for a terminal


def test_rights_are_given_away_for_good() -> None:
    steps = Steps()
    buffers = steps.buffers(steps.text("x"))
    steps.call("fd_fdstat_set_rights", 1, 1 << 3, 0)
    steps.call("fd_write", 1, buffers, 1, OUT).call("fd_fdstat_set_rights", 1, 1 << 6, 0)
    steps.call("fd_filestat_get", 1, 2000).call("fd_fdstat_set_flags", 1, 4).call("fd_fdstat_set_flags", 1, 16)
    steps.call("fd_fdstat_set_rights", 2, 2**64 - 1, 0)
    assert steps.run().errnos == [0, BADF, NOTCAPABLE, NOTCAPABLE, 0, INVAL, NOTCAPABLE]


def test_descriptors_are_numbered_anew_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    buffers = steps.buffers(steps.text("to what was stderr"))
    steps.call("fd_renumber", 2, 1).call("fd_write", 1, buffers, 1, OUT).call("fd_write", 2, buffers, 1, OUT)
    steps.call("fd_renumber", 1, 2).call("fd_renumber", 1, 1).call("fd_close", 1).call("fd_close", 1)
    assert steps.run().errnos == [0, 0, BADF, BADF, 0, 0, BADF]
    assert [each.levelname for each in caplog.records] == ["WARNING"]


def test_memory_is_there_while_a_module_starts() -> None:
    source = """(module
        (import "wasi_snapshot_preview1" "clock_res_get" (func $res (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func $start (drop (call $res (i32.const 1) (i32.const 8))))
        (start $start)
        (func (export "run") (result i64) (i64.load (i32.const 8))))"""
    with Host().instance(source, wit="run: func() -> u64") as instance:
        assert call(instance) == 1


def test_a_module_without_memory_has_none_to_write_to() -> None:
    source = """(module
        (import "wasi_snapshot_preview1" "clock_res_get" (func $res (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (func (export "yield") (result i32) (call $yield))
        (func (export "run") (result i32) (call $res (i32.const 1) (i32.const 8))))"""
    with Host().instance(source, "yield", "yield: func() -> u32") as instance:
        assert call(instance) == 0
    with Host().instance(source, wit="run: func() -> u32") as instance, pytest.raises(TrapError, match="outside"):
        call(instance)
