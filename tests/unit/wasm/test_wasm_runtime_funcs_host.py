"""`wippy:runtime/funcs@0.1.0`: what a component gets back from a call to another entry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import (
    CallError,
    CancelledError,
    DeadlineError,
    DepthError,
    GuestError,
    InternalError,
    PolycallError,
    PoolDeadlockError,
    TrapError,
)
from polycall.interop.protocols import Instance
from polycall.interop.values import Value
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import FUNCS_CALLER, FakeInvoker, call, context, failing, open_runtime, prepare

JS_CALLER = Path(__file__).parents[2] / "guests" / "bin" / "js-caller.wasm"


@pytest.fixture(scope="module")
def invoker() -> FakeInvoker:
    return FakeInvoker()


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, invoker: FakeInvoker) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache")), invoker) as runtime:
        yield runtime


@pytest.fixture
def relay(runtime: WasmRuntime) -> Callable[[str], Instance]:
    return lambda method: prepare(runtime, FUNCS_CALLER, method, grants=("funcs",)).instantiate()


def answering(invoker: FakeInvoker, answer: Any) -> None:
    def give(_payload: str | bytes, _caller: CallContext) -> Value:
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]  # a plain value, whatever the test chose

    invoker.answers = {"target": give}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (42, "42"),
        (1.5, "1.5"),
        (3.0, "3.0"),
        ("text", "text"),
        (b"bytes", "bytes"),
        ([1, "a", None], '[1,"a",null]'),
        ({"id": 1, "name": "ü"}, '{"id":1,"name":"ü"}'),
        ([], "[]"),
        ({"ok": "v"}, "v"),
        ({"ok": {"a": 1}}, '{"a":1}'),
        ({"ok": None}, ""),
        ({"ok": 1, "more": 2}, '{"ok":1,"more":2}'),
    ],
)
def test_every_answer_has_its_text_and_its_bytes(
    relay: Callable[[str], Instance], invoker: FakeInvoker, answer: Value, text: str
) -> None:
    answering(invoker, answer)
    assert call(relay("relay-string"), "app:target", "x") == {"ok": text}
    assert call(relay("relay-bytes"), "app:target", b"x") == {"ok": text.encode()}


def test_bytes_go_out_and_come_back_as_they_are(relay: Callable[[str], Instance], invoker: FakeInvoker) -> None:
    answering(invoker, b"\xff\x00")
    assert call(relay("relay-bytes"), "app:target", b"\x00\xfe") == {"ok": b"\xff\x00"}
    assert invoker.calls[-1][:2] == ("app:target", b"\x00\xfe")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"err": "no rate"}, "no rate"),
        ({"err": {"code": 7}}, '{"code":7}'),
        ({"err": b"\xff"}, "�"),
        (b"\xff", "the answer is bytes that are not UTF-8 (use call-bytes)"),
        (["a", b"\xff"], "$[1]: expected text for JSON, got 1 bytes that are not UTF-8"),
        ("\ud800", "the answer is text with half of a surrogate pair"),
        (["\ud800"], "the answer is text with half of a surrogate pair"),
        pytest.param(10**5000, "the answer has an integer of too many digits", id="long integer"),
        pytest.param(
            [10**5000],
            "$[0]: expected an integer of some thousand digits, got an integer of 16610 bits",
            id="long integer in a list",
        ),
    ],
)
def test_an_answer_that_is_an_err_or_has_no_text_is_an_err(
    relay: Callable[[str], Instance], invoker: FakeInvoker, answer: Value, text: str
) -> None:
    answering(invoker, answer)
    assert call(relay("relay-string"), "app:target", "x") == {"err": text}


@pytest.mark.parametrize("target", ["", "target", ":target", "app:", "ä"])
def test_a_target_that_is_no_full_id_is_an_err(
    relay: Callable[[str], Instance], invoker: FakeInvoker, target: str
) -> None:
    calls = len(invoker.calls)
    assert call(relay("relay-string"), target, "x") == {"err": f"invalid function target: {target}"}
    assert len(invoker.calls) == calls


def test_a_failed_call_is_an_err_with_the_frames_below_the_guest(
    relay: Callable[[str], Instance], invoker: FakeInvoker
) -> None:
    invoker.answers = {"target": failing('tax.lua:12: no rate for "XX"', "app:tax")}
    caller = CallContext("app:checkout", "lua")
    answer = relay("relay-string").call(["app:target", "x"], context(parent=caller))
    assert answer == {"err": 'app:tax (lua): tax.lua:12: no rate for "XX"'}


@pytest.mark.parametrize("error", [PoolDeadlockError("waits for itself"), DepthError("too deep"), CallError("\ud800")])
def test_errors_of_the_dispatcher_are_errs_too(
    relay: Callable[[str], Instance], invoker: FakeInvoker, error: PolycallError
) -> None:
    answering(invoker, error)
    instance = relay("relay-string")
    answer = call(instance, "app:target", "x")
    assert answer == {"err": str(error).replace("\ud800", "?")}
    assert not instance.poisoned


def test_the_callee_sees_the_frame_of_the_calling_guest(relay: Callable[[str], Instance], invoker: FakeInvoker) -> None:
    answering(invoker, None)
    frame = context(deadline=time.monotonic() + 60)
    relay("relay-string").call(["app:target", "payload"], frame)
    target, payload, caller = invoker.calls[-1]
    assert (target, payload) == ("app:target", "payload")
    assert caller is frame


def test_a_guest_whose_own_time_is_up_does_not_go_on(relay: Callable[[str], Instance], invoker: FakeInvoker) -> None:
    deadline = DeadlineError("the deadline of the call passed", entry_id="app:slow")
    frame = context(deadline=time.monotonic() + 60)

    def take_all_its_time(_payload: str | bytes, _caller: CallContext) -> Value:
        frame.deadline = time.monotonic()
        raise deadline

    invoker.answers = {"target": take_all_its_time}
    instance = relay("relay-string")
    with pytest.raises(DeadlineError) as caught:
        instance.call(["app:target", "x"], frame)
    assert caught.value is deadline
    assert instance.poisoned


def test_a_callee_that_ran_out_of_its_own_time_is_an_err(
    relay: Callable[[str], Instance], invoker: FakeInvoker
) -> None:
    answering(invoker, DeadlineError("the deadline of the call passed"))
    answer = relay("relay-string").call(["app:target", "x"], context(deadline=time.monotonic() + 60))
    assert answer == {"err": "the deadline of the call passed"}


def test_a_cancelled_guest_does_not_go_on_whatever_the_callee_said(
    relay: Callable[[str], Instance], invoker: FakeInvoker
) -> None:
    cancellation = Cancellation()

    def cancel_and_fail(_payload: str | bytes, _caller: CallContext) -> Value:
        cancellation.cancel()
        raise GuestError("something else")

    invoker.answers = {"target": cancel_and_fail}
    with pytest.raises(CancelledError, match="the call was cancelled"):
        relay("relay-string").call(["app:target", "x"], context(cancellation=cancellation))


def test_a_trap_after_a_failed_call_says_which(relay: Callable[[str], Instance], invoker: FakeInvoker) -> None:
    invoker.answers = {"target": failing("no rate", "app:tax")}
    with pytest.raises(TrapError) as caught:
        call(relay("relay-or-trap"), "app:target", "x")
    assert caught.value.message.startswith("no rate; then, in app:guest: ")
    assert caught.value.frames == (("app:guest", "wasm"), ("app:tax", "lua"))
    assert "or-trap" in (caught.value.guest_traceback or "")
    assert isinstance(caught.value.__cause__, GuestError)


def test_a_trap_long_after_is_not_blamed_on_an_earlier_call(
    relay: Callable[[str], Instance], invoker: FakeInvoker
) -> None:
    instance = relay("relay-or-trap")
    answering(invoker, "fine")
    assert call(instance, "app:target", "x") == "fine"
    answering(invoker, {"err": "a value, not a failed call"})
    with pytest.raises(TrapError) as caught:
        call(instance, "app:target", "x")
    assert "; then, in" not in caught.value.message


def test_a_fault_of_the_host_is_an_internal_error_and_nothing_unwinds_through_the_engine(
    relay: Callable[[str], Instance], invoker: FakeInvoker
) -> None:
    answering(invoker, ZeroDivisionError("oops"))
    instance = relay("relay-string")
    with pytest.raises(InternalError, match="oops") as caught:
        call(instance, "app:target", "x")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert instance.poisoned


def test_ctrl_c_in_a_callee_comes_out_as_itself(relay: Callable[[str], Instance], invoker: FakeInvoker) -> None:
    answering(invoker, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        call(relay("relay-string"), "app:target", "x")


def test_a_guest_may_not_call_others_while_it_starts(runtime: WasmRuntime) -> None:
    guest = FUNCS_CALLER.replace(
        '(func $or-trap (export "relay-or-trap")',
        "(func $start (call $call-string (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))"
        "(start $start)"
        '(func $or-trap (export "relay-or-trap")',
    )
    with pytest.raises(CallError, match="while it was starting"):
        prepare(runtime, guest, "relay-string", grants=("funcs",)).instantiate()


def test_a_guest_that_calls_itself_through_the_registry_uses_another_instance(
    runtime: WasmRuntime, invoker: FakeInvoker
) -> None:
    function = prepare(runtime, FUNCS_CALLER, "relay-string", grants=("funcs",))

    def again(payload: str | bytes, caller: CallContext) -> Value:
        left = int(payload)
        if not left:
            return "bottom"
        frame = CallContext("app:guest", "wasm", caller)
        answer = function.instantiate().call(["app:target", str(left - 1)], frame)
        assert isinstance(answer, dict)
        return answer

    invoker.answers = {"target": again}
    assert call(function.instantiate(), "app:target", "20") == {"ok": "bottom"}


def test_a_javascript_component_calls_out_and_back(runtime: WasmRuntime, invoker: FakeInvoker) -> None:
    import hashlib

    from polycall.wasm_runtime import BinaryFile, WasmProgram

    digest = "sha256:" + hashlib.sha256(JS_CALLER.read_bytes()).hexdigest()
    code = BinaryFile(JS_CALLER.parent, JS_CALLER.name, "js-caller.wasm", digest)
    program = WasmProgram("app:js", code, "three", grants=frozenset({"funcs"}))
    invoker.answers = {
        "upper": lambda payload, _caller: str(payload).upper(),
        "exclaim": lambda payload, _caller: str(payload) + "!",
        "reverse-bytes": lambda payload, _caller: bytes(reversed(payload if isinstance(payload, bytes) else b"")),
    }
    assert call(runtime.prepare(program).instantiate(), "abc") == "!CBA"
