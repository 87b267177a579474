"""Traps and memory limits as errors that say what happened and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime

from polycall.interop.errors import LimitError, MemoryLimitError, PolycallError, TrapError
from polycall.interop.limits import LimitsSpec
from polycall.wasm_runtime.engine.engine_errors import EngineError
from polycall.wasm_runtime.engine.pace import MAX_LIFTED_BYTES
from polycall.wasm_runtime.engine.traps import TooManyMemoriesError, engine_error
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import call, core_in_component, open_runtime, prepare

FUNCTIONS = """
  (func $divide (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $outer (export "divide") (param i32 i32) (result i32) (call $divide (local.get 0) (local.get 1)))
  (func (export "abort") unreachable)
  (func (export "far") (drop (i32.load (i32.const 0x7fffffff))))
  (func $deep (export "deep") (call $deep))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))"""
LIFTED = (
    'divide (param "a" s32) (param "b" s32) (result s32)',
    "abort",
    "far",
    "deep",
    'grow (param "n" u32) (result s32)',
)
WIT = "divide: func(a: s32, b: s32) -> s32; abort: func(); far: func(); deep: func(); grow: func(n: u32) -> s32"
GUESTS = {
    "component": (core_in_component(FUNCTIONS, *LIFTED), None),
    "core module": (f'(module $m (memory (export "memory") 1) {FUNCTIONS})', WIT),
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


@pytest.fixture(params=list(GUESTS))
def guest(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    return GUESTS[request.param]


def words_of_the_engine(method: str, arguments: tuple[int, ...], code: wasmtime.TrapCode) -> str:
    """What wasmtime by itself says of this trap, last in its message."""
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, GUESTS["core module"][0])
    function = wasmtime.Instance(store, module, []).exports(store)[method]
    assert isinstance(function, wasmtime.Func)
    with pytest.raises(wasmtime.Trap) as caught:
        function(store, *arguments)
    assert caught.value.trap_code is code
    return caught.value.message.strip().rpartition(": ")[2]


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("divide", (1, 0), wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO),
        ("divide", (-(2**31), -1), wasmtime.TrapCode.INTEGER_OVERFLOW),
        ("abort", (), wasmtime.TrapCode.UNREACHABLE),
        ("far", (), wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS),
        ("deep", (), wasmtime.TrapCode.STACK_OVERFLOW),
    ],
)
def test_a_trap_says_what_it_was_and_poisons_the_instance(
    runtime: WasmRuntime,
    guest: tuple[str, str | None],
    method: str,
    arguments: tuple[int, ...],
    code: wasmtime.TrapCode,
) -> None:
    instance = prepare(runtime, guest[0], method, guest[1]).instantiate()
    with pytest.raises(TrapError) as caught:
        call(instance, *arguments)
    assert words_of_the_engine(method, arguments, code) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.entry_id == "app:guest"
    assert instance.poisoned
    with pytest.raises(PolycallError, match="must not be used again"):
        call(instance, *arguments)


def test_a_trap_shows_the_functions_of_the_guest_innermost_first(
    runtime: WasmRuntime, guest: tuple[str, str | None]
) -> None:
    with pytest.raises(TrapError) as caught:
        call(prepare(runtime, guest[0], "divide", guest[1]).instantiate(), 1, 0)
    lines = (caught.value.guest_traceback or "").splitlines()
    assert [line.partition(" (at ")[0] for line in lines] == ["m!divide", "m!outer"]


def test_memory_is_capped_and_growth_beyond_it_fails(runtime: WasmRuntime, guest: tuple[str, str | None]) -> None:
    limits = LimitsSpec(max_memory_bytes=4 * 65536)
    function = prepare(runtime, guest[0], "grow", guest[1], limits=limits)
    assert [call(function.instantiate(), pages) for pages in (3, 4)] == [1, -1]


HOARDER = """
  (func $take (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (func $hoard (export "hoard") (call $take) unreachable)
  (func $stumble (export "stumble") (call $take) (drop (i32.load (i32.const -1))))
  (func $divide (export "divide") (call $take) (drop (i32.div_u (i32.const 1) (i32.const 0))))
  (func $plain (export "plain") unreachable)
  (func $handle_alloc_error unreachable)
  (func $leap (export "leap") (drop (memory.grow (i32.const 60000))) (call $handle_alloc_error))
  (func (export "nameless") unreachable)"""
HOARDER_METHODS = ("hoard", "stumble", "divide", "plain", "leap", "nameless")
HOARDERS = {
    "component": (core_in_component(HOARDER, *HOARDER_METHODS), None),
    "core module": (
        f'(module $m (memory (export "memory") 1) {HOARDER})',
        "; ".join(f"{method}: func()" for method in HOARDER_METHODS),
    ),
    "core module that hides its memory": (
        f"(module $m (memory 1) {HOARDER})",
        "; ".join(f"{method}: func()" for method in HOARDER_METHODS),
    ),
}
LIMIT = LimitsSpec(max_memory_bytes=20 * 65536)
UNSEEN = "if it was for lack of memory, which cannot be seen here: limits.max_memory_bytes is 1310720"


def end_of(runtime: WasmRuntime, form: str, method: str, limits: LimitsSpec | None = LIMIT) -> PolycallError:
    text, wit = HOARDERS[form]
    with pytest.raises(PolycallError) as caught:
        call(prepare(runtime, text, method, wit, limits=limits).instantiate())
    return caught.value


@pytest.mark.parametrize("method", ["hoard", "stumble"])
def test_a_trap_with_the_memory_at_its_limit_is_a_memory_error(runtime: WasmRuntime, method: str) -> None:
    error = end_of(runtime, "core module", method)
    assert isinstance(error, MemoryLimitError)
    assert error.message.startswith("the guest ran out of memory: ")
    assert error.hint == "raise limits.max_memory_bytes, which is 1310720"
    assert (error.guest_traceback or "").startswith(f"m!{method}")
    assert isinstance(end_of(runtime, "core module", method, None), TrapError)


@pytest.mark.parametrize("form", list(HOARDERS))
def test_names_of_functions_that_give_up_are_good_for_a_hint_only(runtime: WasmRuntime, form: str) -> None:
    error = end_of(runtime, form, "leap")
    assert (type(error), error.hint) == (TrapError, UNSEEN)
    assert end_of(runtime, form, "leap", None).hint is None


@pytest.mark.parametrize("form", list(HOARDERS))
@pytest.mark.parametrize("method", ["plain", "divide"])
def test_a_trap_that_no_lack_of_memory_caused_says_nothing_of_memory(
    runtime: WasmRuntime, form: str, method: str
) -> None:
    error = end_of(runtime, form, method)
    assert (type(error), error.hint) == (TrapError, None)


def test_a_trap_in_code_without_names_or_visible_memory_says_what_cannot_be_seen(runtime: WasmRuntime) -> None:
    assert end_of(runtime, "core module that hides its memory", "nameless").hint == UNSEEN
    assert end_of(runtime, "core module", "nameless").hint is None
    assert end_of(runtime, "component", "nameless").hint is None


def test_a_guest_that_needs_more_memory_to_start_than_it_may_have_is_told(
    runtime: WasmRuntime, guest: tuple[str, str | None]
) -> None:
    with pytest.raises(MemoryLimitError) as caught:
        prepare(runtime, guest[0], "abort", guest[1], limits=LimitsSpec(max_memory_bytes=1000)).instantiate()
    assert str(caught.value) == (
        "the guest's memories start with 65536 bytes: beyond its limit "
        "(raise limits.max_memory_bytes, which is 1000 for all its memories together)"
    )
    assert caught.value.entry_id == "app:guest"


def test_an_allocator_without_room_is_out_of_memory_where_memory_is_limited(runtime: WasmRuntime) -> None:
    guest = """(module (memory (export "memory") 1) (func (export "f") (param i32 i32) (result i32) (local.get 1))
      (func (export "malloc") (param $n i32) (result i32)
        (if (result i32) (i32.eq (i32.const -1) (memory.grow (i32.div_u (local.get $n) (i32.const 65536))))
          (then (i32.const 0)) (else (i32.const 64)))))"""
    wit = "f: func(v: list<u8>) -> u32"
    limited = prepare(runtime, guest, "f", wit, limits=LimitsSpec(max_memory_bytes=4 * 65536))
    assert call(limited.instantiate(), bytes(100_000)) == 100_000
    with pytest.raises(MemoryLimitError) as caught:
        call(limited.instantiate(), bytes(400_000))
    assert str(caught.value) == (
        "the guest's allocator has no room for 400000 bytes (raise limits.max_memory_bytes, which is 262144)"
    )
    never = guest.replace("(i32.const 64)", "(i32.const 0)")
    with pytest.raises(TrapError, match="no room for 1 bytes"):
        call(prepare(runtime, never, "f", wit).instantiate(), b"a")


def test_the_gc_heap_says_itself_that_it_is_full(runtime: WasmRuntime) -> None:
    guest = """(module (type $a (array (mut i64)))
      (func (export "f") (param i32) (result i32) (array.len (array.new $a (i64.const 1) (local.get 0)))))"""
    limited = prepare(runtime, guest, "f", "f: func(n: u32) -> u32", limits=LimitsSpec(max_memory_bytes=4 * 65536))
    assert call(limited.instantiate(), 1_000) == 1_000
    for elements in (100_000, 2**31 - 1):
        with pytest.raises(MemoryLimitError, match=r"ran out of memory: .*which is 262144"):
            call(limited.instantiate(), elements)
    with pytest.raises(TrapError, match="allocation size too large"):
        call(prepare(runtime, guest, "f", "f: func(n: u32) -> u32").instantiate(), 2**31 - 1)


def test_an_exhausted_stack_names_its_bound(runtime: WasmRuntime, guest: tuple[str, str | None]) -> None:
    with pytest.raises(TrapError) as caught:
        call(prepare(runtime, guest[0], "deep", guest[1]).instantiate())
    assert "a call may use 524288 bytes of stack" in caught.value.message
    assert caught.value.hint == (
        "raise max_stack_bytes in polycall.yaml, which is 524288, unless this is a recursion without end"
    )


def test_a_mangled_name_is_shown_readable(runtime: WasmRuntime) -> None:
    text = '(module $m (func $_ZN5guest6divide17h0123456789abcdefE (export "f") unreachable))'
    with pytest.raises(TrapError) as caught:
        call(prepare(runtime, text, "f", "f: func()").instantiate())
    assert (caught.value.guest_traceback or "").startswith("m!guest::divide")


def test_the_cap_is_for_all_memories_together(runtime: WasmRuntime) -> None:
    memories = "".join(f"(memory $m{index} 1)" for index in range(4))
    guest = f"""(module {memories}
      (func (export "grow") (param i32) (result i32) (memory.grow $m3 (local.get 0))))"""

    def grown(pages: int) -> object:
        function = prepare(
            runtime, guest, "grow", "grow: func(n: u32) -> s32", limits=LimitsSpec(max_memory_bytes=pages * 65536)
        )
        function.instantiate().close()
        return call(function.instantiate(), 1)

    assert grown(8) == 1
    assert grown(4) == -1
    with pytest.raises(MemoryLimitError):
        grown(3)


def test_a_trap_in_the_start_code_is_the_guests_error(runtime: WasmRuntime) -> None:
    core = '(func $start unreachable) (start $start) (func (export "f"))'
    for text, wit in ((core_in_component(core, "f"), None), (f"(module {core})", "f: func()")):
        function = prepare(runtime, text, "f", wit)
        with pytest.raises(TrapError) as caught:
            function.instantiate()
        assert caught.value.entry_id == "app:guest"
        assert "start" in (caught.value.guest_traceback or "")


@pytest.mark.parametrize(("size", "fits"), [(60_000_000, True), (MAX_LIFTED_BYTES + 1, False)])
def test_a_result_has_a_size_at_most(runtime: WasmRuntime, size: int, fits: bool) -> None:
    core = f"""(memory (export "memory") 3000)
      (func (export "much") (result i32) (i32.store (i32.const 12) (i32.const {size})) (i32.const 8))"""
    instance = prepare(runtime, core_in_component(core, "much (result (list u8))"), "much").instantiate()
    if fits:
        result = call(instance)
        assert isinstance(result, bytes)
        assert len(result) == size
        return
    with pytest.raises(LimitError, match=f"the guest's result is larger than {MAX_LIFTED_BYTES} bytes"):
        call(instance)


def test_words_of_the_engine_count_only_where_no_guest_can_put_them() -> None:
    words = "resource limit exceeded: memory count too high at 1001"
    assert isinstance(engine_error(EngineError(words), None, 1), TooManyMemoriesError)
    for failure in (EngineError(words, traceback="m!f"), EngineError(f"m!f: {words}"), EngineError(words, code=9)):
        assert type(engine_error(failure, None, 1)) is TrapError
