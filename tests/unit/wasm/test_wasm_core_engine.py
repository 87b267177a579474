"""Core modules of the project's own: linked, started from images, called, bounded, interrupted, hostile."""

from __future__ import annotations

import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import wasmtime

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.core_engine import CoreEngine, CoreGuest, CoreModule, HostFunction
from polycall.interop.errors import (
    CancelledError,
    DeadlineError,
    GuestError,
    InternalError,
    MemoryLimitError,
    MissingExportError,
    PreparationError,
    TrapError,
)
from polycall.wasm_runtime.core_engine import WasmCoreEngine
from polycall.wasm_runtime.core_engine.guest import WasmCoreGuest
from polycall.wasm_runtime.engine import native, wasm_engine
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

PAGE = 65536
WORKER = """(module
  (import "env" "memory" (memory 1))
  (import "host" "call" (func $host))
  (tag $error (param i32))
  (func (export "host") (call $host))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "twice") (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2)))
  (func (export "nothing"))
  (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "caught") (param i32) (result i32)
    (block $handler (result i32)
      (try_table (catch $error $handler) (throw $error (local.get 0))) (i32.const -1)))
  (func (export "uncaught") (throw $error (i32.const 1)))
  (func $storm (export "storm") (param $times i32) (local $at i32)
    (loop $again
      (block $handler (result i32)
        (try_table (catch $error $handler) (throw $error (local.get $at))) (i32.const 0)) (drop)
      (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $times)))))
  (func (export "hidden") (param i32) (result i32)
    (block $handler (call $host)
      (return (i32.const 1))) (i32.const 2))
  (func (export "all") (result i32)
    (block $handler
      (try_table (catch_all $handler) (call $host))
      (return (i32.const 1))) (i32.const 2))
  (func (export "spin") (loop $again (br $again)))
  (func (export "spin_in_handlers")
    (loop $again (block $handler (try_table (catch_all $handler) (throw $error (i32.const 0)))) (br $again)))
  (func $deep (export "deep") (result i32) (i32.add (call $deep) (i32.const 1)))
  (func (export "full") (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable))
  (func (export "pair") (result i32 i32) (i32.const 1) (i32.const 2)))"""


def no_host() -> None:
    raise AssertionError("nobody should call")


def context(seconds: float | None = None, cancellation: Cancellation | None = None) -> CallContext:
    deadline = None if seconds is None else time.monotonic() + seconds
    return CallContext("app:f", "lua", deadline=deadline, cancellation=cancellation)


@pytest.fixture(scope="module", name="engine")
def _engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreEngine]:
    engine = WasmEngine()
    yield WasmCoreEngine(engine, tmp_path_factory.mktemp("cache"))
    engine.ticker.close()


def module(engine: CoreEngine, text: str) -> CoreModule:
    return engine.module(bytes(wasmtime.wat2wasm(text)))


@pytest.fixture(name="started")
def _started(engine: CoreEngine) -> Iterator[Callable[..., CoreGuest]]:
    """Starts guests, in which a call has begun."""
    guests: list[CoreGuest] = []

    def start(
        host: HostFunction = no_host,
        frame: CallContext | None = None,
        memory_bytes: int | None = None,
        memory: bytes = bytes(PAGE),
    ) -> CoreGuest:
        program = engine.program(engine.image(memory), module(engine, WORKER))
        guest = program.start(host, frame or context(), memory_bytes=memory_bytes)
        guests.append(guest)
        return guest

    yield start
    for guest in guests:
        guest.end()
        guest.close()


Started = Callable[..., CoreGuest]


def test_numbers_go_in_and_out(started: Started) -> None:
    guest = started()
    assert guest.function("add")(2**32 - 1, 3) == 2
    assert guest.function("twice")(-(2**62)) == -(2**63)
    assert guest.function("nothing")() is None


def test_the_host_function_finds_and_leaves_what_is_said_in_the_memory(started: Started) -> None:
    def host() -> None:
        guest.memory.view[4] = guest.memory.view[0] + 1

    guest = started(host)
    for asked in (1, 7):
        guest.function("poke")(0, asked)
        guest.function("host")()
        assert guest.function("peek")(4) == asked + 1


def test_a_host_function_cannot_call_its_guest(started: Started) -> None:
    def host() -> None:
        guest.function("add")(40, 2)

    guest = started(host)
    with pytest.raises(InternalError, match="while its host answers it"):
        guest.function("host")()


def test_a_guest_whose_call_failed_cannot_be_called_again(started: Started) -> None:
    guest = started()
    with pytest.raises(TrapError):
        guest.function("deep")()
    with pytest.raises(InternalError, match="after its end"):
        guest.function("add")(1, 2)


def test_exceptions_of_webassembly_are_caught_and_end_calls_where_they_are_not(started: Started) -> None:
    assert started().function("caught")(23) == 23
    with pytest.raises(TrapError, match="exception"):
        started().function("uncaught")()


def test_any_number_of_exceptions_takes_no_memory_that_grows(started: Started) -> None:
    started(memory_bytes=2 * PAGE).function("storm")(200_000)


@pytest.mark.parametrize("numbers", [(), (1,), (1, 2, 3), (-1, 0), (2**32, 0), ("1", 2), (1.5, 2)])
def test_numbers_that_do_not_fit_are_refused_before_the_guest_runs(started: Started, numbers: tuple[int, ...]) -> None:
    guest = started()
    with pytest.raises(struct.error):
        guest.function("add")(*numbers)
    assert guest.function("add")(1, 2) == 3


@pytest.mark.parametrize("name", ["missing", "memory", "pair"])
def test_what_is_no_function_of_numbers_is_not_found(started: Started, name: str) -> None:
    with pytest.raises(MissingExportError, match=name):
        started().function(name)


# images


def test_a_guest_starts_with_the_memory_of_another(engine: CoreEngine, started: Started) -> None:
    first = started(memory=bytes(3 * PAGE))
    for at in (0, 4096, PAGE + 4, 3 * PAGE - 4):
        first.function("poke")(at, at + 1)
    later = started(memory=bytes(first.memory.view))
    assert later.memory.size == 3 * PAGE
    assert [later.function("peek")(at) for at in (0, 4, 4096, PAGE + 4, 3 * PAGE - 4)] == [
        1, 0, 4097, PAGE + 5, 3 * PAGE - 3,
    ]  # fmt: skip


def test_guests_of_one_image_share_nothing_that_they_write(engine: CoreEngine) -> None:
    program = engine.program(engine.image(b"\x05" + bytes(PAGE - 1)), module(engine, WORKER))
    one, other = (program.start(no_host, context()) for _ in range(2))
    one.function("poke")(0, 99)
    other.function("poke")(8, 77)
    assert (one.function("peek")(0), other.function("peek")(0)) == (99, 5)
    assert one.function("peek")(8) == 0
    third = program.start(no_host, context())
    assert third.function("peek")(0) == 5
    for guest in (one, other, third):
        guest.end()
        guest.close()


DIVISIBLE = """(module (import "env" "memory" (memory 2)) (data (i32.const 4) "\\07") (data (i32.const 65540) "\\09")
  (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1))))"""


def test_a_divided_module_goes_on_from_what_it_has_made_of_its_memory(engine: CoreEngine) -> None:
    memory, code = engine.divided(bytes(wasmtime.wat2wasm(DIVISIBLE)))
    first = engine.program(memory, code).start(no_host, context())
    assert [first.function("peek")(at) for at in (4, 65540, 2 * PAGE - 4)] == [7, 9, 0]
    first.function("poke")(4, 8)
    later = engine.program(engine.image(first.content()), code).start(no_host, context())
    assert [later.function("peek")(at) for at in (4, 65540)] == [8, 9]
    for guest in (first, later):
        guest.end()
        guest.close()


@pytest.mark.parametrize(
    "binary", [b"\0asm\1\0\0\0", b"\0asm\1\0\0\0\xff", b""], ids=["no memory", "cut off", "nothing"]
)
def test_what_cannot_be_divided_is_said(engine: CoreEngine, binary: bytes) -> None:
    with pytest.raises(PreparationError):
        engine.divided(binary)


# what must not be linked


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('(module (import "a" "one" (func)) (import "a" "two" (func)))', "two"),
        ('(module (import "a" "g" (global i32)))', '"g" of "a"'),
        ('(module (import "a" "memory" (memory 1)))', "memory"),
        ('(module (import "a" "f" (func (result i32))))', '"f"'),
        ('(module (import "a" "f" (func (param i32))))', '"f"'),
        ('(module (import "a" "f" (func (param externref))))', '"f"'),
    ],
)
def test_what_nobody_gives_is_not_linked(engine: CoreEngine, text: str, named: str) -> None:
    with pytest.raises(PreparationError, match=named):
        engine.program(module(engine, text))


def test_an_import_of_another_type_is_refused(engine: CoreEngine) -> None:
    gives = module(engine, '(module (func (export "f") (param i32)))')
    wants = module(engine, '(module (import "a" "f" (func (param i64))))')
    program = engine.program(gives, wants)
    with pytest.raises(TrapError, match="incompatible import type"):
        program.start(no_host, context())


def test_of_two_exports_the_latest_is_given(engine: CoreEngine) -> None:
    one, two = (module(engine, f'(module (func (export "f") (result i32) (i32.const {each})))') for each in (1, 2))
    last = '(module (import "" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))'
    guest = engine.program(one, two, module(engine, last)).start(no_host, context())
    assert (guest.function("g")(), guest.function("f")()) == (2, 2)
    guest.end()
    guest.close()


def test_what_does_not_compile_is_said(engine: CoreEngine) -> None:
    with pytest.raises(PreparationError, match="does not compile"):
        engine.module(b"\0asm\1\0\0\0\xff")


def test_a_memory_that_is_none_is_refused(engine: CoreEngine) -> None:
    program = engine.program(module(engine, '(module (func (export "memory")))'))
    with pytest.raises(PreparationError, match="memory"):
        program.start(no_host, context())


# bounds of memory


def test_a_memory_grows_up_to_its_bound(started: Started) -> None:
    guest = started(memory_bytes=3 * PAGE)
    grow = guest.function("grow")
    assert (grow(2), grow(1), grow(0)) == (1, 2**32 - 1, 3)
    assert len(guest.memory.fence(3 * PAGE - 1, 1, "it")) == 3 * PAGE
    for at, size in ((3 * PAGE, 1), (2**32 - 1, 1), (0, 2**64)):
        with pytest.raises(TrapError, match="it is outside of the guest's memory"):
            guest.memory.fence(at, size, "it")


def test_an_image_beyond_the_bound_is_refused(started: Started) -> None:
    with pytest.raises(MemoryLimitError, match="exceeds memory limits"):
        started(memory_bytes=PAGE, memory=bytes(2 * PAGE))


def test_a_guest_that_gives_up_for_lack_of_memory_says_so(started: Started) -> None:
    with pytest.raises(MemoryLimitError):
        started(memory_bytes=20 * PAGE).function("full")()


# few addresses


@pytest.fixture(name="few_addresses")
def _few_addresses() -> Iterator[int]:
    """Leaves the process 8 GiB more than it has; gives how many those are in all."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + (8 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    yield most
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process knows how many addresses it has")
def test_where_addresses_are_few_guests_reserve_few(few_addresses: int, tmp_path: Path) -> None:
    roomy = WasmEngine()
    engine = WasmCoreEngine(roomy, tmp_path)
    program = engine.program(engine.image(bytes(16 * PAGE)), module(engine, WORKER))
    guests = [program.start(no_host, context()) for _ in range(3)]
    most = program.most_bytes or 0
    assert 64 << 20 <= most <= max(64 << 20, few_addresses // 80)
    last = most - 4
    for guest in guests:
        assert guest.function("caught")(23) == 23  # its heap of exceptions has room too
        assert guest.function("grow")(most // PAGE - 16) == 16
        assert guest.function("grow")(1) == 2**32 - 1
        guest.function("poke")(last, 7)
        assert guest.function("peek")(last) == 7
    with pytest.raises(TrapError, match="out of bounds"):
        guests[0].function("peek")(last + 1)
    for guest in guests:
        guest.end()
        guest.close()
    roomy.ticker.close()


def test_code_for_few_addresses_is_no_code_for_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wasm_engine, "sparing_reservation", lambda: 64 << 20)
    engine = WasmEngine()
    module(WasmCoreEngine(engine, tmp_path), WORKER)
    monkeypatch.setattr(wasm_engine, "sparing_reservation", lambda: None)
    module(WasmCoreEngine(engine, tmp_path), WORKER)
    assert len(list(tmp_path.glob("*.compiled"))) == 2


def test_a_loop_ends_at_the_deadline_where_addresses_are_few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wasm_engine, "sparing_reservation", lambda: 64 << 20)
    engine = WasmCoreEngine(WasmEngine(), tmp_path)
    guest = engine.program(engine.image(bytes(16 * PAGE)), module(engine, WORKER)).start(no_host, context(0.05))
    with pytest.raises(DeadlineError):
        guest.function("spin")()
    guest.end()
    guest.close()


# hostile calls


@pytest.mark.parametrize("spin", ["spin", "spin_in_handlers"])
def test_a_loop_ends_at_the_deadline(started: Started, spin: str) -> None:
    begun = time.monotonic()
    with pytest.raises(DeadlineError):
        started(frame=context(0.05)).function(spin)()
    assert time.monotonic() - begun < 5


def test_a_loop_ends_when_it_is_cancelled(started: Started) -> None:
    stop = Cancellation()
    guest = started(frame=context(cancellation=stop))
    timer = threading.Timer(0.05, stop.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        guest.function("spin")()
    timer.join()


def test_start_code_ends_at_the_deadline(engine: CoreEngine) -> None:
    program = engine.program(module(engine, "(module (func $f (loop $again (br $again))) (start $f))"))
    with pytest.raises(DeadlineError):
        program.start(no_host, context(0.05))


def test_a_recursion_without_end_is_a_trap(started: Started) -> None:
    with pytest.raises(TrapError, match="call stack exhausted"):
        started().function("deep")()


def test_no_handler_of_the_guest_sees_what_the_host_raises(started: Started) -> None:
    def refuse() -> None:
        raise GuestError("ends it")

    with pytest.raises(GuestError, match="ends it"):
        started(refuse).function("all")()
    assert started(lambda: None).function("all")() == 1


def test_an_interrupt_of_the_host_is_raised_as_it_is(started: Started) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        started(interrupt).function("host")()


def test_what_is_no_error_of_ours_is_the_cause_of_one(started: Started) -> None:
    def fail() -> None:
        raise ValueError("mistake")

    with pytest.raises(InternalError, match="mistake") as failed:
        started(fail).function("host")()
    assert isinstance(failed.value.__cause__, ValueError)


def test_nothing_reaches_a_guest_that_is_closed(engine: CoreEngine) -> None:
    guest = engine.program(engine.image(bytes(PAGE)), module(engine, WORKER)).start(no_host, context())
    add, memory = guest.function("add"), guest.memory
    view = memory.view
    guest.end()
    guest.close()
    guest.close()
    with pytest.raises(InternalError, match="after its end"):
        add(1, 2)
    for use in (lambda: guest.begin(context()), lambda: guest.function("add"), guest.end):
        with pytest.raises(InternalError, match="after its end"):
            use()
    with pytest.raises(ValueError, match="released"):
        view[0]
    with pytest.raises(TrapError):
        memory.fence(0, 1, "it")


# instances that have one guest after the other

_PAGES = 5
_FULL = b"\x07" * PAGE
_MIDDLE = bytes(2 * PAGE) + _FULL + bytes(2 * PAGE)


@pytest.fixture(name="starting_over")
def _starting_over(tmp_path: Path) -> Iterator[Callable[..., CoreGuest]]:
    """Starts guests of one program that may have each other's instances; the first one has left already."""
    engine = WasmEngine()
    core = WasmCoreEngine(engine, tmp_path)
    program = core.program(core.image(_MIDDLE), module(core, WORKER), starts_over=True)

    def start(memory_bytes: int | None = None, host: HostFunction = no_host) -> CoreGuest:
        return program.start(host, context(), memory_bytes=memory_bytes)

    leave(start())
    yield start
    core.close()
    engine.ticker.close()


def leave(guest: CoreGuest) -> None:
    guest.end()
    guest.close()


def address(guest: CoreGuest) -> int:
    assert isinstance(guest, WasmCoreGuest)
    return guest.memory.address


@pytest.mark.parametrize("advised", [True, False])
def test_a_guest_finds_the_memory_as_the_first_one_did(
    starting_over: Started, monkeypatch: pytest.MonkeyPatch, advised: bool
) -> None:
    if not advised:
        monkeypatch.setattr(native, "_advise", None)
    first = starting_over()
    where = address(first)
    first.memory.view[:] = b"\xff" * len(first.memory.view)
    leave(first)
    second = starting_over()
    assert address(second) == where
    assert second.content() == _MIDDLE
    leave(second)


def test_a_memory_that_has_grown_is_zero_where_it_did(starting_over: Started) -> None:
    first = starting_over()
    where = address(first)
    assert first.function("grow")(3) == _PAGES
    first.function("poke")((_PAGES + 3) * PAGE - 4, 7)
    leave(first)
    second = starting_over()
    assert address(second) == where
    assert second.content() == _MIDDLE + bytes(3 * PAGE)
    leave(second)


def test_a_large_memory_has_no_other_guest(starting_over: Started) -> None:
    first = starting_over()
    first.function("grow")(100)
    leave(first)
    second = starting_over()
    assert second.content() == _MIDDLE
    leave(second)


def test_an_instance_in_which_a_call_failed_has_no_other_guest(starting_over: Started) -> None:
    first, other = starting_over(), starting_over()
    where = address(first)
    with pytest.raises(TrapError):
        first.function("uncaught")()
    leave(other)
    leave(first)
    guests = [starting_over(), starting_over()]
    assert where not in map(address, guests[:1])
    for guest in guests:
        leave(guest)


def test_guests_with_another_bound_have_another_instance(starting_over: Started) -> None:
    leave(starting_over())
    bounded = starting_over(memory_bytes=6 * PAGE)
    assert bounded.function("grow")(1) == _PAGES
    assert bounded.function("grow")(1) == 2**32 - 1
    leave(bounded)
    roomy = starting_over()
    assert roomy.function("grow")(2) == _PAGES
    leave(roomy)


def test_each_guest_has_its_own_host(starting_over: Started) -> None:
    called: list[int] = []
    for each in range(3):
        guest = starting_over(host=partial(called.append, each))
        guest.function("host")()
        leave(guest)
    assert called == [0, 1, 2]


def test_who_has_left_reaches_nobody(starting_over: Started) -> None:
    first = starting_over()
    where, poke = address(first), first.function("poke")
    leave(first)
    second = starting_over()
    assert address(second) == where
    first.close()
    for use in (lambda: poke(0, 7), first.end, first.content, lambda: first.begin(context())):
        with pytest.raises(InternalError, match="after its end"):
            use()
    assert second.content() == _MIDDLE
    leave(second)


@pytest.mark.parametrize("first_of_all", ["the guest", "the store"])
def test_an_instance_that_the_collector_comes_to_has_no_other_guest(starting_over: Started, first_of_all: str) -> None:
    # It calls the finalizers of all that is lost, in any order, and what they have put elsewhere lives on.
    first = starting_over()
    assert isinstance(first, WasmCoreGuest)
    store = first._open().store
    first.end()
    if first_of_all == "the store":
        store.__del__()
    first.close(lost=True)
    assert store.closed
    second = starting_over()
    assert second.content() == _MIDDLE
    leave(second)


def test_few_instances_rest(starting_over: Started) -> None:
    guests = [starting_over() for _ in range(12)]
    places = [address(guest) for guest in guests]
    for guest in guests:
        leave(guest)
    again = [starting_over() for _ in range(12)]
    kept = [address(guest) for guest in again[:8]]
    assert kept == places[:3:-1]
    for guest in again:
        leave(guest)


def test_none_rests_once_the_engine_is_closed(tmp_path: Path) -> None:
    roomy = WasmEngine()
    engine = WasmCoreEngine(roomy, tmp_path)
    program = engine.program(engine.image(_MIDDLE), module(engine, WORKER), starts_over=True)
    guests = [program.start(no_host, context()) for _ in range(2)]
    leave(guests[0])
    engine.close()
    leave(guests[1])
    assert not roomy._stores
    roomy.ticker.close()


def test_a_program_that_keeps_something_elsewhere_has_instances_of_its_own(engine: CoreEngine) -> None:
    text = """(module (import "env" "memory" (memory 1)) (global $n (mut i32) (i32.const 0))
      (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"""
    program = engine.program(engine.image(bytes(PAGE)), module(engine, text))
    for _ in range(3):
        guest = program.start(no_host, context())
        assert guest.function("next")() == 1
        leave(guest)


def test_a_guest_serves_guarded_and_unguarded_calls_in_turn(started: Started) -> None:
    guest = started()
    for seconds in (None, 60.0, None):
        guest.end()
        guest.begin(context(seconds))
        assert guest.function("add")(1, 2) == 3


def test_a_second_engine_finds_compiled_code(tmp_path: Path) -> None:
    engines = [WasmEngine(), WasmEngine()]
    module(WasmCoreEngine(engines[0], tmp_path), WORKER)
    files = {each.name: each.stat().st_mtime_ns for each in tmp_path.iterdir()}
    module(WasmCoreEngine(engines[1], tmp_path), WORKER)
    assert files
    assert {each.name: each.stat().st_mtime_ns for each in tmp_path.iterdir()} == files
