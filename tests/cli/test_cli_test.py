from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from commands import run
from projects import write_project

LUA = """
  - name: {name}
    kind: function.lua
    meta: {meta}
    method: f
    source: |
      return {{ f = function() {body} end }}
"""
RESULT = """
  - name: wit-err
    kind: function.wat
    meta: {type: test, suite: c-wasm}
    method: f
    source: |
      (component
        (core module $m
          (memory (export "memory") 1)
          (data (i32.const 0) "\\01\\00\\00\\00\\07\\00\\00\\00")
          (func (export "f") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func (export "f") (result (result (error u32)))
          (canon lift (core func $i "f") (memory (core memory $i "memory")))))
  - name: trap
    kind: function.wat
    meta: {type: test, suite: c-wasm}
    method: f
    wit: "f: func()"
    source: (module (func (export "f") unreachable))
"""


def entry(name: str, meta: str, body: str) -> str:
    return LUA.format(name=name, meta=meta, body=body)


INDEX = "namespace: app.tests\nentries:" + "".join(
    [
        entry("returns", "{type: test, suite: b, order: 2}", 'print("hidden") return true'),
        entry("nothing", "{type: test, suite: b, order: 1}", "return nil"),
        entry("denies", "{type: test, suite: b, order: 3}", 'print("seen", 1) print("again") return false'),
        entry("raises", "{type: test, suite: a}", 'error("boom")'),
        entry("returns-error", "{type: test, suite: a, order: 0.5}", 'return nil, "no rate"'),
        entry("unsuited", "{type: test}", "return { ok = 1 }"),
        entry("no-test", "{suite: a}", "return false"),
        RESULT,
    ]
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX)


def test_suites_run_in_their_order_and_failures_say_why(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "-C", str(project), "test", "--json")
    rows = json.loads(done.out)
    assert done.code == 1
    assert [(row["suite"], row["id"].partition(":")[2], row["passed"]) for row in rows] == [
        ("a", "raises", False),
        ("a", "returns-error", False),
        ("b", "nothing", True),
        ("b", "returns", True),
        ("b", "denies", False),
        ("c-wasm", "trap", False),
        ("c-wasm", "wit-err", False),
        ("tests", "unsuited", True),
    ]
    failures = {row["id"].partition(":")[2]: row["failure"] for row in rows}
    assert failures["raises"] == "app.tests:raises (lua): _index.yaml:29: boom"
    assert failures["returns-error"] == "app.tests:returns-error (lua): no rate"
    assert failures["denies"] == "returned false"
    assert failures["wit-err"] == "returned the error 7"
    assert failures["trap"].startswith("app.tests:trap (wasm): ")
    assert [row["output"] for row in rows if row["output"]] == [["hidden"], ["seen\t1", "again"]]


def test_the_output_of_a_failing_test_is_shown_and_of_a_passing_one_is_not(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(capsys, "-C", str(project), "test", "b")
    lines = done.out.splitlines()
    assert done.code == 1
    assert lines[0] == "b"
    assert lines[1].startswith("  ok      app.tests:nothing  ")
    assert lines[3].startswith("  FAILED  app.tests:denies   ")
    assert lines[4:8] == ["          returned false", "          output:", "            seen\t1", "            again"]
    assert lines[8].startswith("2 passed, 1 failed in ")
    assert "hidden" not in done.out
    assert done.err == ""


def test_verbose_shows_the_log_of_guests_as_everywhere(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "-C", str(project), "-v", "test", "app.tests:returns")
    assert (done.code, done.err) == (0, "INFO polycall.entry.app.tests:returns: hidden\n")


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (["app.tests:raises"], ["raises"]),
        (["app.tests:re*"], ["returns-error", "returns"]),
        (["a", "tests"], ["raises", "returns-error", "unsuited"]),
        (["c-*"], ["trap", "wit-err"]),
        (["no-test"], []),
    ],
)
def test_filters_are_ids_suites_and_patterns(
    project: Path, capsys: pytest.CaptureFixture[str], filters: list[str], ids: list[str]
) -> None:
    rows = json.loads(run(capsys, "-C", str(project), "test", "--json", *filters).out)
    assert [row["id"].partition(":")[2] for row in rows] == ids


def test_the_exit_code_tells_passed_failed_and_nothing_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-C", str(project), "test", "tests").code == 0
    assert run(capsys, "-C", str(project), "test").code == 1
    done = run(capsys, "-C", str(project), "test", "nothing-of-that-name")
    assert (done.code, done.out) == (5, "no tests\n")


def test_fail_fast_stops_at_the_first_failure(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "-C", str(project), "test", "--fail-fast")
    assert done.code == 1
    assert "app.tests:raises" in done.out
    assert "app.tests:returns-error" not in done.out
    assert ", 7 not run in " in done.out


def test_junit_xml_has_every_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bell = entry("bell", "{type: test, suite: b}", 'print("\\7<&>") return false')
    write_project(tmp_path, index=INDEX + bell)
    assert run(capsys, "-C", str(tmp_path), "test", "--junit", str(tmp_path / "out.xml")).code == 1
    root = ElementTree.parse(tmp_path / "out.xml").getroot()
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "9", "6")
    suites = [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root]
    assert suites == [("a", "2", "2"), ("b", "4", "2"), ("c-wasm", "2", "2"), ("tests", "1", "0")]
    case = next(case for case in root.iter("testcase") if case.get("name") == "bell")
    failure, output = case.find("failure"), case.findtext("system-out")
    assert case.get("classname") == "app.tests"
    assert failure is not None
    assert failure.get("message") == "returned false"
    assert output == "\\x07<&>"


SPINNING = {
    "lua": entry("spin", "{type: test}", 'print("spinning") while true do end'),
    "wasm": """
  - {name: endless, kind: function.wat, method: f, wit: "f: func()", source: '(module (func (export "f") (loop br 0)))'}
  - name: spin
    kind: function.lua
    modules: [funcs]
    meta: {type: test}
    method: f
    source: |
      local funcs = require("funcs")
      return { f = function() print("spinning") return funcs.call("app:endless") end }
""",
}


@pytest.mark.parametrize("language", SPINNING)
def test_a_test_that_hangs_is_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str) -> None:
    write_project(tmp_path, index="namespace: app\nentries:" + SPINNING[language])
    done = run(capsys, "-C", str(tmp_path), "test", "--timeout", "0.05", "--json")
    assert done.code == 1
    assert "deadline" in json.loads(done.out)[0]["failure"]


@pytest.mark.parametrize("language", SPINNING)
def test_ctrl_c_ends_a_run(tmp_path: Path, language: str) -> None:
    write_project(tmp_path, index="namespace: app\nentries:" + SPINNING[language])
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "polycall", "-C", str(tmp_path), "-v", "test"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    assert b"spinning" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr.strip()) == (130, b"", b"interrupted")


def test_an_order_that_is_no_number_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, index="namespace: app\nentries:" + entry("x", "{type: test, order: first}", "return 1"))
    done = run(capsys, "-C", str(tmp_path), "test")
    assert done.code == 5
    assert "_index.yaml:3:5: meta.order is 'first'; expected a number" in done.err
