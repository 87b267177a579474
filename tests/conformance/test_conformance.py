"""The suite's runner: what it takes for passed, failed and gated; and polycall's engine on components of our own."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import wasmtime

from conformance.ours import OurEngine
from conformance.report import FAILED, GATED, PASSED, Outcome, report
from conformance.runner import Instance, Loaded, run
from conformance.scripts import Command, NotConvertedError, Script, commands, scripts_in
from conformance.values import same, value_of
from polycall.interop.errors import PreparationError, TrapError
from polycall.interop.values import Value

COMPONENT = b"\0asm\x0d\0\x01\0"


class FakeEngine:
    """Takes what stands behind the header for what a component does."""

    def load(self, binary: bytes) -> Loaded:
        if b"malformed" in binary:
            raise PreparationError("is malformed")
        if b"async" in binary:
            raise PreparationError("is an async function, which is of WASI 0.3")
        return FakeComponent(binary)


class FakeComponent:
    def __init__(self, binary: bytes) -> None:
        self._binary = binary

    def instantiate(self, named: Mapping[str, Instance]) -> Instance:
        if b"trap at start" in self._binary:
            raise TrapError("unreachable")
        return FakeInstance()


class FakeInstance:
    def call(self, function: str, arguments: Sequence[Value]) -> Value:
        if function == "trap":
            raise TrapError("unreachable")
        if function == "task.cancel":
            raise TrapError("task.cancel is of WASI 0.3")
        return arguments[0] if arguments else None


def component(text: bytes = b"", kind: str = "module", name: str | None = None) -> Command:
    return Command(kind, 1, COMPONENT + text, name=name)


def calling(
    function: str, kind: str, arguments: tuple[int, ...] = (), expected: tuple[int, ...] = (), module: str | None = None
) -> Command:
    numbers, wanted = ([{"type": "u32", "value": str(each)} for each in some] for some in (arguments, expected))
    action = {"type": "invoke", "field": function, "args": numbers, "module": module}
    return Command(kind, 1, action=action, expected=tuple(wanted))


def outcomes(*script: Command) -> list[tuple[str, str]]:
    return [(each.outcome, each.why) for each in run("script", script, FakeEngine())]


def test_results_are_compared() -> None:
    assert outcomes(
        component(),
        calling("echo", "assert_return", (5,), (5,)),
        calling("echo", "assert_return", (5,), (6,)),
        calling("nothing", "assert_return"),
    ) == [(PASSED, ""), (PASSED, ""), (FAILED, "expected [6], got 5"), (PASSED, "")]


def test_errors_are_expected() -> None:
    nothing = (FAILED, "expected an error, and there is none")
    assert outcomes(
        component(),
        calling("trap", "assert_trap"),
        calling("echo", "assert_trap", (1,)),
        component(b"malformed", "assert_malformed"),
        component(b"", "assert_invalid"),
        component(b"trap at start", "assert_uninstantiable"),
        component(b"", "assert_unlinkable"),
        component(b"malformed"),
    ) == [
        *[(PASSED, ""), (PASSED, ""), nothing, (PASSED, ""), nothing, (PASSED, ""), nothing, (FAILED, "is malformed")]
    ]


def test_what_wants_a_missing_feature_is_gated_and_so_is_what_builds_on_it() -> None:
    feature = "async functions, streams and futures"
    assert outcomes(
        component(),
        calling("task.cancel", "assert_trap"),
        calling("echo", "assert_return", (5,), (5,)),
        component(b"async", name="a"),
        calling("echo", "assert_return", (5,), (5,), module="a"),
        calling("echo", "assert_return", (5,), (5,)),
        component(b"async", "assert_invalid"),
        Command("thread", 1),
    ) == [
        (PASSED, ""),
        (GATED, feature),
        (GATED, feature),
        (GATED, feature),
        (GATED, feature),
        (GATED, feature),
        (PASSED, ""),  # it is expected to be refused, and it is
        (GATED, "the command thread"),
    ]


def test_instances_have_names() -> None:
    assert outcomes(
        component(b"", "module_definition", "d"),
        Command("module_instance", 1, name="i", of="d"),
        component(b"async"),
        calling("echo", "assert_return", (5,), (5,), module="i"),
        Command("module_instance", 1, name="j", of="d"),
        calling("echo", "assert_return", (5,), (5,)),
    )[3:] == [(PASSED, ""), (PASSED, ""), (PASSED, "")]


def test_the_report_ends_with_the_sums() -> None:
    found = report(
        [
            Outcome("a/b", 1, "module", PASSED),
            Outcome("a/b", 2, "assert_trap", FAILED, "expected an error"),
            Outcome("c", 1, "module", GATED, "threads"),
        ]
    ).splitlines()
    assert "| a/b | 1 | 1 | 0 |" in found
    assert "gated 1: threads" in found
    assert "FAILED a/b:2 assert_trap: expected an error" in found
    assert found[-1] == "passed 1, failed 1, gated 1 of 3"


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ({"type": "u64", "value": "18446744073709551615"}, 2**64 - 1),
        ({"type": "bool", "value": True}, True),
        ({"type": "f32", "value": "1065353216"}, 1.0),
        ({"type": "string", "value": "x"}, "x"),
        ({"type": "list", "value": [{"type": "u8", "value": "1"}]}, [1]),
        ({"type": "record", "value": [["a", {"type": "s8", "value": "-1"}]]}, {"a": -1}),
        ({"type": "variant", "value": {"case": "a", "payload": None}}, {"a": True}),
        ({"type": "variant", "value": {"case": "a", "payload": {"type": "u8", "value": "1"}}}, {"a": 1}),
        ({"type": "enum", "value": "a"}, "a"),
        ({"type": "flags", "value": ["a", "b"]}, ["a", "b"]),
        ({"type": "option", "value": None}, None),
        ({"type": "option", "value": {"type": "u8", "value": "1"}}, 1),
        ({"type": "option", "value": {"type": "option", "value": None}}, {"some": None}),
        ({"type": "result", "value": {"Ok": {"type": "u8", "value": "1"}}}, {"ok": 1}),
        ({"type": "result", "value": {"Err": None}}, {"err": None}),
    ],
)
def test_values(found: dict[str, object], value: Value) -> None:
    assert value_of(found) == value


def test_values_that_are_the_same() -> None:
    assert same(b"\x01\x02", [1, 2])
    assert same({"a": [float("nan"), "x"]}, {"a": [float("nan"), "x"]})
    assert not same(1, True)
    assert not same(1, 1.0)
    assert not same([1], [1, 2])
    assert not same({"a": 1}, {"b": 1})


def test_scripts_are_converted(tmp_path: Path) -> None:
    folder = tmp_path / "checkout" / "test" / "values"
    folder.mkdir(parents=True)
    (folder / "one.wast").write_text("")
    (folder / "wrong.wast").write_text("")
    lines = [
        {"type": "module", "line": 3, "filename": "a.wasm", "module_type": "binary"},
        {"type": "assert_malformed", "line": 4, "filename": "b.wat", "module_type": "text", "text": "what"},
        {"type": "assert_return", "line": 5, "action": {"field": "f", "args": []}, "expected": []},
    ]
    tool = tmp_path / "tool"
    tool.write_text(
        "#!/bin/sh\n"
        'case "$2" in *wrong*) echo "error: what is this" >&2; exit 1;; esac\n'
        f"printf component > $4/a.wasm; printf text > $4/b.wat; cat > $6 <<'END'\n"
        f"{json.dumps({'commands': lines})}\nEND\n"
    )
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    one, wrong = scripts_in(tmp_path / "checkout")
    assert (one.name, wrong.name) == ("values/one", "values/wrong")
    output = tmp_path / "output"
    output.mkdir()
    module, malformed, returned = commands(one, str(tool), output)
    assert (module.kind, module.line, module.binary) == ("module", 3, b"component")
    assert (malformed.source, malformed.binary, malformed.text) == ("text", None, "what")
    assert returned.action == {"field": "f", "args": []}
    with pytest.raises(NotConvertedError, match="what is this"):
        list(commands(Script("wrong", wrong.path), str(tool), output))


@pytest.mark.parametrize(
    ("kind", "text", "outcome"),
    [
        ("module_definition", '(import "a:b/c@1.0.0" (instance (export "r" (type (sub resource)))))', PASSED),
        ("module_definition", "(core func (canon task.cancel))", PASSED),
        ("module_definition", '(import "m" (core module))', PASSED),
        ("module", '(import "m" (core module))', GATED),
        ("assert_invalid", '(import "m" (core module)) (import "m" (core module))', PASSED),
        ("assert_invalid", '(import "f" (func)) (import "f" (func))', PASSED),
        ("assert_invalid", "(core module (func (result i32)))", PASSED),
        ("assert_invalid", '(import "f" (func))', FAILED),
        ("assert_malformed", "(component quote", PASSED),
    ],
)
def test_our_engine_on_components_of_our_own(kind: str, text: str, outcome: str) -> None:
    whole = f"(component {text})"
    command = Command(kind, 1, source=whole) if "quote" in text else Command(kind, 1, bytes(wasmtime.wat2wasm(whole)))
    assert [each.outcome for each in run("own", [command], OurEngine())] == [outcome]


PASSED_BETWEEN_PARTS = """
(component $maker
  (type $r' (resource (rep i32)))
  (export $r "r" (type $r'))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32))) (import "" "rep" (func $rep (param i32) (result i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "read") (param i32) (result i32) (call $rep (local.get 0))))
  (core instance $m (instantiate $m (with "" (instance (export "new" (func $new)) (export "rep" (func $rep))))))
  (func $make (param "rep" u32) (result (own $r)) (canon lift (core func $m "make")))
  (export "make" (func $make)))
(component $user
  (import "maker" (instance $maker (export "r" (type $r (sub resource)))
    (export "make" (func (param "rep" u32) (result (own $r))))))
  (alias export $maker "r" (type $r))
  (core func $make (canon lower (func $maker "make")))
  (core func $drop (canon resource.drop $r))
  (core module $m
    (import "" "make" (func $make (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (func (export "first") (param i32) (result i32) (call $make (local.get 0)))
    (func (export "again") (param i32) (call $drop (local.get 0)) (call $drop (local.get 0))))
  (core instance $m (instantiate $m (with "" (instance (export "make" (func $make)) (export "drop" (func $drop))))))
  (func (export "first") (param "rep" u32) (result u32) (canon lift (core func $m "first")))
  (func (export "again") (param "handle" u32) (canon lift (core func $m "again"))))
(instance $maker (instantiate $maker))
(instance $user (instantiate $user (with "maker" (instance $maker))))
(export "first" (func $user "first")) (export "again" (func $user "again"))
"""


def test_our_engine_runs_components_of_our_own() -> None:
    script = [
        Command("module", 1, bytes(wasmtime.wat2wasm(f"(component {PASSED_BETWEEN_PARTS})"))),
        calling("first", "assert_return", (7,), (1,)),  # handles are numbered from 1
        calling("first", "assert_return", (7,), (2,)),
        calling("again", "assert_trap", (1,)),
        calling("first", "assert_return", (7,), (3,)),
        calling("gone", "assert_return"),
    ]
    assert [(each.outcome, each.why) for each in run("own", script, OurEngine())] == [
        *[(PASSED, "")] * 4,
        (FAILED, "the instance has trapped before"),
        (FAILED, "there is no function gone to call"),
    ]


def test_what_imports_whole_modules_is_composed_with_what_exports_them() -> None:
    module = '(core module (export "answer") (global (export "g") i32 (i32.const 42)))'
    wanted = '(import "maker" (instance $maker (export "answer" (core module (export "g" (global {}))))))'
    user = f"""{wanted.format("i32")}
      (core instance $i (instantiate (module $maker "answer")))
      (core module $reads (import "" "g" (global i32)) (func (export "get") (result i32) (global.get 0)))
      (core instance $reads (instantiate $reads (with "" (instance $i))))
      (func (export "get") (result u32) (canon lift (core func $reads "get")))
      (export "again" (core module $maker "answer"))"""
    script = [
        ("module", "maker", module),
        ("module", "user", user),
        ("assert_unlinkable", None, wanted.format("f32")),
        ("module", "chained", wanted.format("i32").replace("maker", "user", 1).replace("answer", "again")),
        ("module", None, wanted.format("i32").replace("maker", "nobody", 1)),
    ]
    commands = [
        Command(kind, 1, bytes(wasmtime.wat2wasm(f"(component {text})")), name=name) for kind, name, text in script
    ]
    commands.insert(2, calling("get", "assert_return", (), (42,), module="user"))
    assert [each.outcome for each in run("own", commands, OurEngine())] == [PASSED] * 5 + [GATED]
