"""`check` says of links what can be known without a call; `show` shows where they lead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import polycall
from commands import run
from linked_guests import TAX, linked_project, lua, relay
from polycall.registry.check import Finding
from polycall.registry.check_links import _fits

WHO = ["none", "process"]


def wat(name: str, wit: str) -> str:
    """Returns YAML of a component that serves by what it imports itself; nobody gives it that."""
    source = "".join(f"    {line}\n" for line in relay(wit, "nobody:offers/this").splitlines())
    return f"- name: {name}\n  kind: function.wat\n  method: {name}\n  source: |\n{source}"


def found(tmp_path: Path) -> list[Finding]:
    with polycall.load(tmp_path) as registry:
        return [finding for finding in registry.check() if finding.problem.message.startswith("app:guest")]


@pytest.mark.parametrize("isolation", WHO)
def test_links_that_lead_somewhere_are_no_problem(tmp_path: Path, isolation: str) -> None:
    assert found(linked_project(tmp_path, lua("return 1"), isolation=isolation)) == []


@pytest.mark.parametrize("isolation", WHO)
def test_an_entry_that_is_not_there_is_an_error_at_its_link(tmp_path: Path, isolation: str) -> None:
    (finding,) = found(linked_project(tmp_path, lua("return 1", "rates"), isolation=isolation))
    assert (finding.severity, finding.code) == ("error", "not_found")
    assert finding.problem.path == f'entries[0].links."{TAX}"'
    assert finding.problem.line == 3
    assert finding.problem.column > 80
    assert finding.problem.message == f"app:guest: {TAX}#rate has no entry: there is no entry app.rules:rate"
    assert finding.problem.hint == 'did you mean "app.rules:rates"?'


def test_a_function_registered_in_python_is_there(tmp_path: Path) -> None:
    linked_project(tmp_path, links=f'{{"{TAX}#rate": "py:rate"}}')
    with polycall.load(tmp_path) as registry:
        assert [finding.code for finding in registry.check()] == ["not_found"]
        registry.function("py:rate")(len)
        assert registry.check() == []


def test_an_entry_that_may_not_be_called_is_an_error(tmp_path: Path) -> None:
    linked_project(tmp_path, lua("return 1"))
    file = tmp_path / "_index.yaml"
    text = file.read_text()
    file.write_text(text.replace("method: rate", "method: rate, calls: ['app:*']"))
    (finding,) = found(tmp_path)
    assert (finding.severity, finding.code) == ("error", "call_denied")
    assert finding.problem.message.endswith("leads to app.rules:rate, which it may not call: add it to its calls")
    file.write_text(text.replace("method: rate", "method: rate, calls: ['app.*']"))
    assert found(tmp_path) == []


def test_an_entry_that_is_not_called_is_an_error(tmp_path: Path) -> None:
    (finding,) = found(linked_project(tmp_path, "- {name: rate, kind: library.lua, source: 'return {}'}"))
    assert (finding.severity, finding.code) == ("error", "preparation")
    assert finding.problem.message.endswith("leads to app.rules:rate, of kind library.lua, which is not called")


def test_a_link_that_the_component_does_not_import_is_an_error_with_near_names(tmp_path: Path) -> None:
    (finding,) = found(linked_project(tmp_path, lua("return 1"), links='{"shop:rules/tx": app.rules}'))
    assert (finding.severity, finding.code) == ("error", "preparation")
    assert finding.problem.path == "entries[0].links.shop:rules/tx"
    assert finding.problem.message == 'app:guest: the component does not import "shop:rules/tx"'
    assert finding.problem.hint == f'did you mean "{TAX}"?'


@pytest.mark.parametrize("isolation", WHO)
@pytest.mark.parametrize(
    ("served", "fits"),
    [
        ("rate: func(country: string) -> result<u32, string>;", True),
        ("rate: func(land: string) -> result<u32, string>;", True),
        ("rate: func(land: string) -> u32;", True),
        ("rate: func(country: string) -> string;", False),
        ("rate: func(country: string, more: u32) -> u32;", False),
        ("rate: func(country: list<string>) -> u32;", False),
        ("rate: func(country: string);", False),
    ],
)
def test_the_signature_of_a_component_must_fit(tmp_path: Path, served: str, fits: bool, isolation: str) -> None:
    findings = found(linked_project(tmp_path, wat("rate", served), isolation=isolation))
    assert [finding.severity for finding in findings] == ([] if fits else ["error"])
    for finding in findings:
        message = finding.problem.message
        assert f"{TAX}#rate is imported as func(country: string) -> result<u32, string>; app.rules:rate is" in message


@pytest.mark.parametrize(
    ("imported", "served", "fits"),
    [
        ("func()", "func()", True),
        ("func() -> result", "func()", True),
        ("func() -> result<_, string>", "func()", True),
        ("func() -> result<u32>", "func() -> u32", True),
        ("func() -> result<result<u32, u8>, string>", "func() -> result<u32, u8>", True),
        ("func() -> result<tuple<u32, u8>, string>", "func() -> tuple<u32, u8>", True),
        ("func() -> result<tuple<u32, u8>, string>", "func() -> u32", False),
        ("func() -> u32", "func() -> result<u32>", False),
        ("func(a: record {x: u32, y: u8}, b: u8)", "func(c: record {x: u32, y: u8}, d: u8)", True),
        ("func(a: record {x: u32, y: u8}, b: u8)", "func(c: record {x: u32, z: u8}, d: u8)", False),
        ("func(a: variant {x(u32), y}, b: u8) -> u8", "func(c: variant {x(u32), y}, d: u8) -> u8", True),
        ("func(a: u8)", "func()", False),
        ("func()", "func(a: u8)", False),
        ("func() -> u8", "func()", False),
        ("func()", "func() -> u8", False),
    ],
)
def test_types_are_compared_without_the_names_of_parameters(imported: str, served: str, fits: bool) -> None:
    assert _fits(imported, served) is fits


@pytest.mark.parametrize("isolation", WHO)
def test_show_says_where_links_lead(tmp_path: Path, isolation: str, capsys: pytest.CaptureFixture[str]) -> None:
    linked_project(tmp_path, lua("return 1"), isolation=isolation)
    shown = run(capsys, "-C", str(tmp_path), "show", "app:guest").out
    assert f"  links.{TAX}" in shown
    assert f"{TAX}#rate (linked: app.rules:rate)" in shown
    described = json.loads(run(capsys, "-C", str(tmp_path), "show", "app:guest", "--json").out)
    assert described["links"] == {TAX: "app.rules"}
    (need,) = described["imports"]["needed"]
    assert need["link"] == {
        "declared": TAX,
        "target": "app.rules:rate",
        "signature": "func(country: string) -> result<u32, string>",
    }
