"""What the dispatcher relies on, asked of both runtimes, in this process and in a worker process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from lua_guests import sandbox
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import (
    CancelledError,
    ConversionError,
    DeadlineError,
    PolycallError,
    PreparationError,
)
from polycall.interop.limits import LimitsSpec
from polycall.interop.protocols import Function, Instance
from polycall.interop.source import SourceText
from polycall.interop.values import Value
from polycall.lua_runtime.runtime import LuaRuntime
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation import IsolationRuntime
from polycall.registry.services.guest_yaml import GuestYaml
from polycall.wasm_runtime.engine.cache_folder import default_cache_directory
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.spec import WasmProgram

LUA = """
local count = 0
local function add(a, b)
    count = count + 1
    return math.tointeger(a) + math.tointeger(b)
end
local function spin() while true do end end
local function fail() error("failed") end
return { add = add, spin = spin, fail = fail }
"""
WAT = """
(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "spin") (loop br 0))
  (func (export "fail") unreachable))
"""
WIT = "add: func(a: s32, b: s32) -> s32; spin: func(); fail: func();"


class _NoCalls:
    def call(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        raise AssertionError("nothing here calls out")

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        return self.call(target, arguments, caller)

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        raise AssertionError("nothing here calls out")


class Language(NamedTuple):
    name: str
    isolated: bool
    sandboxed: bool

    def prepare(self, method: str, text: str | None = None, limits: LimitsSpec | None = None) -> Function:
        source = SourceText(text or (LUA if self.name == "lua" else WAT), "guest.txt", 1)
        limits = limits or LimitsSpec()
        program: LuaProgram | WasmProgram = (
            LuaProgram("app:guest", source, method, limits=limits, sandbox=self.sandboxed)
            if self.name == "lua"
            else WasmProgram("app:guest", source, method, wit=WIT, limits=limits)
        )
        if self.isolated:
            return IsolationRuntime(_NoCalls(), cache_directory=default_cache_directory()).prepare(program)
        if isinstance(program, LuaProgram):
            return LuaRuntime(_NoCalls(), GuestYaml(), sandbox=sandbox).prepare(program)
        return WasmRuntime(_NoCalls(), default_cache_directory()).prepare(program)

    def context(self, **options: object) -> CallContext:
        return CallContext("app:guest", self.name, **options)  # type: ignore[arg-type]  # passed on as they are


@pytest.fixture(params=["lua", "wasm", "lua sandboxed", "lua isolated", "wasm isolated", "lua isolated sandboxed"])
def language(request: pytest.FixtureRequest) -> Language:
    name, *how = request.param.split()
    return Language(name, "isolated" in how, "sandboxed" in how)


@pytest.fixture(scope="module")
def adding() -> Iterator[dict[Language, Instance]]:
    """Instances that add, by language, which all tests call that leave them good: a worker takes a while to start."""
    made: dict[Language, Instance] = {}
    yield made
    for instance in made.values():
        instance.close()


@pytest.fixture
def adder(language: Language, adding: dict[Language, Instance]) -> Instance:
    if language not in adding or adding[language].poisoned:
        adding[language] = language.prepare("add").instantiate()
    return adding[language]


def test_a_function_says_whose_it_is(language: Language) -> None:
    function = language.prepare("add")
    assert (function.entry_id, function.language) == ("app:guest", language.name)
    expected: Sequence[Value] = ["[1, 2]"] if language.name == "lua" else [1, 2]
    assert list(function.payload_arguments("[1, 2]")) == expected


def test_an_instance_serves_one_call_after_another(language: Language, adder: Instance) -> None:
    assert [adder.call([number, 1], language.context()) for number in range(3)] == [1, 2, 3]
    assert not adder.poisoned


def test_two_instances_know_nothing_of_each_other(language: Language) -> None:
    function = language.prepare("add")
    first, second = function.instantiate(), function.instantiate()
    first.close()
    first.close()
    assert second.call([1, 2], language.context()) == 3


def test_a_closed_instance_is_not_called(language: Language) -> None:
    instance = language.prepare("add").instantiate()
    instance.close()
    with pytest.raises(PolycallError) as caught:
        instance.call([1, 2], language.context())
    assert caught.value.code == "internal"


def test_a_failing_guest_is_an_error_of_its_entry(language: Language) -> None:
    instance = language.prepare("fail").instantiate()
    with pytest.raises(PolycallError) as caught:
        instance.call([], language.context())
    assert caught.value.code == ("guest_error" if language.name == "lua" else "trap")


def test_a_deadline_stops_a_loop_and_poisons_the_instance(language: Language) -> None:
    instance = language.prepare("spin").instantiate()
    with pytest.raises(DeadlineError):
        instance.call([], language.context(deadline=time.monotonic() + 0.02))
    assert instance.poisoned or language.isolated  # a worker that stopped its guest in time has put in a new one


def test_a_cancellation_stops_a_loop_and_poisons_the_instance(language: Language) -> None:
    instance, cancellation = language.prepare("spin").instantiate(), Cancellation()
    threading.Timer(0.02, cancellation.cancel).start()
    with pytest.raises(CancelledError):
        instance.call([], language.context(cancellation=cancellation))
    assert instance.poisoned


def test_a_guarded_call_that_is_in_time_leaves_the_instance_good(language: Language, adder: Instance) -> None:
    guarded = language.context(deadline=time.monotonic() + 3600, cancellation=Cancellation())
    assert adder.call([1, 2], guarded) == 3
    assert adder.call([1, 2], language.context()) == 3
    assert not adder.poisoned


@pytest.mark.parametrize("value", [{"a": [object()]}, 2**64, "\ud800"])
def test_a_value_that_the_guest_cannot_take_is_refused_and_the_instance_stays_good(
    language: Language, value: Value, adder: Instance
) -> None:
    with pytest.raises(ConversionError, match=r"^\$\.args\[1\]"):
        adder.call([1, value], language.context())
    assert adder.call([1, 2], language.context()) == 3


def test_a_method_that_is_not_there_is_refused_when_the_entry_is_prepared(language: Language) -> None:
    with pytest.raises(PreparationError, match='"ad"') as caught:
        language.prepare("ad")
    assert caught.value.hint is not None
    assert '"add"' in caught.value.hint


def test_a_source_that_does_not_compile_is_refused_with_its_place(language: Language) -> None:
    with pytest.raises(PreparationError, match=r"guest\.txt:2"):
        language.prepare("add", "\n(((")


def test_two_instances_run_in_parallel(language: Language) -> None:
    # Each waits, inside its guest, until the deadline; one after the other they could not both be over in time.
    function, seconds = language.prepare("spin"), 0.3
    instances = [function.instantiate() for _ in range(2)]
    ends: list[float] = []

    def run(number: int) -> None:
        with pytest.raises(DeadlineError):
            instances[number].call([], language.context(deadline=time.monotonic() + seconds))
        ends.append(time.monotonic())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(ends) - start < 2 * seconds
