"""Typed links in the WebAssembly runtime: which import a link serves, and what an entry's answer becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from linked_guests import RATE, TAX, relay
from polycall.interop.context import CallContext
from polycall.interop.errors import (
    CallError,
    ConversionError,
    DeadlineError,
    Frame,
    GuestError,
    ImportDeniedError,
    PreparationError,
    TrapError,
)
from polycall.interop.protocols import ImportNeed, Instance, Link
from polycall.interop.source import SourceText
from polycall.interop.values import Value
from polycall.wasm_runtime.function import WasmFunction
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.spec import WasmProgram
from wasm_guests import NobodyToCall, call, context, open_runtime

SIGNATURE = "func(country: string) -> result<u32, string>"


class Answering(NobodyToCall):
    """Answers every linked call with one value, or raises it."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.calls: list[tuple[str, list[Value]]] = []

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        self.calls.append((target, list(arguments)))
        answer = self.answer(caller) if callable(self.answer) else self.answer
        if isinstance(answer, BaseException):
            raise answer
        value: Value = answer
        return value


@pytest.fixture
def invoker() -> Answering:
    return Answering()


@pytest.fixture
def runtime(tmp_path: Path, invoker: Answering) -> Iterator[WasmRuntime]:
    with open_runtime(tmp_path, invoker) as runtime:
        yield runtime


def linked(
    runtime: WasmRuntime,
    guest: str | None = None,
    links: Mapping[str, str] | None = None,
    method: str = "rate",
    grants: Sequence[str] = (),
    *,
    strict: bool = False,
) -> WasmFunction:
    links = {TAX: "app.rules"} if links is None else links
    source = SourceText(guest or relay(), "guest.wat")
    program = WasmProgram("app:guest", source, method, None, frozenset(grants), strict, links=links)
    return runtime.prepare(program)


def serving(runtime: WasmRuntime, wit: str) -> Instance:
    return linked(runtime, relay(wit), method="f").instantiate()


def returned(message: str, details: Value = None) -> GuestError:
    return GuestError(message, details=details, returned=True)


# --- which link serves which import ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("links", "target"),
    [
        ({"shop:rules/tax@1.0.0": "app.rules"}, "app.rules:rate"),
        ({"shop:rules/tax": "app.rules"}, "app.rules:rate"),
        ({"shop:rules/tax@1.9.3": "app.rules"}, "app.rules:rate"),
        ({"shop:rules/tax@1": "app.rules"}, "app.rules:rate"),
        ({"shop:rules/tax@1.0.0#rate": "app:tax_rate"}, "app:tax_rate"),
        ({"shop:rules/tax#rate": "app:tax_rate"}, "app:tax_rate"),
        ({"shop:rules/tax": "any", "shop:rules/tax@1.2.0": "near", "shop:rules/tax@1.0.0": "exact"}, "exact:rate"),
        ({"shop:rules/tax": "any", "shop:rules/tax@1.2.0": "near"}, "near:rate"),
        ({"shop:rules/tax@1.0.0": "exact", "shop:rules/tax#rate": "app:one"}, "app:one"),
        ({"shop:rules/tax#rate": "app:one", "shop:rules/tax@1.0.0#rate": "app:exact"}, "app:exact"),
    ],
)
def test_the_closest_link_serves(runtime: WasmRuntime, invoker: Answering, links: dict[str, str], target: str) -> None:
    invoker.answer = 23
    assert call(linked(runtime, links=links).instantiate(), "PT") == {"ok": 23}
    assert invoker.calls == [(target, ["PT"])]


def test_a_function_that_is_imported_on_its_own_is_linked_by_its_name(runtime: WasmRuntime, invoker: Answering) -> None:
    invoker.answer = 23
    assert call(linked(runtime, relay(RATE, ""), {"host-rate": "app:rate"}).instantiate(), "PT") == {"ok": 23}
    assert invoker.calls == [("app:rate", ["PT"])]


def test_an_interface_that_stands_in_the_world_is_linked_by_its_label(runtime: WasmRuntime, invoker: Answering) -> None:
    invoker.answer = 23
    for links in ({"tax": "app.rules"}, {"tax#rate": "app.rules:rate"}):
        assert call(linked(runtime, relay(RATE, "tax"), links).instantiate(), "PT") == {"ok": 23}
    assert [target for target, _ in invoker.calls] == ["app.rules:rate"] * 2


@pytest.mark.parametrize(
    ("links", "message", "hint"),
    [
        (
            {"shop:rules/tx": "app.rules"},
            'the component does not import "shop:rules/tx"',
            'did you mean "shop:rules/tax@1.0.0"?',
        ),
        (
            {"shop:rules/tax@2.0.0": "app.rules"},
            'the component does not import "shop:rules/tax@2.0.0"',
            'did you mean "shop:rules/tax@1.0.0"?',
        ),
        (
            {"shop:rules/tax#rat": "app:rate"},
            'the component does not import "shop:rules/tax#rat"',
            'did you mean "shop:rules/tax@1.0.0#rate"?',
        ),
        ({"entirely:other/thing": "a"}, 'the component does not import "entirely:other/thing"', f"it imports {TAX}"),
    ],
)
def test_a_link_that_serves_nothing_is_an_error_with_near_names(
    runtime: WasmRuntime, links: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(PreparationError) as caught:
        linked(runtime, links=links)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    (link,) = links
    assert caught.value.key == (f'links."{link}"' if "." in link else f"links.{link}")


@pytest.mark.parametrize(
    ("guest", "links", "message"),
    [
        (relay(RATE, "tax"), {"tax": "app:rate"}, '"tax" is an interface, which a namespace serves, not "app:rate"'),
        (
            relay(RATE, ""),
            {"host-rate": "app"},
            '"host-rate" is a function, which an entry serves, not "app"',
        ),
        ('(module (func (export "rate")))', {TAX: "app"}, "only a component can have links; this is a core module"),
        (
            f"""(component
              (import "{TAX}" (instance $i (export "bag" (type $bag (sub resource)))
                (export "rate" (func (param "b" (borrow $bag))))))
              (core func $low (canon lower (func $i "rate")))
              (core module $m (import "h" "rate" (func (param i32))) (func (export "rate")))
              (core instance $m (instantiate $m (with "h" (instance (export "rate" (func $low))))))
              (func (export "rate") (canon lift (core func $m "rate"))))""",
            {TAX: "app"},
            f"the import {TAX}#rate cannot be linked: it takes or gives resources",
        ),
    ],
)
def test_what_a_link_cannot_serve_is_refused_when_it_is_prepared(
    runtime: WasmRuntime, guest: str, links: dict[str, str], message: str
) -> None:
    with pytest.raises(PreparationError) as caught:
        linked(runtime, guest, links)
    assert caught.value.message == message
    assert (caught.value.key or "").startswith("links")


def test_what_is_linked_needs_nothing_of_the_host(runtime: WasmRuntime) -> None:
    expected = ImportNeed(f"{TAX}#rate", None, True, True, Link(TAX, "app.rules:rate", SIGNATURE))
    assert linked(runtime, strict=True).imports == (expected,)


def test_an_interface_may_be_linked_in_part(runtime: WasmRuntime, invoker: Answering) -> None:
    guest, links = relay(f"{RATE} other: func() -> u32;"), {"shop:rules/tax#rate": "app:rate"}
    invoker.answer = 5
    needs = linked(runtime, guest, links).imports
    assert [(need.name, need.granted) for need in needs] == [(f"{TAX}#rate", True), (f"{TAX}#other", False)]
    assert call(linked(runtime, guest, links).instantiate(), "PT") == {"ok": 5}
    with pytest.raises(ImportDeniedError, match=r"the guest called shop:rules/tax@1\.0\.0#other"):
        call(linked(runtime, guest, links, "other").instantiate())
    with pytest.raises(ImportDeniedError, match=r"does not grant: shop:rules/tax@1\.0\.0#other"):
        linked(runtime, guest, links, strict=True)


NOW = "record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime;"


def test_a_link_serves_an_interface_of_wasi_or_our_own_in_place_of_the_host(
    runtime: WasmRuntime, invoker: Answering
) -> None:
    clock = "wasi:clocks/wall-clock@0.2.3"
    invoker.answer = {"seconds": 7, "nanoseconds": 0}
    for grants in ((), ("wasi:clocks",)):
        guest = linked(runtime, relay(NOW, clock), {"wasi:clocks/wall-clock": "app.clock"}, "now", grants)
        assert call(guest.instantiate()) == invoker.answer
    assert invoker.calls == [("app.clock:now", [])] * 2
    invoker.answer = "linked"
    wit = "call-string: func(target: string, input: string) -> result<string, string>;"
    funcs = "wippy:runtime/funcs@0.1.0"
    guest = linked(runtime, relay(wit, funcs), {funcs: "app.funcs"}, "call-string", ("funcs",))
    assert call(guest.instantiate(), "app:x", "y") == {"ok": "linked"}


# --- what an answer becomes ---------------------------------------------------------------------------------------

RECORD = "record problem { code: u32, text: option<string> }"
ENUM = "enum reason { unknown-country, closed }"
VARIANT = "variant reason { unknown(string), closed }"


@pytest.mark.parametrize(
    ("wit", "answer", "result"),
    [
        ("f: func() -> u32;", 7, 7),
        ("f: func() -> u32;", 7.0, 7),
        ("f: func() -> list<u8>;", "text", b"text"),
        ("f: func();", None, None),
        ("f: func() -> option<u32>;", None, None),
        ("f: func() -> result<u32, string>;", 7, {"ok": 7}),
        ("f: func() -> result<u32, string>;", {"ok": 7}, {"ok": 7}),
        ("f: func() -> result<u32, string>;", {"err": "no"}, {"err": "no"}),
        ("f: func() -> result<u32, string>;", returned("no"), {"err": "no"}),
        ("f: func() -> result<u32, string>;", returned("no", {"code": 1}), {"err": "no"}),
        ("f: func() -> result<u32, string>;", returned("half \ud800"), {"err": "half ?"}),
        ("f: func() -> result<option<u32>, string>;", None, {"ok": None}),
        ("f: func() -> result<_, string>;", None, {"ok": True}),
        ("f: func() -> result<_, string>;", True, {"ok": True}),
        ("f: func() -> result<_, string>;", returned("no"), {"err": "no"}),
        ("f: func() -> result<u32>;", returned("no"), {"err": True}),
        ("f: func() -> result;", None, {"ok": True}),
        ("f: func() -> result;", returned("no"), {"err": True}),
        ("f: func() -> result<u32, list<u8>>;", returned("no"), {"err": b"no"}),
        ("f: func() -> result<u32, option<string>>;", returned("no"), {"err": "no"}),
        (
            f"{RECORD} f: func() -> result<u32, problem>;",
            returned("x", {"code": 4}),
            {"err": {"code": 4, "text": None}},
        ),
        (f"{ENUM} f: func() -> result<u32, reason>;", returned("closed"), {"err": "closed"}),
        (f"{ENUM} f: func() -> result<u32, reason>;", returned("x", "closed"), {"err": "closed"}),
        (f"{VARIANT} f: func() -> result<u32, reason>;", returned("x", {"unknown": "y"}), {"err": {"unknown": "y"}}),
        (f"{RECORD} f: func() -> result<problem, string>;", {"code": 4}, {"ok": {"code": 4, "text": None}}),
    ],
)
def test_an_answer_becomes_the_result(
    runtime: WasmRuntime, invoker: Answering, wit: str, answer: Any, result: Value
) -> None:
    invoker.answer = answer
    assert call(serving(runtime, wit)) == result


@pytest.mark.parametrize(
    ("wit", "answer", "told"),
    [
        ("f: func() -> u32;", -1, ("$.result", "u32", "-1")),
        ("f: func() -> u32;", {"ok": 1}, ("$.result", "u32", "a record with the keys ok")),
        ("f: func();", "x", ("$.result", "nothing", '"x"')),
        ("f: func() -> result<_, string>;", 5, ("$.result.ok", None, "5")),
        ("f: func() -> result<u32, string>;", "x", ("$.result.ok", "u32", '"x"')),
        ("f: func() -> result<u32, string>;", {"err": 5}, ("$.result.err", "string", "5")),
        ("f: func() -> result<list<u32>, string>;", [1, "x"], ("$.result.ok[1]", "u32", '"x"')),
        (f"{RECORD} f: func() -> result<u32, problem>;", returned("no"), ("$.result.err", None, '"no"')),
        (
            f"{RECORD} f: func() -> result<u32, problem>;",
            returned("no", {"code": -1}),
            ("$.result.err.code", "u32", "-1"),
        ),
        (f"{ENUM} f: func() -> result<u32, reason>;", returned("no"), ("$.result.err", None, '"no"')),
    ],
)
def test_an_answer_that_does_not_fit_names_entry_path_expected_and_got(
    runtime: WasmRuntime, invoker: Answering, wit: str, answer: Any, told: tuple[str, str | None, str]
) -> None:
    invoker.answer = answer
    instance = serving(runtime, wit)
    with pytest.raises(ConversionError) as caught:
        call(instance)
    error = caught.value
    assert (error.entry_id, error.direction) == ("app.rules:f", "lower")
    assert (error.path, told[1] and error.expected, error.got) == told
    assert error.hint
    assert instance.poisoned


def test_a_misfit_says_what_the_entry_serves(runtime: WasmRuntime, invoker: Answering) -> None:
    invoker.answer = "x"
    with pytest.raises(ConversionError) as caught:
        call(linked(runtime).instantiate(), "PT")
    assert caught.value.hint == f"it serves {TAX}#rate: {SIGNATURE}"


def test_an_error_that_becomes_no_err_keeps_its_frames_and_is_the_cause(
    runtime: WasmRuntime, invoker: Answering
) -> None:
    error = returned("no")
    error.frames = (Frame("app:guest", "wasm"), Frame("app.rules:f", "lua"))
    invoker.answer = error
    with pytest.raises(ConversionError) as caught:
        call(serving(runtime, f"{ENUM} f: func() -> result<u32, reason>;"))
    assert caught.value.frames == error.frames
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("wit", ["f: func() -> u32;", "f: func() -> result<u32, string>;"])
def test_what_an_entry_raises_ends_the_call(runtime: WasmRuntime, invoker: Answering, wit: str) -> None:
    error = GuestError("boom")
    invoker.answer = error
    instance = serving(runtime, wit)
    with pytest.raises(GuestError) as caught:
        call(instance)
    assert caught.value is error
    assert instance.poisoned


def test_an_error_that_is_returned_where_no_result_is_ends_the_call(runtime: WasmRuntime, invoker: Answering) -> None:
    invoker.answer = returned("no")
    with pytest.raises(GuestError, match="no"):
        call(serving(runtime, "f: func() -> u32;"))


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_guest_whose_time_is_up_does_not_go_on_with_an_err(
    runtime: WasmRuntime, invoker: Answering, cancelled: bool
) -> None:
    def late(caller: CallContext) -> GuestError:
        caller.deadline = 0.0
        return returned("late")

    invoker.answer = late
    with pytest.raises(DeadlineError):
        call(serving(runtime, "f: func() -> result<u32, string>;"))


def test_a_trap_after_an_err_says_which(runtime: WasmRuntime, invoker: Answering) -> None:
    unwraps = (
        relay()
        .replace("(call $call-rate", "(call $unwrap")
        .replace(
            '(func (export "rate")',
            "(func $unwrap (param i32 i32 i32) (call $call-rate (local.get 0) (local.get 1) (local.get 2))"
            ' (if (i32.load8_u (local.get 2)) (then unreachable))) (func (export "rate")',
            1,
        )
    )
    invoker.answer = returned("no rate for XX")
    with pytest.raises(TrapError, match=r"^no rate for XX; then, in app:guest: "):
        call(linked(runtime, unwraps).instantiate(), "XX")


def test_a_guest_may_not_call_links_while_it_starts(runtime: WasmRuntime, invoker: Answering) -> None:
    wit = "f: func() -> u32;"
    starts = relay(wit).replace(
        '(func (export "f")', '(func $s (drop (call $call-f))) (start $s) (func (export "f")', 1
    )
    with pytest.raises(CallError, match="while it was starting"):
        serving_start(linked(runtime, starts, method="f"))
    assert invoker.calls == []


def serving_start(function: WasmFunction) -> None:
    function.instantiate(context())


@pytest.mark.parametrize(
    ("wit", "arguments"),
    [
        ("f: func(a: u64, b: string, c: list<u8>) -> u32;", [2**64 - 1, "é", b"\xff"]),
        (f"{RECORD} f: func(p: problem, q: list<problem>) -> u32;", [{"code": 1, "text": "x"}, []]),
        (f"{VARIANT} {ENUM.replace('reason', 'why')} f: func(r: reason, w: why) -> u32;", [{"closed": True}, "closed"]),
        ("f: func(a: option<u32>, b: tuple<bool, char>, c: f32) -> u32;", [None, [True, "x"], 1.5]),
        (f"f: func({', '.join(f'a{n}: u32' for n in range(20))}) -> u32;", list(range(20))),
    ],
)
def test_arguments_arrive_as_values(runtime: WasmRuntime, invoker: Answering, wit: str, arguments: list[Value]) -> None:
    invoker.answer = 1
    assert call(serving(runtime, wit), *arguments) == 1
    assert invoker.calls == [("app.rules:f", arguments)]
