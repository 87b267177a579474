"""What a WebAssembly guest makes the host build, hold and believe: bounded, and told apart by structure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attacks import Attack, attacks
from polycall.interop.errors import (
    ConversionError,
    DeadlineError,
    LimitError,
    MemoryLimitError,
    MissingExportError,
    PolycallError,
    PreparationError,
    TrapError,
)
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.function import WasmFunction, WasmInstance
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import BUMP_ALLOCATOR, call, context, core_in_component, open_runtime, prepare

PAGE = 65536
MIB = 1 << 20


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


# --- results and arguments --------------------------------------------------------------------------------------------

LISTS = """(memory (export "memory") 600)
  (func (export "f") (param i32) (result i32)
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (local.get 0)) (i32.const 0))"""
ELEMENTS = {
    "result": ("(result)", "result", {"ok": True}),
    "tuple<u8, u8, u8, u8>": ("(tuple u8 u8 u8 u8)", "tuple<u8, u8, u8, u8>", [0, 0, 0, 0]),
    "option<result>": ("(option (result))", "option<result>", None),
    "list<u8>": ("(list u8)", "list<u8>", b""),
}


def lists_of(form: str, element: str) -> tuple[str, str | None]:
    in_wat, in_wit, _ = ELEMENTS[element]
    if form == "component":
        return core_in_component(LISTS, f'f (param "n" u32) (result (list {in_wat}))'), None
    return f"(module {LISTS})", f"f: func(n: u32) -> list<{in_wit}>"


@attacks(
    *(
        Attack(
            f"a long `list<{element}>`, given back just before the deadline",
            form,
            "DeadlineError",
            "a short one arrives",
        )
        for form in ("component", "core module")
        for element in ELEMENTS
    )
)
@pytest.mark.parametrize("form", ["component", "core module"])
@pytest.mark.parametrize("element", ELEMENTS)
def test_a_long_result_is_read_under_the_deadline(runtime: WasmRuntime, form: str, element: str) -> None:
    text, wit = lists_of(form, element)
    function = prepare(runtime, text, "f", wit)
    assert function.instantiate().call([3], context(deadline=time.monotonic() + 60)) == [ELEMENTS[element][2]] * 3
    with pytest.raises(DeadlineError):
        function.instantiate().call([300_000], context(deadline=time.monotonic() + 0.005))


@pytest.mark.no_cover
@attacks(
    *(
        Attack("a small list that becomes large values of the host's", form, "LimitError", "a tenth of it arrives")
        for form in ("component", "core module")
    )
)
@pytest.mark.parametrize("form", ["component", "core module"])
def test_what_a_result_becomes_is_counted_not_what_it_is_in_the_guest(runtime: WasmRuntime, form: str) -> None:
    text, wit = lists_of(form, "result")
    function = prepare(runtime, text, "f", wit)
    assert len(call(function.instantiate(), 40_000)) == 40_000  # type: ignore[arg-type]  # a list
    with pytest.raises(LimitError, match="larger than 134217728 bytes"):
        call(function.instantiate(), 500_000)


@attacks(
    Attack(
        "texts of 14 million bytes of which one character makes each of them take 56 million",
        "core module",
        "LimitError",
        "one arrives",
    )
)
def test_text_is_counted_by_what_it_takes_in_the_host(runtime: WasmRuntime) -> None:
    guest = """(module (memory (export "memory") 250)
      (func (export "f") (param $n i32) (result i32) (local $i i32)
        (memory.fill (i32.const 65536) (i32.const 97) (i32.const 14000000))
        (i32.store (i32.const 65536) (i32.const 0x80989ff0))
        (loop $each
          (i32.store (i32.add (i32.const 64) (i32.mul (local.get $i) (i32.const 8))) (i32.const 65536))
          (i32.store (i32.add (i32.const 68) (i32.mul (local.get $i) (i32.const 8))) (i32.const 14000000))
          (br_if $each (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (local.get $n)) (i32.const 0)))"""
    function = prepare(runtime, guest, "f", "f: func(n: u32) -> list<string>")
    assert call(function.instantiate(), 1) == ["\U0001f600" + "a" * 13_999_996]
    with pytest.raises(LimitError, match="larger than"):
        call(function.instantiate(), 2)


TAKING = f"""(memory (export "memory") 600) {BUMP_ALLOCATOR}
  (func (export "f") (param i32 i32) (result i32) (local.get 1))"""
ARGUMENTS: dict[str, tuple[str, str, Value]] = {
    "list<u8> of numbers": ("(list u8)", "list<u8>", [1] * 3_000_000),
    "list<list<u8>>": ("(list (list u8))", "list<list<u8>>", [[1]] * 1_000_000),
    "list<tuple<u32, u32>>": ("(list (tuple u32 u32))", "list<tuple<u32, u32>>", [[1, 2]] * 1_000_000),
    "list<u32> of lists": ("(list (list u32))", "list<list<u32>>", [[1] * 1_500] * 2_000),
}


@attacks(
    *(
        Attack(f"millions of values as an argument: `{name}`", form, "DeadlineError", "two of them arrive")
        for form in ("component", "core module")
        for name in ARGUMENTS
    )
)
@pytest.mark.parametrize("form", ["component", "core module"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_are_checked_and_written_under_the_deadline(runtime: WasmRuntime, form: str, name: str) -> None:
    in_wat, in_wit, value = ARGUMENTS[name]
    if form == "component":
        text, wit = core_in_component(TAKING, f'f (param "v" {in_wat}) (result u32)'), None
    else:
        text, wit = f"(module {TAKING})", f"f: func(v: {in_wit}) -> u32"
    function = prepare(runtime, text, "f", wit)
    assert isinstance(value, list)
    assert function.instantiate().call([value[:2]], context(deadline=time.monotonic() + 60)) == 2
    with pytest.raises(DeadlineError):
        function.instantiate().call([value], context(deadline=time.monotonic() + 0.02))


# --- one bound for all memory -----------------------------------------------------------------------------------------

GC = """(module (type $a (array (mut i64))) (type $b (array (mut (ref null $a)))) {memory}
  (global $g (mut (ref null $b)) (ref.null $b))
  (func $hold (export "hold") (param $n i32) (result i32) (local $i i32)
    (global.set $g (array.new_default $b (local.get $n)))
    (loop $l (array.set $b (global.get $g) (local.get $i) (array.new $a (i64.const 7) (i32.const 1000)))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $i))
  {more})"""
HOLD = "hold: func(n: u32) -> u32"


def gc_guest(memory: str = "", more: str = "") -> str:
    return GC.format(memory=memory, more=more)


@attacks(
    Attack(
        "arrays on the GC heap beside a large linear memory", "core module", "MemoryLimitError", "one array is made"
    ),
    Attack("arrays on the GC heap beside large tables", "core module", "MemoryLimitError", "one array is made"),
    Attack("arrays on the GC heap beside four memories", "core module", "MemoryLimitError", "one array is made"),
)
@pytest.mark.parametrize(
    "memory",
    ["(memory 150)", "(table 99999 funcref) (table 99999 funcref) " * 5, "(memory 40) " * 4],
    ids=["a memory", "tables", "memories"],
)
def test_the_gc_heap_shares_the_limit_with_memories_and_tables(runtime: WasmRuntime, memory: str) -> None:
    limits = LimitsSpec(max_memory_bytes=11 * MIB)
    function = prepare(runtime, gc_guest(memory), "hold", HOLD, limits=limits)
    assert call(function.instantiate(), 1) == 1
    with pytest.raises(MemoryLimitError, match="GC heap"):
        call(function.instantiate(), 1_200)
    assert call(prepare(runtime, gc_guest(), "hold", HOLD, limits=limits).instantiate(), 500) == 500


@attacks(
    Attack(
        "a constant that is a large array beside a memory", "core module", "MemoryLimitError", "a small one is made"
    ),
    Attack("start code that fills the GC heap beside a memory", "core module", "MemoryLimitError", "a little is made"),
    Attack(
        "`_initialize` that fills the GC heap beside a memory", "core module", "MemoryLimitError", "a little is made"
    ),
)
@pytest.mark.parametrize(
    "more",
    [
        "(global (ref $a) (array.new $a (i64.const 1) (i32.const {bytes})))",
        "(func $go (drop (array.new $a (i64.const 1) (i32.const {bytes})))) (start $go)",
        '(func (export "_initialize") (drop (array.new $a (i64.const 1) (i32.const {bytes}))))',
    ],
    ids=["constant", "start", "initialize"],
)
def test_nothing_is_beyond_the_limit_before_the_first_call_either(runtime: WasmRuntime, more: str) -> None:
    limits = LimitsSpec(max_memory_bytes=10 * MIB)

    def guest(elements: int) -> str:
        return gc_guest("(memory 79)", more.format(bytes=elements))

    prepare(runtime, guest(1_000), "hold", HOLD, limits=limits).instantiate()
    with pytest.raises(MemoryLimitError):
        prepare(runtime, guest(700_000), "hold", HOLD, limits=limits).instantiate()
    with pytest.raises(MemoryLimitError):  # what may run before the instance is complete has half of the limit only
        prepare(
            runtime, gc_guest("(memory 100)", more.format(bytes=700_000)), "hold", HOLD, limits=limits
        ).instantiate()


@attacks(
    Attack("a table that grows beside a memory that grows", "core module", "the growth is refused", "it grows a little")
)
def test_tables_and_memory_that_grow_are_within_the_limit_together(runtime: WasmRuntime) -> None:
    guest = """(module (memory 1) (table $t 1 funcref)
      (func (export "rows") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
      (func (export "pages") (param i32) (result i32) (memory.grow (local.get 0))))"""
    wit = "rows: func(n: u32) -> s32; pages: func(n: u32) -> s32"

    def most(method: str, step: int) -> int:
        instance = prepare(runtime, guest, method, wit, limits=LimitsSpec(max_memory_bytes=4 * MIB)).instantiate()
        steps = 0
        while call(instance, step) != -1:
            steps += 1
        return steps * step

    rows, pages = most("rows", 100), most("pages", 1)
    assert rows >= 8_000
    assert rows * 8 + pages * PAGE <= 4 * MIB + 64 * 1024
    assert pages * PAGE >= 3 * MIB


@attacks(
    Attack("a memory with addresses of 64 bits", "core module", "the growth is refused", "it grows a little"),
    Attack("many memories that grow", "core module", "the growth is refused", "they grow a little"),
)
@pytest.mark.parametrize("memories", ["(memory i64 1)", "(memory 1) (memory 1) (memory 1)"], ids=["64 bits", "many"])
def test_memories_of_every_kind_are_within_the_limit_together(runtime: WasmRuntime, memories: str) -> None:
    count, wide = memories.count("memory"), "i64" in memories
    grow = "(i32.wrap_i64 (memory.grow {0} (i64.const 1)))" if wide else "(memory.grow {0} (i32.const 1))"
    functions = (
        f'(func (export "g{at}") (result i32) (i32.ne (i32.const -1) {grow.format(at)}))' for at in range(count)
    )
    guest = f"(module {memories} {' '.join(functions)})"
    held = count
    for at in range(count):
        limits = LimitsSpec(max_memory_bytes=30 * PAGE)
        instance = prepare(runtime, guest, f"g{at}", f"g{at}: func() -> bool", limits=limits).instantiate()
        while call(instance):
            held += 1
    assert held == 30


# --- what a guest calls itself ----------------------------------------------------------------------------------------

NAMES = [
    "a\n\nCaused by:\n    resource limit exceeded: memory count too high at 2",
    "a\n\nCaused by:\n    memory minimum size of 1 pages exceeds memory limits",
    "GC heap out of memory: no capacity for allocation of 1 bytes",
    "a\n\nCaused by:\n    0: wasm trap: call stack exhausted",
    "fuel allocated for hostcalls has been exhausted",
    "handle_alloc_error",
    "oom",
    "\x1b[31mred\x1b[0m\x07",
    "\u202eturned around",
    "n" * 90_000,
    "error while executing at wasm backtrace:\n    0: 0x10 - other!function",
]


def count_starts(function: WasmFunction, monkeypatch: pytest.MonkeyPatch) -> list[GuestStore]:
    """Returns a list that gets an element whenever the function starts an instance."""
    starts: list[GuestStore] = []
    original = function._start  # what is counted shows nowhere else

    def start(store: GuestStore) -> WasmInstance:
        starts.append(store)
        return original(store)

    monkeypatch.setattr(function, "_start", start)
    return starts


def named(name: str, body: str, more: str = "") -> str:
    escaped = "".join(f"\\{byte:02x}" for byte in name.encode())
    return f'(module $m (func $f (@name "{escaped}") (export "f") {body}) {more})'


@attacks(
    *(
        Attack(f"a function called `{name[:70]!a}` that aborts", "core module", "TrapError", "it runs as usual")
        for name in NAMES
    )
)
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("at_start", [False, True], ids=["call", "start"])
def test_no_name_of_a_guests_is_taken_for_a_word_of_the_engine(runtime: WasmRuntime, name: str, at_start: bool) -> None:
    limits = LimitsSpec(max_memory_bytes=40 * PAGE)
    more = '(start $f) (memory (export "memory") 1) (func (export "g"))' if at_start else '(memory (export "memory") 1)'
    method = "g" if at_start else "f"
    call(prepare(runtime, named(name, "nop", more), method, f"{method}: func()", limits=limits).instantiate())
    with pytest.raises(PolycallError) as caught:
        call(
            prepare(runtime, named(name, "unreachable", more), method, f"{method}: func()", limits=limits).instantiate()
        )
    error = caught.value
    assert type(error) is TrapError
    assert error.message == "wasm trap: wasm `unreachable` instruction executed"
    (line,) = (error.guest_traceback or "").split("\n")
    assert line.isprintable()
    assert len(line) < 300


@attacks(
    Attack("a function called like the engine's words for too many memories", "component", "started once", "it starts")
)
def test_a_guest_is_started_once_whatever_its_functions_are_called(
    runtime: WasmRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "".join(f"\\{byte:02x}" for byte in NAMES[0].encode())
    component = core_in_component(
        f'(memory (export "memory") 1) (func $go (@name "{name}") unreachable) (start $go) (func (export "f"))', "f"
    )
    function = prepare(runtime, component, "f", limits=LimitsSpec(max_memory_bytes=MIB))
    starts = count_starts(function, monkeypatch)
    with pytest.raises(TrapError):
        function.instantiate()
    assert len(starts) == 1


@attacks(
    Attack(
        "a component that makes 300 instances of a module with memory", "component", "MemoryLimitError", "3 are made"
    ),
)
def test_a_guest_with_many_memories_is_not_started_for_each_of_them(
    runtime: WasmRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def component(count: int) -> str:
        instances = " ".join(f"(core instance $i{at} (instantiate $n))" for at in range(count))
        return f"""(component (core module $n (memory 1) (func (export "f"))) {instances}
          (func (export "f") (canon lift (core func $i0 "f"))))"""

    limits = LimitsSpec(max_memory_bytes=100 * PAGE)
    call(prepare(runtime, component(3), "f", limits=limits).instantiate())
    function = prepare(runtime, component(300), "f", limits=limits)
    starts = count_starts(function, monkeypatch)
    with pytest.raises(MemoryLimitError):
        function.instantiate()
    assert len(starts) < 12


@attacks(
    Attack(
        "100 exports with names of 90,000 characters", "core module", "a hint of bounded size", "a near name is told"
    )
)
def test_lists_of_a_guests_names_are_short_in_messages(runtime: WasmRuntime) -> None:
    exports = " ".join(f'(func (export "{"x" * 90_000}{at}\\1b"))' for at in range(100))
    with pytest.raises(MissingExportError) as caught:
        prepare(runtime, f"(module {exports})", "f", "f: func()")
    assert len(str(caught.value)) < 2_000
    assert str(caught.value).isprintable()
    with pytest.raises(MissingExportError, match='did you mean "run"'):
        prepare(runtime, '(module (func (export "run")))', "runn", "runn: func()")


@attacks(
    Attack(
        "an import with a name of 90,000 characters", "core module", "a message of bounded size", "a short one is told"
    )
)
@pytest.mark.parametrize("kind", ["(func)", "(global i32)"], ids=["function", "global"])
def test_an_imports_name_is_cut_in_messages(runtime: WasmRuntime, kind: str) -> None:
    def end_of(name: str) -> str:
        guest = f'(module (import "env" "{name}" {kind}) (func (export "f") {"call 0" if kind == "(func)" else ""}))'
        with pytest.raises(PolycallError) as caught:
            call(prepare(runtime, guest, "f", "f: func()").instantiate())
        return str(caught.value)

    assert "env#short" in end_of("short")
    long = end_of("x" * 90_000 + "\\1b")
    assert len(long) < 500
    assert long.isprintable()


@attacks(
    Attack("6,000 names of 100 characters in an enum", "component", "a message of bounded size", "a short one is told")
)
@pytest.mark.parametrize("kind", ["enum", "flags", "record", "variant"])
def test_the_names_of_a_type_are_cut_in_messages(runtime: WasmRuntime, kind: str) -> None:
    count = 30 if kind == "flags" else 1_500
    names = [f"{'n' * 90}{at}" for at in range(count)]
    body = {
        "enum": " ".join(f'"{name}"' for name in names),
        "flags": " ".join(f'"{name}"' for name in names),
        "record": " ".join(f'(field "{name}" u8)' for name in names),
        "variant": " ".join(f'(case "{name}")' for name in names),
    }[kind]
    component = f"""(component (type $t ({kind} {body})) (export $e "t" (type $t))
      (core module $n (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "f") (param i32)))
      (core instance $i (instantiate $n))
      (func (export "f") (param "x" $e)
        (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "cabi_realloc")))))"""
    instance = prepare(runtime, component, "f").instantiate()
    for wrong in ("other", ["other"], {"other": True}, 2.5):
        with pytest.raises(ConversionError) as caught:
            call(instance, wrong)  # type: ignore[arg-type]  # lists are invariant
        assert len(str(caught.value)) < 3_000


@attacks(
    Attack(
        "a text whose message quotes another position", "core module", "its own position", "the same without quoting"
    )
)
def test_the_position_of_a_mistake_is_the_assemblers_own(runtime: WasmRuntime) -> None:
    for name in ("$none", '$"\\n     --> <anon>:9:9\\n"'):
        with pytest.raises(PreparationError) as caught:
            prepare(runtime, f"(module\n (func (call {name})))", "f", "f: func()")
        assert str(caught.value).startswith("guest.wat:2:")
        assert str(caught.value).isprintable()


@attacks(
    Attack("a type of 16 levels, each with the one below twice", "component", "PreparationError", "8 levels arrive")
)
def test_types_that_double_are_bounded(runtime: WasmRuntime) -> None:
    def component(levels: int) -> str:
        types = "".join(f"(type $t{at} (tuple $t{at - 1} $t{at - 1}))" for at in range(1, levels + 1))
        return f"""(component (type $t0 u8) {types}
          (core module $n (memory (export "memory") 16) (func (export "f") (result i32) (i32.const 0)))
          (core instance $i (instantiate $n))
          (func (export "f") (result $t{levels}) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"""

    value: Value = 0
    for _ in range(8):
        value = [value, value]
    assert call(prepare(runtime, component(8), "f").instantiate()) == value
    started = time.monotonic()
    with pytest.raises(PreparationError, match="more than 10000 parts"):
        prepare(runtime, component(16), "f")
    assert time.monotonic() - started < 5


def listed_names(form: str, count: int) -> str:
    return " ".join(form % f"n{at}" for at in range(count))


TYPES_OF_NAMES: dict[str, Callable[[int], str]] = {
    "a record with a long name": lambda size: '(record (field "%s" u8))' % ("x" * 50 * size),
    "an enum of many names": lambda size: f"""(enum {listed_names('"%s"', size)})""",
    "a variant of many names": lambda size: f"""(variant {listed_names('(case "%s")', size)})""",
}


def with_type(types: str, parameter: str, core: str = "i32") -> str:
    return f"""(component {types}
      (core module $n (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
        (func (export "f") (param {core}) (result i32) (i32.const 1)))
      (core instance $i (instantiate $n))
      (func (export "f") (param "a" {parameter}) (result s32)
        (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"""


@attacks(*(
    Attack(f"{name}, 1,000 times in an argument", "component", "PreparationError", "a short one, 10 times")
    for name in TYPES_OF_NAMES
))  # fmt: skip
@pytest.mark.parametrize("named", TYPES_OF_NAMES.values(), ids=TYPES_OF_NAMES)
def test_names_of_types_are_counted_as_often_as_they_stand_there(
    runtime: WasmRuntime, named: Callable[[int], str]
) -> None:
    def component(size: int, times: int) -> str:
        types = f'(type $n {named(size)}) (export $r "r" (type $n)) (type $t (tuple {"$r " * times}))'
        return with_type(f'{types} (export $p "p" (type $t))', "$p", "i32 " * times if times <= 16 else "i32")

    with pytest.raises(ConversionError, match="expected tuple<"):
        call(prepare(runtime, component(3, 10), "f").instantiate(), 5)
    with pytest.raises(PreparationError, match="more than 10000 parts"):
        prepare(runtime, component(1_000, 1_000), "f")


NESTED = {
    "options": ["(option {})"],
    "results of options": ["(option {})", "(result {})"],
    "records of options": ["(option {})", '(record (field "a" {}))'],
}


@attacks(*(Attack(f"{name}, 40 levels deep", "component", "the call's result", "2 levels") for name in NESTED))
@pytest.mark.parametrize("forms", NESTED.values(), ids=NESTED)
def test_preparing_takes_no_longer_for_each_level_of_a_type(runtime: WasmRuntime, forms: list[str]) -> None:
    def component(levels: int) -> str:
        types, inner = "", "u8"
        for at, form in enumerate(forms * levels):
            types += f'(type $t{at} {form.format(inner)}) (export $e{at} "t{at}" (type $t{at}))'
            inner = f"$e{at}"
        return with_type(types, f"(list (option {inner}))", "i32 i32")

    assert call(prepare(runtime, component(2), "f").instantiate(), [None]) == 1
    started = time.monotonic()
    assert call(prepare(runtime, component(40 // len(forms)), "f").instantiate(), [None]) == 1
    assert time.monotonic() - started < 5
