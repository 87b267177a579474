from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from polycall.interop.errors import Problem
from polycall.interop.fields import at_least, key
from polycall.interop.ids import EntryId
from polycall.interop.limits import LimitsSpec
from polycall.interop.pool_spec import PoolSpec
from polycall.interop.source import SourceText
from polycall.lua_runtime import spec as lua_spec
from polycall.lua_runtime.spec import LuaFunctionSpec
from polycall.registry.documents.nodes import MapNode
from polycall.registry.documents.problems import Report
from polycall.registry.documents.yaml_document import read_yaml
from polycall.registry.entries import data_kinds, env_kinds
from polycall.registry.entries.decode import INVALID, Decoder
from polycall.registry.entries.kinds import SPECS
from polycall.wasm_runtime import spec as wasm_spec
from polycall.wasm_runtime.spec import WasmFunctionSpec


@dataclass(frozen=True, slots=True)
class Inner:
    size: int = key("A size.", default=0, check=at_least(0))


@dataclass(frozen=True, slots=True)
class Everything:
    """One field of every type that a runtime may declare."""

    text: str = key("A text.")
    flag: bool = key("A flag.", default=False)
    count: int = key("A count.", default=0)
    rate: float = key("A rate.", default=0.0)
    source: SourceText | None = key("A program.", default=None)
    target: EntryId | None = key("An entry.", default=None, refers_to=("registry.entry",))
    names: tuple[str, ...] = key("Names.", default=(), element_check=lambda name: None if name else "a name")
    targets: tuple[EntryId, ...] = key("Entries.", default=())
    table: Mapping[str, int] = key("Numbers.", default={}, element_check=at_least(1))
    inner: Inner = key("One.", default=Inner())
    inners: tuple[Inner, ...] = key("Many.", default=())
    free: Any = key("Anything.", default=None)

    def problems(self) -> Iterable[tuple[str, str]]:
        if self.count > 10 and self.rate > 10:
            yield "rate", "count and rate are both high"


def decode(text: str, spec_type: type = Everything) -> tuple[Any, list[Problem], Decoder]:
    report = Report("f.yaml")
    root = read_yaml(text, report).root
    assert isinstance(root, MapNode)
    decoder = Decoder(report, "app")
    return decoder.spec(spec_type, root, "here"), report.problems, decoder


def decoded(text: str) -> Everything:
    spec, problems, _decoder = decode(text)
    assert not problems
    assert isinstance(spec, Everything)
    return spec


def only_problem(text: str) -> str:
    spec, problems, _decoder = decode(text)
    assert spec is INVALID
    assert len(problems) == 1
    return str(problems[0])


def test_every_type_of_field_is_read() -> None:
    spec = decoded(
        """
text: x
flag: true
count: 3
rate: 2
source: |
  return 1
target: other:thing
names: [a, b]
targets: [near, {ns: far, name: away}, {name: here}]
table: {one: 1}
inner: {size: 4}
inners: [{size: 5}, {}]
free: {a: [1, {b: null}]}
"""
    )
    assert spec == Everything(
        text="x",
        flag=True,
        count=3,
        rate=2.0,
        source=SourceText("return 1\n", "f.yaml", 7),
        target=EntryId("other", "thing"),
        names=("a", "b"),
        targets=(EntryId("app", "near"), EntryId("far", "away"), EntryId("app", "here")),
        table={"one": 1},
        inner=Inner(4),
        inners=(Inner(5), Inner()),
        free={"a": (1, {"b": None})},
    )
    assert type(spec.rate) is float


def test_missing_and_empty_keys_take_their_defaults() -> None:
    assert decoded("text: x\n") == Everything(text="x")
    empty = "".join(f"{field.name}:\n" for field in dataclasses.fields(Everything) if field.name != "text")
    assert decoded(f"text: x\n{empty}") == Everything(text="x")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("flag: 1", "2:7: here.flag: expected true or false, got 1"),
        ("flag: on", '2:7: here.flag: expected true or false, got "on" (only true and false are booleans)'),
        ('count: "5"', '2:8: here.count: expected an integer, got "5" (write it without quotes)'),
        ("count: true", "2:8: here.count: expected an integer, got true"),
        ("count: 5.0", "2:8: here.count: expected an integer, got 5.0"),
        ("count: [5]", "2:8: here.count: expected an integer, got a list of 1"),
        ('rate: "1"', '2:7: here.rate: expected a number, got "1" (write it without quotes)'),
        ("rate: false", "2:7: here.rate: expected a number, got false"),
        ("source: 5", '2:9: here.source: expected a string, got 5 (put it in quotes: "5")'),
        ("names: x", '2:8: here.names: expected a list, got "x" (write [x])'),
        ("names: {a: 1}", "2:8: here.names: expected a list, got a mapping"),
        ("names: [a, 5]", '2:12: here.names[1]: expected a string, got 5 (put it in quotes: "5")'),
        ('names: [a, ""]', '2:12: here.names[1]: expected a name, got ""'),
        ("table: [1]", "2:8: here.table: expected a mapping, got a list of 1"),
        ("table: {a: x}", '2:12: here.table.a: expected an integer, got "x"'),
        ('table: {"a.b": 0}', '2:16: here.table."a.b": expected at least 1, got 0'),
        ("inner: 5", "2:8: here.inner: expected a mapping, got 5"),
        ("inner: {size: -1}", "2:15: here.inner.size: expected at least 0, got -1"),
        ("inners: [{size: 1}, {siez: 1}]", '2:22: here.inners[1].siez: unknown key (did you mean "size"?)'),
        ("size: 1", '2:1: here.size: unknown key (it belongs under "inner")'),
        ("target: [a]", "2:9: here.target: expected an entry id, got a list of 1"),
        ('target: "a:"', '2:9: here.target: "a:" has no name after the colon: write "namespace:name"'),
        (
            "target: {ns: a}",
            '2:9: here.target: expected an entry id, such as "namespace:name" or {ns, name}, got a mapping',
        ),
    ],
)
def test_a_wrong_value_is_refused_at_its_place(line: str, message: str) -> None:
    assert only_problem(f"text: x\n{line}\n") == f"f.yaml:{message}"


def test_a_required_key_may_be_neither_missing_nor_empty() -> None:
    assert only_problem("count: 1\n") == "f.yaml:1:1: here.text: required, but missing (A text.)"
    assert only_problem("count: 1\ntext:\n") == "f.yaml:2:6: here.text: required, but empty (A text.)"


def test_all_problems_of_a_declaration_are_gathered() -> None:
    _spec, problems, _decoder = decode("flag: 1\ncount: x\ninners: [{size: a, b: 1}, 5]\nnames: [1, 2]\nodd: 1\n")
    assert sorted(problem.path for problem in problems) == sorted(
        [
            *("here.text", "here.flag", "here.count", "here.inners[0].size", "here.inners[0].b", "here.inners[1]"),
            *("here.names[0]", "here.names[1]", "here.odd"),
        ]
    )


def test_what_several_keys_get_wrong_together_is_shown_at_the_key_that_the_dataclass_names() -> None:
    assert only_problem("text: x\ncount: 11\nrate: 11\n") == "f.yaml:3:7: here.rate: count and rate are both high"


def test_references_are_remembered_with_their_kinds_and_places() -> None:
    _spec, _problems, decoder = decode("text: x\ntarget: a\ntargets: [b:c]\n")
    assert [(str(each.target), each.path, each.kinds, str(each.location)) for each in decoder.references] == [
        ("app:a", "here.target", ("registry.entry",), "f.yaml:2:9"),
        ("b:c", "here.targets[0]", (), "f.yaml:3:11"),
    ]


def test_what_is_decoded_cannot_be_changed() -> None:
    spec = decoded("text: x\ntable: {a: 1}\nfree: {b: 1}\n")
    mappings: tuple[Any, ...] = (spec.table, spec.free)
    for mapping in mappings:
        with pytest.raises(TypeError):
            mapping["a"] = 2


def test_keys_of_wippy_without_meaning_here_are_accepted() -> None:
    text = """
source: x
method: call
options: {retry: {max_attempts: 3}}
lifecycle: {auto_start: true}
security: {groups: []}
pool: {worker_class: wasm}
limits: {max_open_sockets: 4, socket_timeout_ms: 1}
"""
    spec, problems, _decoder = decode(text, LuaFunctionSpec)
    assert not problems
    assert spec == LuaFunctionSpec(source=SourceText("x", "f.yaml", 2), method="call")


def test_a_type_that_no_reader_knows_is_a_fault_of_the_declaring_code() -> None:
    @dataclass(frozen=True)
    class Odd:
        value: complex = key("Nothing that YAML has.")

    with pytest.raises(TypeError, match="no reader for the type"):
        decode("value: 1\n", Odd)


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_every_field_of_every_kind_can_be_read(kind: str) -> None:
    spec, problems, _decoder = decode("unknown_key_of_nobody: 1\n", SPECS[kind])
    assert spec is INVALID
    assert problems


def test_the_pool_and_limits_of_a_function_reach_its_spec() -> None:
    text = f"""
fs: files
path: /price.wasm
hash: sha256:{"0" * 64}
method: price
pool: {{type: static, workers: 8}}
limits: {{max_execution_ms: 100}}
imports: [funcs, "wasi:io/streams@0.2.8"]
"""
    spec, problems, _decoder = decode(text, WasmFunctionSpec)
    assert not problems
    assert spec.pool == PoolSpec(type="static", workers=8)
    assert spec.limits == LimitsSpec(max_execution_ms=100)
    assert spec.fs == EntryId("app", "files")
    assert spec.imports == ("funcs", "wasi:io/streams@0.2.8")


def test_every_kind_that_a_module_declares_is_known_by_the_same_name() -> None:
    declared = [lua_spec.KINDS, wasm_spec.KINDS, data_kinds.KINDS, env_kinds.KINDS]
    assert dict(SPECS) == {kind: spec for kinds in declared for kind, spec in kinds.items()}
