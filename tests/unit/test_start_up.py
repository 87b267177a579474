"""Start-up code gets no more time than the call that waits for the instance, in every language."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import polycall
from polycall.interop.context import Cancellation
from polycall.wasm_runtime.programs import CompiledProgram, Programs

ENDLESS_LUA = "while true do end"
ENDLESS_MODULE = '(module (func $s (loop (br 0))) (start $s) (func (export "f") (result i32) (i32.const 1)))'
ENDLESS_COMPONENT = """
(component
  (core module $m (func $s (loop (br 0))) (start $s) (func (export "f") (result i32) (i32.const 1)))
  (core instance $i (instantiate $m))
  (func (export "f") (result s32) (canon lift (core func $i "f"))))
"""
LUA = {"kind": "function.lua", "method": "f", "source": ENDLESS_LUA}
ENTRIES: dict[str, dict[str, Any]] = {
    "lua": LUA,
    "module": {"kind": "function.wat", "method": "f", "source": ENDLESS_MODULE, "wit": "f: func() -> s32"},
    "component": {"kind": "function.wat", "method": "f", "source": ENDLESS_COMPONENT},
    "static": LUA | {"pool": {"type": "static", "workers": 2}},
    "isolated": LUA | {"isolation": "process"},
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    folder = tmp_path_factory.mktemp("project")
    entries = [{"name": name, **entry} for name, entry in ENTRIES.items()]
    entries += [
        {"name": f"{name}-limited", "limits": {"max_execution_ms": 50}, **entry} for name, entry in ENTRIES.items()
    ]
    (folder / "_index.json").write_text(json.dumps({"namespace": "app", "entries": entries}))
    with polycall.load(folder) as registry:
        yield registry


@pytest.mark.parametrize("name", ENTRIES)
def test_start_up_code_ends_with_the_deadline_of_the_call_that_waits(registry: polycall.Registry, name: str) -> None:
    error = late(registry, f"app:{name}")
    while "compiled" in error.message:  # the first calls may be over by then
        error = late(registry, f"app:{name}")
    assert error.message == f'the deadline of the call passed while "app:{name}" started up'
    assert [frame.entry_id for frame in error.frames] == [f"app:{name}"]


def late(registry: polycall.Registry, target: str) -> polycall.DeadlineError:
    with pytest.raises(polycall.DeadlineError) as caught:
        registry.call(target, timeout=0.3)
    return caught.value


@pytest.mark.parametrize("name", ENTRIES)
def test_start_up_code_ends_when_the_call_that_waits_is_cancelled(registry: polycall.Registry, name: str) -> None:
    switch = Cancellation()
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(registry.call, f"app:{name}", cancellation=switch)
        time.sleep(0.2)  # whatever of it has begun by then, it ends
        switch.cancel()
        with pytest.raises(polycall.CancelledError, match="the call was cancelled"):
            call.result(30)


@pytest.mark.parametrize("name", ENTRIES)
def test_start_up_code_has_as_long_as_a_call_though_nobody_is_in_a_hurry(
    registry: polycall.Registry, name: str
) -> None:
    with pytest.raises(polycall.DeadlineError, match=r"the start-up code ran longer than 0\.05 s") as caught:
        registry.call(f"app:{name}-limited", timeout=30)
    assert caught.value.hint is not None
    assert "move the work into the function" in caught.value.hint


def test_a_call_waits_for_a_compilation_no_longer_than_it_may(
    registry: polycall.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    load = Programs._load

    def slow(self: Programs, code: Any) -> CompiledProgram:
        assert may_end.wait(30)
        return load(self, code)

    monkeypatch.setattr(Programs, "_load", slow)
    with polycall.load(registry.root) as fresh:
        try:
            with pytest.raises(polycall.DeadlineError, match=r"while it waited for _index\.json to be compiled"):
                fresh.call("app:module", timeout=0.05)
        finally:
            may_end.set()


def test_calls_that_have_less_time_than_a_compilation_takes_share_one_that_ends(
    registry: polycall.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, begun = threading.Event(), []
    load = Programs._load

    def slow(self: Programs, code: Any) -> CompiledProgram:
        begun.append(code)
        assert may_end.wait(30)
        return load(self, code)

    monkeypatch.setattr(Programs, "_load", slow)
    with polycall.load(registry.root) as fresh:
        for _ in range(20):
            with pytest.raises(polycall.DeadlineError, match="to be compiled"):
                fresh.call("app:module", timeout=0.01)
        may_end.set()
        with pytest.raises(polycall.DeadlineError, match="started up"):
            fresh.call("app:module", timeout=0.5)
    assert 1 <= len(begun) <= 2  # the last call may have come just after the end of the first compilation
