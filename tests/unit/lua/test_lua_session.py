"""What a Lua state's session keeps of a call that was broken off: nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lua_guests import FakeInvoker, context, prepare, program, run
from polycall.interop.context import CallContext
from polycall.interop.errors import ConversionError, DeadlineError, GuestError
from polycall.interop.values import Value
from polycall.lua_runtime.instance import LuaInstance
from polycall.lua_runtime.kernel import Kernel
from polycall.lua_runtime.session import MOST_NAME_BYTES, PIECE, Session
from polycall.lua_runtime.values import AT_ONCE, LIST
from polycall.registry.services.guest_yaml import GuestYaml


def session() -> Session:
    return Session("app:main", FakeInvoker(), GuestYaml(), None, 1000)


def test_what_was_collected_for_a_call_that_never_came_is_not_taken_by_another() -> None:
    one = session()
    one.collect()
    one.collect(LIST, 2, 1)
    assert one.received((b"a", 5)) == ["a", 5]
    assert one.received((1, None)) == [1, None]
    one.collect()
    one.collect(LIST, 1)
    one.collect(b"x")
    assert one.received((LIST, -1)) == [["x"]]
    assert not one.received(())


def test_what_was_collected_and_what_was_to_leave_goes_at_the_end_of_the_call() -> None:
    one = session()
    one.context = context()
    one.collect()
    one.collect(LIST, 1, b"x")
    one.end_call()
    assert one.received((LIST, -1)) == []


@pytest.mark.parametrize("length", [PIECE + 1, MOST_NAME_BYTES + 1])
def test_a_text_that_is_too_long_is_refused_for_every_host_function(length: int) -> None:
    one = session()
    calls: list[bytes] = []
    short = one.safe(calls.append, MOST_NAME_BYTES)
    assert short(b"x" * MOST_NAME_BYTES) is None
    answer = short(b"x" * length)
    assert answer[:2] == (None, b"error")
    assert answer[2] == f"expected at most {MOST_NAME_BYTES} bytes, got a text of {length}".encode()
    assert len(calls) == 1


def test_a_long_text_is_a_look_at_the_clock_even_if_it_is_refused() -> None:
    one = session()
    one.context = context(deadline=0.0)
    refuse = one.safe(lambda _text: None, MOST_NAME_BYTES)
    assert refuse(b"x" * (PIECE + 1)) == (None, b"stop")
    assert one.stopped


def instance_of(body: str) -> tuple[LuaInstance, Kernel]:
    instance = prepare(program(f"return {{ main = function(...) {body} end }}")).instantiate()
    assert isinstance(instance, LuaInstance)
    kernel: Any = instance._kernel  # the state that the instance would serve further calls with
    return instance, kernel


def test_arguments_that_did_not_all_get_in_are_not_those_of_the_next_call() -> None:
    instance, kernel = instance_of("return select('#', ...)")
    assert instance.call([[1] * 20_000, 2, 3], context()) == 3

    def fail() -> None:
        raise KeyboardInterrupt

    kernel.session.lift_cap = fail  # type: ignore[method-assign]  # as if it came while Lua asks for the second piece
    with pytest.raises(KeyboardInterrupt):
        instance.call([[1] * 20_000], context())
    assert instance.poisoned


@pytest.mark.parametrize("scalars", [AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE, 2 * AT_ONCE + 1])
def test_what_fills_a_piece_crosses_whole_in_each_direction(scalars: int) -> None:
    numbers: Value = list(range(scalars - 2))  # a list is a mark and its length before its items
    text = "local v, err = require('funcs').call('app:same', ...) return FOUND"

    def same(arguments: Sequence[Value], _frame: CallContext) -> Value:
        return arguments[0]

    def fail(arguments: Sequence[Value], frame: CallContext) -> Value:
        raise GuestError("x", entry_id=frame.entry_id, details=arguments[0])

    assert run("return ...", numbers) == numbers
    assert run(text.replace("FOUND", "v, err"), numbers, targets={"app:same": same}) == numbers
    if scalars <= AT_ONCE + 1:  # more than a mebibyte of details is left out
        assert run(text.replace("FOUND", "err:details()"), numbers, targets={"app:same": fail}) == numbers


def test_a_result_that_did_not_all_get_out_ends_the_state() -> None:
    instance, kernel = instance_of("local t = {} for i = 1, 20000 do t[i] = i end return t")
    result = instance.call([], context())
    assert isinstance(result, list)
    assert len(result) == 20_000
    assert not instance.poisoned

    def too_late() -> None:
        raise DeadlineError("too late")

    kernel.session.check = too_late  # type: ignore[method-assign]  # as if the time passed while it is read
    with pytest.raises(DeadlineError):
        instance.call([], context())
    assert instance.poisoned


def test_a_result_that_cannot_travel_leaves_the_state_as_good_as_before() -> None:
    instance, _ = instance_of("local first = ... if first then return { 1, 2, { print } } end return { 7 }")
    for _ in range(3):
        with pytest.raises(ConversionError, match=r"\$\.result\[2\]\[0\]"):
            instance.call([True], context())
        assert instance.call([False], context()) == [7]
