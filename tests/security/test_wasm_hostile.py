"""Guests that lie, overrun or exhaust: each attempt is stopped with an error, and its honest twin works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks import Attack, attacks, outcome
from polycall.interop.errors import DeadlineError, LimitError, MemoryLimitError, PreparationError, TrapError
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import call, context, core_in_component, open_runtime, prepare

PAGE = 65536


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


def giving(words: str, data: str = "") -> str:
    """Returns guest code whose export `f` returns a pointer to two words in memory."""
    first, second = words.split()
    return f"""(memory (export "memory") 1) (data (i32.const 64) "{data}")
      (func (export "f") (result i32)
        (i32.store (i32.const 8) (i32.const {first})) (i32.store (i32.const 12) (i32.const {second})) (i32.const 8))"""


RESULTS: list[tuple[str, tuple[str, str], tuple[str, str], Value]] = [
    # type, words it returns, what lies at 64, and the same done right
    ("string", ("65535 2", ""), ("64 2", "ok"), "ok"),
    ("string", ("0xffffffff 1", ""), ("64 0", ""), ""),
    ("string", ("64 0x7fffffff", ""), ("64 2", "ok"), "ok"),
    ("string", ("64 2", r"\c3\28"), ("64 2", r"\c3\bc"), "ü"),
    ("string", ("64 3", r"\ed\a0\80"), ("64 3", r"\e2\82\ac"), "€"),
    ("list<u8>", ("65530 100", ""), ("64 3", "abc"), b"abc"),
    ("list<u32>", ("66 1", ""), ("64 1", r"\07\00\00\00"), [7]),
    ("list<u32>", ("64 0x40000000", ""), ("64 1", r"\07\00\00\00"), [7]),
    ("list<u64>", ("64 0x20000001", ""), ("64 0", ""), []),
    ("list<char>", ("64 1", r"\00\d8\00\00"), ("64 1", r"a\00\00\00"), ["a"]),
    ("list<char>", ("64 1", r"\00\00\11\00"), ("64 1", r"\ff\ff\10\00"), ["\U0010ffff"]),
    ("list<option<u8>>", ("64 1", r"\02\07"), ("64 1", r"\01\07"), [7]),
    ("list<result<u8, u8>>", ("64 1", r"\ff\07"), ("64 1", r"\01\07"), [{"err": 7}]),
    ("list<list<u8>>", ("64 1", r"\ff\ff\ff\ff\01\00\00\00"), ("64 1", r"\40\00\00\00\01\00\00\00"), [b"@"]),
    ("option<u32>", ("7 1", ""), ("1 7", ""), 7),
]


def in_component(wit: str) -> str:
    """Returns a type as component WAT."""
    return {
        "string": "string",
        "list<u8>": "(list u8)",
        "list<u32>": "(list u32)",
        "list<u64>": "(list u64)",
        "list<char>": "(list char)",
        "list<option<u8>>": "(list (option u8))",
        "list<result<u8, u8>>": "(list (result u8 (error u8)))",
        "list<list<u8>>": "(list (list u8))",
        "option<u32>": "(option u32)",
    }[wit]


def rows(language: str) -> Iterator[Attack]:
    for wit, (words, data), _, value in RESULTS:
        attempt = f"a result `{wit}` with the words `{words}`" + (f", which point to `{data}`" if data else "")
        yield Attack(attempt, language, "TrapError", f"true words {outcome(value)}")


@attacks(*rows("core module"))
@pytest.mark.parametrize(("wit", "lie", "truth", "value"), RESULTS)
def test_a_core_modules_result_is_checked_against_its_memory(
    runtime: WasmRuntime, wit: str, lie: tuple[str, str], truth: tuple[str, str], value: Value
) -> None:
    honest = prepare(runtime, f"(module {giving(*truth)})", "f", f"f: func() -> {wit}").instantiate()
    assert call(honest) == value
    lying = prepare(runtime, f"(module {giving(*lie)})", "f", f"f: func() -> {wit}").instantiate()
    with pytest.raises(TrapError):
        call(lying)
    assert lying.poisoned


@attacks(*rows("component"))
@pytest.mark.parametrize(("wit", "lie", "truth", "value"), RESULTS)
def test_a_components_result_is_checked_against_its_memory(
    runtime: WasmRuntime, wit: str, lie: tuple[str, str], truth: tuple[str, str], value: Value
) -> None:
    function = f"f (result {in_component(wit)})"
    assert call(prepare(runtime, core_in_component(giving(*truth), function), "f").instantiate()) == value
    lying = prepare(runtime, core_in_component(giving(*lie), function), "f").instantiate()
    with pytest.raises(TrapError):
        call(lying)
    assert lying.poisoned


@attacks(
    Attack("a return pointer beyond the memory, or unaligned", "core module", "TrapError", "a true one gives `[0, 0]`")
)
@pytest.mark.parametrize("pointer", ["65533", "0xfffffff8", "9"], ids=["end", "far", "unaligned"])
def test_the_return_pointer_itself_is_checked(runtime: WasmRuntime, pointer: str) -> None:
    def guest(at: str) -> str:
        return f'(module (memory (export "memory") 1) (func (export "f") (result i32) (i32.const {at})))'

    wit = "f: func() -> tuple<u32, u32>"
    assert call(prepare(runtime, guest("8"), "f", wit).instantiate()) == [0, 0]
    with pytest.raises(TrapError, match="the result is"):
        call(prepare(runtime, guest(pointer), "f", wit).instantiate())


@attacks(
    Attack(
        "an allocator that answers beyond the memory, unaligned, or 0",
        "core module",
        "TrapError",
        "an honest one gives `7`",
    )
)
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("0xfffffff0", "outside of the guest's memory"),
        ("65535", "outside of the guest's memory"),
        ("1026", "not aligned"),
        ("0", "no room"),
    ],
)
def test_an_allocator_that_lies_writes_nowhere(runtime: WasmRuntime, answer: str, message: str) -> None:
    def guest(at: str) -> str:
        return f"""(module (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const {at}))
          (func (export "sum") (param i32 i32) (result i32) (i32.load (local.get 0))))"""

    wit = "sum: func(numbers: list<u32>) -> u32"
    assert call(prepare(runtime, guest("1024"), "sum", wit).instantiate(), [7, 8]) == 7
    with pytest.raises(TrapError, match=message):
        call(prepare(runtime, guest(answer), "sum", wit).instantiate(), [7, 8])


@attacks(Attack("an allocator that traps or recurses", "core module", "TrapError", "an honest one: the case above"))
def test_an_allocator_that_traps_or_recurses_is_a_trap(runtime: WasmRuntime) -> None:
    for body in ("unreachable", "(call $realloc (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"):
        guest = f"""(module (memory (export "memory") 1)
          (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {body})
          (func (export "f") (param i32 i32)))"""
        with pytest.raises(TrapError):
            call(prepare(runtime, guest, "f", "f: func(text: string)").instantiate(), "x")


@attacks(Attack("300,000 lists that are the same 60,000 bytes", "core module", "LimitError", "3 of them arrive"))
def test_many_pointers_to_one_region_do_not_multiply_into_the_hosts_memory(runtime: WasmRuntime) -> None:
    def guest(entries: int) -> str:
        # A list of byte lists, each of them the same 60 000 bytes.
        return f"""(module (memory (export "memory") 40)
          (func (export "f") (result i32) (local $at i32)
            (local.set $at (i32.const {PAGE}))
            (loop $more
              (i32.store (local.get $at) (i32.const 16)) (i32.store offset=4 (local.get $at) (i32.const 60000))
              (local.set $at (i32.add (local.get $at) (i32.const 8)))
              (br_if $more (i32.lt_u (local.get $at) (i32.const {PAGE + 8 * entries}))))
            (i32.store (i32.const 8) (i32.const {PAGE})) (i32.store (i32.const 12) (i32.const {entries}))
            (i32.const 8)))"""

    wit = "f: func() -> list<list<u8>>"
    assert call(prepare(runtime, guest(3), "f", wit).instantiate()) == [bytes(60000)] * 3
    with pytest.raises(LimitError, match="larger than"):
        call(prepare(runtime, guest(300_000), "f", wit).instantiate())


@attacks(
    Attack(
        "growing the memory beyond `max_memory_bytes`",
        "core module",
        "the growth is refused",
        "it grows as far as a larger cap says",
    )
)
def test_memory_growth_stops_at_the_cap(runtime: WasmRuntime) -> None:
    bomb = """(module (memory (export "memory") 1)
      (func (export "f") (result i32)
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size)))"""
    capped = prepare(runtime, bomb, "f", "f: func() -> u32", limits=LimitsSpec(max_memory_bytes=20 * PAGE))
    assert call(capped.instantiate()) == 20
    roomier = prepare(runtime, bomb, "f", "f: func() -> u32", limits=LimitsSpec(max_memory_bytes=50 * PAGE))
    assert call(roomier.instantiate()) == 50


@attacks(Attack("a memory larger than `max_memory_bytes`", "core module", "MemoryLimitError", "one that fits is made"))
def test_a_memory_larger_than_the_cap_is_never_made(runtime: WasmRuntime) -> None:
    def guest(pages: int) -> str:
        return f'(module (memory (export "memory") {pages}) (func (export "f")))'

    limits = LimitsSpec(max_memory_bytes=10 * PAGE)
    prepare(runtime, guest(10), "f", "f: func()", limits=limits).instantiate()
    with pytest.raises(MemoryLimitError):
        prepare(runtime, guest(11), "f", "f: func()", limits=limits).instantiate()


@attacks(Attack("a table of 100,000,000 elements", "core module", "the growth is refused", "1,000 elements are given"))
def test_a_table_cannot_exhaust_the_host(runtime: WasmRuntime) -> None:
    guest = """(module (table $t 1 funcref)
      (func (export "f") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0))))"""
    instance = prepare(runtime, guest, "f", "f: func(n: u32) -> s32").instantiate()
    assert call(instance, 1000) == 1
    assert call(instance, 100_000_000) == -1


def test_reading_a_long_result_stops_at_the_deadline_and_at_its_bound(runtime: WasmRuntime) -> None:
    def guest(length: int) -> str:
        return f"""(module (memory (export "memory") 200) (func (export "f") (result i32)
          (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {length})) (i32.const 0)))"""

    wit = "f: func() -> list<tuple<u8>>"
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        prepare(runtime, guest(1_300_000), "f", wit).instantiate().call([], context(deadline=started + 0.05))
    with pytest.raises(LimitError, match=r"larger than 134217728 bytes .*each element of a list counts as 100 bytes"):
        call(prepare(runtime, guest(1_400_000), "f", wit).instantiate())
    assert call(prepare(runtime, guest(30_001), "f", wit).instantiate()) == [[0]] * 30_001


def test_an_argument_has_a_size_at_most_and_the_guest_is_not_asked_for_more(runtime: WasmRuntime) -> None:
    core = """(memory (export "memory") 100) (global $asked (mut i32) (i32.const 0))
      (func (export "f") (param i32 i32) (result i32) (i32.add (local.get 1) (global.get $asked)))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $asked (i32.add (global.get $asked) (i32.const 1))) (i32.const 1024))"""
    function = prepare(runtime, core_in_component(core, 'f (param "a" (list u8)) (result u32)'), "f")
    instance = function.instantiate()
    with pytest.raises(LimitError, match="a value of 268435456 bytes: at most 268435455 can be passed"):
        call(instance, bytes(2**28))
    instance = function.instantiate()
    for asked in range(1, 4):  # what one call passes is no burden of the next
        assert call(instance, bytes(5_000_000)) == 5_000_000 + asked


def tables(count: int, elements: int) -> str:
    each = " ".join(f"(table {elements} funcref)" for _ in range(count))
    return f'(module {each} (func (export "f")))'


@pytest.mark.parametrize(("count", "elements"), [(20, 1_000), (1, 16_385)], ids=["too many", "too large"])
def test_tables_are_inside_of_the_memory_limit(runtime: WasmRuntime, count: int, elements: int) -> None:
    limits = LimitsSpec(max_memory_bytes=PAGE)
    prepare(runtime, tables(10, 1_600), "f", "f: func()", limits=limits).instantiate()
    with pytest.raises(MemoryLimitError, match=r"tables .*limits\.max_memory_bytes, which is 65536"):
        prepare(runtime, tables(count, elements), "f", "f: func()", limits=limits).instantiate()


def test_tables_without_a_limit_hold_no_more_than_the_host_can_spare(runtime: WasmRuntime) -> None:
    prepare(runtime, tables(100, 1000), "f", "f: func()").instantiate()
    with pytest.raises(MemoryLimitError, match="table"):
        prepare(runtime, tables(1, 100_001), "f", "f: func()").instantiate()


@attacks(
    Attack(
        "a shared memory, which no limit would hold",
        "core module",
        "PreparationError",
        "one that is not shared is made",
    )
)
def test_a_shared_memory_which_no_limit_would_hold_is_refused(runtime: WasmRuntime) -> None:
    prepare(runtime, '(module (memory 1 2) (func (export "f")))', "f", "f: func()").instantiate()
    with pytest.raises(PreparationError, match="does not compile"):
        prepare(runtime, '(module (memory 1 2 shared) (func (export "f")))', "f", "f: func()")


@attacks(
    Attack(
        "an export with a vector parameter",
        "core module",
        "PreparationError",
        "another export of the same module gives `3`",
    )
)
def test_an_export_with_a_vector_parameter_does_not_abort_the_process(runtime: WasmRuntime) -> None:
    guest = '(module (func (export "vector") (param v128)) (func (export "f") (result i32) (i32.const 3)))'
    assert call(prepare(runtime, guest, "f", "f: func() -> u32").instantiate()) == 3
    with pytest.raises(PreparationError, match="v128"):
        prepare(runtime, guest, "vector", "vector: func(a: u32)")
