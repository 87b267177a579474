"""Runs of bytes as a module writes them that a guest has taken over, and as our own writes them."""

from __future__ import annotations

import importlib.metadata
import struct
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lupa.lua54 import LuaRuntime

import lua_guests
from attacks import Attack, attacks
from lua_guests import FakeInvoker, body, context, program, runtime
from polycall.interop.errors import (
    CallError,
    ConversionError,
    DeadlineError,
    LimitError,
    MemoryLimitError,
    PolycallError,
    TrapError,
)
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value
from polycall.lua_runtime import sandbox
from polycall.lua_runtime.instance import LuaInstance
from polycall.lua_runtime.sandbox.runs import MalformedRunError, encode, read_run
from polycall.lua_runtime.session import RefusedError, Session
from polycall.lua_runtime.values import LIST, RECORD, RESOURCE, Marks, lower
from polycall.registry.services.guest_yaml import GuestYaml
from polycall.wasm_runtime.component.core_module import read_declarations
from polycall.wasm_runtime.engine.stores import GuestStore

INTEGER, STRING, FAR, LISTED, RECORDED, RESOURCED, INTEGERS, REFERENCED = 3, 5, 6, 7, 8, 9, 10, 13
LARGE = 2**32 - 1
GLOBALS = 6


class Memory:
    """Some bytes as a module's memory."""

    def __init__(self, content: bytes) -> None:
        self.view = memoryview(bytearray(content))
        self.size = len(content)

    def fence(self, at: int, size: int, what: str, boundary: int = 1) -> memoryview:
        if at + size > self.size:
            raise TrapError(f"{what} is outside")
        return self.view


def session() -> Session:
    return Session("app:main", FakeInvoker(), GuestYaml(), None, 0)


def read(run: bytes) -> list[object]:
    """Returns the values of a run, which are the same however many stand before them."""
    memory = Memory(bytes(2000) + run)
    try:
        values = read_run(memory, session(), 2000, len(run))
    except PolycallError as error:
        with pytest.raises(type(error)):
            read_run(memory, session(), 0, memory.size)
        raise
    assert values == read_run(memory, session(), 0, memory.size)[2000:]
    return values


def test_a_reference_comes_out_as_a_number() -> None:
    assert [type(value) for value in read(small(REFERENCED, 5))] == [int]


def small(tag: int, number: int) -> bytes:
    return struct.pack("<BI", tag, number)


MALFORMED = {
    "a tag that is none": b"\xff",
    "nothing behind a tag": bytes([INTEGER]),
    "half an integer": bytes([INTEGER, 1, 2, 3]),
    "a text longer than its run": small(STRING, 10) + b"short",
    "a text as long as can be": small(STRING, LARGE),
    "a text somewhere else": small(FAR, 16) + struct.pack("<I", LARGE - 8),
    "a text without a place": small(FAR, 16),
    "a list longer than its run": small(LISTED, LARGE),
    "a record longer than its run": small(RECORDED, LARGE),
    "a key that is a number": small(RECORDED, 1) + bytes([INTEGER]) + bytes(8) + b"\0",
    "a key that is no text": small(RECORDED, 1) + small(STRING, 1) + b"\xff\0",
    "a resource that there is not": bytes([RESOURCED]) + bytes(8),
    "more numbers than there are": small(INTEGERS, LARGE),
    "numbers whose size has no room": small(INTEGERS, 1 << 29),
    "a reference inside a list": small(LISTED, 1) + small(REFERENCED, 1),
    "levels without end": small(LISTED, 1) * 200 + b"\0",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_no_module_of_ours_writes_is_refused(name: str) -> None:
    with pytest.raises((MalformedRunError, TrapError, ConversionError, CallError)):
        read(MALFORMED[name])


def test_many_values_of_few_bytes_are_bounded() -> None:
    with pytest.raises(ConversionError, match="at most 134217728 bytes"):
        read(small(LISTED, 2_000_000) + bytes(2_000_000))


def test_one_text_told_many_times_is_bounded() -> None:
    content = bytes(1 << 20)
    run = small(LISTED, 200) + (small(FAR, 1 << 20) + struct.pack("<I", 0)) * 200
    memory = Memory(content + run)
    with pytest.raises(ConversionError, match="at most 134217728 bytes"):
        read_run(memory, session(), len(content), len(run))


@pytest.mark.parametrize("before", [b"", small(LISTED, 1)], ids=["by itself", "in a list"])
def test_a_text_is_admitted_before_it_is_read(before: bytes) -> None:
    run = before + small(FAR, 60 << 20) + struct.pack("<I", 0)  # there is none: to read it would be a TrapError
    own = session()
    with pytest.raises(RefusedError, match="expected at most 100 bytes, got a text of 62914560"):
        read_run(Memory(run), own, 0, len(run), own.safe(len, most=100))
    with pytest.raises(TrapError):
        read_run(Memory(run), own, 0, len(run), own.safe(len, most=60 << 20))


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_an_error(run: bytes) -> None:
    try:
        read(run)
    except PolycallError:
        return


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)


@given(PLAIN)
def test_what_is_written_is_read(value: Value) -> None:
    marks = Marks(LIST, RECORD, RESOURCE, lambda _handle: 0)
    (back,) = read(b"".join(encode(lower(value, "$", marks))))
    assert (back.decode() if isinstance(back, bytes) else back) == value


# A module that is taken over ----------------------------------------------------------------------------------------


def sandboxed(text: str, limits: LimitsSpec | None = None, invoker: FakeInvoker | None = None) -> LuaInstance:
    return runtime(invoker).prepare(program(body(text), limits=limits)).instantiate()


@pytest.fixture(autouse=True)
def _in_the_sandbox() -> object:
    before, lua_guests.current[0] = lua_guests.current[0], lua_guests.CONDITIONS["sandbox"]
    yield
    lua_guests.current[0] = before


def overwrite(instance: LuaInstance, first: int, last: int, byte: int) -> None:
    memory = instance._kernel._state._memory.view  # type: ignore[union-attr]
    memory[first:last] = bytes([byte]) * (last - first)


@pytest.mark.parametrize("byte", [0x00, 0x01, 0x41, 0x7F, 0xFF])
@pytest.mark.parametrize("first", [0, 512 << 10, 540 << 10, 600 << 10, 700 << 10])
def test_a_guest_whose_memory_is_overwritten_ends_in_an_error_and_nothing_else(first: int, byte: int) -> None:
    instance = sandboxed("return require('json').encode({ 1, 2, ... }), ('x'):rep(100)")
    with closing(instance):
        assert instance.call([3], context()) == "[1,2,3]"
        overwrite(instance, first, first + (64 << 10), byte)
        try:
            instance.call([3], context(deadline=time.monotonic() + 0.5))
        except PolycallError:
            return


@pytest.mark.parametrize(
    ("function", "address", "size"),
    [
        (0, 0, 8),
        (99, 0, 0),
        (16, LARGE, LARGE),
        (16, 0, 64),
        (4, 0, 0),
        (8, 0, 4),
        (8, LARGE, 300),
        (2, 0, LARGE),
        (LARGE, 1, 1),
    ],
)
def test_calls_of_the_host_that_no_module_of_ours_makes_are_errors(function: int, address: int, size: int) -> None:
    instance = sandboxed("return 1")
    with closing(instance):
        state = instance._kernel._state  # type: ignore[union-attr]
        state.begin(context())
        try:
            answer = state._answered(function, address, size)
            assert isinstance(answer, int)
        except PolycallError:
            pass
        finally:
            state.end()


COPIES = {
    "concat": "local t = s .. 'y'",
    "rep": "local t = s:rep(2)",
    "format": "local t = ('%s'):format(s)",
    "pack": "local t = string.pack('s', s)",
    "table.concat": "local t = table.concat({ s, s })",
}


@attacks(
    *(
        Attack(f"{name} of 60 MiB, again and again", "Lua, sandboxed", "DeadlineError", "each looks at the clock")
        for name in COPIES
    )
)
@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_no_copy_of_many_bytes_keeps_the_engine_from_looking_at_the_time(
    copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    interruption = GuestStore.interruption

    def looked(store: GuestStore) -> PolycallError | None:
        looks.append(time.thread_time())
        return interruption(store)

    monkeypatch.setattr(GuestStore, "interruption", looked)
    instance = sandboxed(f"local s = ('x'):rep(60 << 20)\nwhile true do {copy} end")
    with closing(instance), pytest.raises(DeadlineError):
        instance.call([], context(deadline=time.monotonic() + 0.4))
    # A tick comes each 5 ms. A copy in one go takes some 40 ms here.
    assert median(later - earlier for earlier, later in pairwise(looks)) < 0.02


def test_an_answer_anywhere_is_refused() -> None:
    instance = sandboxed("return 1")
    with closing(instance):
        state = instance._kernel._state  # type: ignore[union-attr]
        for packed in (-1, LARGE, LARGE << 32 | 8, 1 << 63):
            with pytest.raises(TrapError):
                state._answer(packed)


def test_memory_has_one_bound_that_nothing_catches() -> None:
    instance = sandboxed(
        "local ok = pcall(function() local t = {} while true do t[#t + 1] = ('x'):rep(1000) end end) return ok",
        LimitsSpec(max_memory_bytes=4 << 20),
    )
    with closing(instance):
        with pytest.raises(MemoryLimitError, match="more than its 4194304 bytes"):
            instance.call([], context())
        assert instance.poisoned


@pytest.mark.parametrize(
    "text",
    [
        "while true do end",
        "setmetatable({}, { __gc = function() while true do end end }) while true do ('x'):rep(100) end",
        "local _ <close> = setmetatable({}, { __close = function() while true do end end })",
        "pcall(string.find, ('a'):rep(100), ('a*'):rep(50) .. 'b')",
        "pcall(string.rep, '', 1 << 60) while true do pcall(error) end",
        "local t = {} for i = 1, 1000000 do t[i] = i % 7 end while true do table.sort(t) end",
        "coroutine.wrap(function() while true do end end)()",
    ],
)
def test_a_deadline_ends_whatever_runs(text: str) -> None:
    instance = sandboxed(text)
    with closing(instance):
        started = time.monotonic()
        with pytest.raises(LimitError):
            instance.call([], context(deadline=started + 0.05))
        assert instance.poisoned


def test_each_instance_has_its_own_random_numbers() -> None:
    function = runtime().prepare(program(body("return math.random(0)")))
    drawn = set()
    for _ in range(4):
        with closing(function.instantiate()) as instance:
            drawn.add(instance.call([], context()))
    assert len(drawn) == 4


def test_instances_share_nothing() -> None:
    function = runtime().prepare(program("local n = 0 return { main = function() n = n + 1 return n end }"))
    with closing(function.instantiate()) as one, closing(function.instantiate()) as other:
        assert [one.call([], context()), one.call([], context()), other.call([], context())] == [1, 2, 1]


def test_what_one_caller_leaves_the_next_does_not_find() -> None:
    text = """kept, calls = {}, 0
    return { main = function(text)
        calls = calls + 1
        kept[#kept + 1] = text:rep(1000)
        pcall(error, kept)
        return { calls, #kept, kept[1]:sub(1, 1) }
    end }"""
    function = runtime().prepare(program(text))
    for letter in "abcdefgh":
        with closing(function.instantiate()) as instance:
            assert instance.call([letter], context()) == [1, 1, letter]


def test_each_caller_has_the_whole_limit() -> None:
    text = "return #('x'):rep(...)"
    function = runtime().prepare(program(body(text), limits=LimitsSpec(max_memory_bytes=2 << 20)))
    for each in range(24):
        with closing(function.instantiate()) as instance:
            assert instance.call([900_000], context()) == 900_000
            if each % 3 == 0:
                with pytest.raises(MemoryLimitError):
                    instance.call([3 << 20], context())


@pytest.mark.parametrize("first", [0, 400 << 10, 512 << 10, 540 << 10, 600 << 10, 900 << 10])
def test_what_a_guest_has_overwritten_nobody_after_it_finds(first: int) -> None:
    function = runtime().prepare(program(body("return ('text'):upper() .. #{ ... }")))
    for _ in range(3):
        with closing(function.instantiate()) as instance:
            assert instance.call([1], context()) == "TEXT1"
            overwrite(instance, first, first + 4096, 0xA5)


def test_all_of_the_module_lies_in_its_memory() -> None:
    # Or instances could not start over: its one variable elsewhere is the stack's, which each call brings back.
    folder = Path(sandbox.__file__).parent
    binary = (folder / "lua.wasm").read_bytes()
    start, end = read_declarations(binary).spans[GLOBALS]
    assert binary[start:end][:3] == b"\x01\x7f\x01"  # one, of 32 bits, that changes
    assert not [each.name for each in (folder / "c").iterdir() if "wasm_table" in each.read_text("utf-8")]


def test_large_values_go_in_and_out_as_a_whole() -> None:
    def echo(arguments: Sequence[Value], _frame: object) -> Value:
        return list(arguments)

    invoker = FakeInvoker({"app:echo": echo})
    text = "local given = ... local back = require('funcs').call('app:echo', given) return { back[1], #given.text }"
    value: Value = {"text": "x" * (3 << 20), "numbers": list(range(50_000)), "halves": [n / 2 for n in range(50_000)]}
    with closing(sandboxed(text, invoker=invoker)) as instance:
        assert instance.call([value], context()) == [value, 3 << 20]


def test_an_argument_larger_than_the_limit_is_refused() -> None:
    with closing(sandboxed("return #...", LimitsSpec(max_memory_bytes=1 << 20))) as instance:
        with pytest.raises(MemoryLimitError):
            instance.call(["x" * (2 << 20)], context())
        assert instance.call(["abc"], context()) == 3


def test_both_engines_are_the_same_lua() -> None:
    recipe = (Path(__file__).parents[1] / "guests" / "build.py").read_text("utf-8")
    assert f'LUA_VERSION, LUA_SHA256 = "{importlib.metadata.version("lupa")}"' in recipe
    with closing(sandboxed("return _VERSION")) as instance:
        assert instance.call([], context()) == LuaRuntime().eval("_VERSION")
