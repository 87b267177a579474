"""Plans between runs: made and judged once, read back as they were, and nothing but plans is ever read."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component import binary, planner, plans, validation
from polycall.wasm_runtime.component.plan import CoreExport
from polycall.wasm_runtime.component.plans import KeptPlan, Plans
from polycall.wasm_runtime.engine.compile_cache import CompileCache

ROOT = Path(__file__).parents[3]
GUESTS = (
    "tests/guests/bin/js-caller.wasm",
    "examples/04-orchestration/assets/receipt.wasm",
    "tests/guests/bin/caller.wasm",
)
EVERY_TYPE = """
(component
  (import "host" (instance $host (export "r" (type (sub resource))) (export "f" (func (param "x" (tuple u8 char))))))
  (core module $m (memory (export "m") 1) (func (export "f") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "g") (param i32)))
  (core instance $i (instantiate $m))
  (type $own (resource (rep i32)))
  (export $exported "own" (type $own))
  (type $record (record (field "a" u8) (field "b" (list f64)) (field "c" (option string))))
  (export $xr "record" (type $record))
  (type $v (variant (case "x" $xr) (case "y")))
  (type $e (enum "p" "q"))
  (type $fl (flags "s" "t"))
  (export $xv "v" (type $v)) (export $xe "e" (type $e)) (export $xfl "fl" (type $fl))
  (func (export "g") (param "o" (own $exported)) (canon lift (core func $i "g"))))
"""


def content_of(name: str) -> bytes:
    return bytes(wasmtime.wat2wasm(EVERY_TYPE)) if name == "every type" else (ROOT / name).read_bytes()


def plan_of(folder: Path, content: bytes) -> KeptPlan:
    return Plans(CompileCache(folder)).of(hashlib.sha256(content).hexdigest(), content)


@pytest.mark.parametrize("name", [*GUESTS, "every type"])
def test_a_plan_is_made_once_and_read_back_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    content = content_of(name)
    made = plan_of(tmp_path, content)
    for module, step in ((binary, "decode"), (planner, "make_plan"), (validation, "validate")):
        monkeypatch.delattr(module, step)
    found = plan_of(tmp_path, content)
    assert found == made
    assert found is not made
    assert found.digests == tuple(hashlib.sha256(content[start:end]).hexdigest() for start, end in found.plan.modules)


def test_what_is_not_valid_is_judged_each_time_and_not_kept(tmp_path: Path) -> None:
    wrong = bytes(
        wasmtime.wat2wasm('(component (core module $m (func (export "f"))) (core instance $i (instantiate $m)))')
    ).replace(b"\x01f\x00\x00", b"\x01f\x00\x07")
    for _ in range(2):
        with pytest.raises(PreparationError):
            plan_of(tmp_path, wrong)
    assert not list(tmp_path.iterdir())


def test_a_plan_that_other_code_has_made_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = content_of("every type")
    plan_of(tmp_path, content)
    monkeypatch.setattr(plans, "_maker", lambda: "other code")
    monkeypatch.setattr(planner, "make_plan", lambda *_: (_ for _ in ()).throw(PreparationError("made anew")))
    with pytest.raises(PreparationError, match="made anew"):
        plan_of(tmp_path, content)


def test_code_that_changes_makes_other_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "component" / "planner.py"
    source.parent.mkdir()
    source.write_text("one")
    monkeypatch.setattr(plans, "__file__", str(source.with_name("plans.py")))
    monkeypatch.setattr(plans, "_ROOMS", ("component",))
    before = plans._maker()
    (source.parent / "__pycache__").mkdir()
    (source.parent / "notes.txt").touch()
    assert plans._maker() == before
    source.write_text("two, and longer")
    assert plans._maker() not in (before, "")
    monkeypatch.setattr(plans, "_ROOMS", ("nowhere",))
    assert plans._maker()


class Caller:
    """Something that calls a function when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


def hostile(folder: Path) -> list[bytes]:
    calls = [
        Caller(os.mkdir, str(folder / "made")),
        Caller(eval, f"__import__('os').mkdir({str(folder / 'made')!r})"),
        Caller(os.getcwd),
        Caller(Plans, None),
    ]
    return [*(pickle.dumps((call, ())) for call in calls), b"", b"junk", pickle.dumps(1), pickle.dumps((1, 2))]


@pytest.mark.parametrize("number", range(8))
def test_nothing_but_what_a_plan_is_made_of_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    content = content_of("every type")
    made = plan_of(tmp_path / "cache", content)
    (file,) = (tmp_path / "cache").glob("*.compiled")
    CompileCache(tmp_path / "cache").store(file.stem, hostile(tmp_path)[number])
    assert plan_of(tmp_path / "cache", content) == made
    assert not (tmp_path / "made").exists()
    assert "compiled code is refused" in caplog.text


def test_what_a_plan_is_made_of_is_read() -> None:
    reference = CoreExport(1, "f")
    assert plans._Reader(pickle.dumps(reference)).load() == reference
