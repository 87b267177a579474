from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import polycall
from projects import GUESTS, hash_of, write_project

INDEX = f"""
namespace: app
meta: {{owner: ana}}
entries:
  - name: add
    kind: function.wat
    source: |
      (module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
    method: add
    wit: "add: func(a: s32, b: s32) -> s32"
  - name: twice
    kind: function.lua
    meta: {{type: demo, owner: zoe}}
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return {{ twice = function(n) return funcs.call("app:add", n, n) end }}
    method: twice
  - name: spin
    kind: function.lua
    source: "return {{ spin = function() while true do end end }}"
    method: spin
  - name: brief
    kind: function.lua
    source: "return {{ brief = function() while true do end end }}"
    method: brief
    limits: {{max_execution_ms: 20}}
  - name: guests
    kind: fs.directory
    directory: {GUESTS / "bin"}
  - name: relay
    kind: function.wasm
    fs: guests
    path: caller.wasm
    hash: {hash_of(GUESTS / "bin" / "caller.wasm")}
    method: relay-string
    imports: [funcs]
  - name: table
    kind: db.sql.sqlite
    file: x.db
"""


@pytest.fixture
def registry(tmp_path: Path) -> polycall.Registry:
    return polycall.load(write_project(tmp_path, index=INDEX))


def test_a_call_goes_from_lua_to_wasm_and_back(registry: polycall.Registry) -> None:
    assert registry.call("app:twice", 21) == 42


def test_a_component_calls_lua_which_calls_wasm(registry: polycall.Registry) -> None:
    assert registry.call("app:relay", "app:twice", "4") == {"err": (
        "app:twice (lua) -> app:add (wasm): $.args[0]: expected s32, got \"4\""
    )}  # fmt: skip
    assert registry.call("app:relay", "app:add", "[4, 5]") == {"ok": "9"}


def test_async_calls_run_side_by_side(registry: polycall.Registry) -> None:
    async def many() -> list[polycall.Value]:
        return await asyncio.gather(*(registry.call_async("app:twice", number) for number in range(20)))

    assert asyncio.run(many()) == [2 * number for number in range(20)]
    registry.close()


def test_cancelling_an_async_call_stops_the_guest(registry: polycall.Registry) -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(registry.call_async("app:spin"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    registry.close()  # waits for the worker thread: it would never end if the guest still ran


def test_a_timeout_stops_a_loop(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.DeadlineError, match=r"app:spin \(lua\)"):
        registry.call("app:spin", timeout=0.02)


def test_the_limit_of_an_entry_holds_without_a_timeout_and_below_one(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.DeadlineError):
        registry.call("app:brief")
    with pytest.raises(polycall.DeadlineError):
        registry.call("app:brief", timeout=3600)


def test_a_call_can_be_cancelled_from_another_thread(registry: polycall.Registry) -> None:
    cancellation = polycall.Cancellation()
    threading.Timer(0.02, cancellation.cancel).start()
    with pytest.raises(polycall.CancelledError):
        registry.call("app:spin", cancellation=cancellation)


@pytest.mark.parametrize("timeout", [-1.0, float("nan"), float("inf")])
def test_a_timeout_that_is_no_time_is_refused(registry: polycall.Registry, timeout: float) -> None:
    with pytest.raises(ValueError, match="it must be a number of seconds from 0 on"):
        registry.call("app:twice", 1, timeout=timeout)


def test_an_unknown_entry_is_named_with_near_names(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.NotFoundError, match=r'there is no entry app:twise \(did you mean "app:twice"'):
        registry.call("app:twise")
    with pytest.raises(polycall.NotFoundError, match='"twice" has no namespace'):
        registry.call("twice")


def test_an_entry_that_is_only_data_cannot_be_called(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.PreparationError, match=r'an entry of kind "db\.sql\.sqlite" cannot be called'):
        registry.call("app:table")
    assert registry.get("app:table").data["file"] == "x.db"


def test_entries_are_iterated_found_and_filtered(registry: polycall.Registry) -> None:
    names = ["add", "brief", "guests", "relay", "spin", "table", "twice"]
    assert [entry.id.name for entry in registry] == names
    assert [entry.id.name for entry in registry.find(kind="function.lua")] == ["brief", "spin", "twice"]
    assert [entry.id.name for entry in registry.find(meta={"owner": "zoe"})] == ["twice"]
    assert registry.find(namespace="other") == []
    assert ("app:add" in registry, "app:nothing" in registry, 5 in registry) == (True, False, False)
    assert registry.get("app:add").meta == {"owner": "ana"}


def test_a_closed_registry_refuses_calls_and_can_be_closed_again(registry: polycall.Registry) -> None:
    with registry:
        registry.call("app:twice", 1)
    with pytest.raises(polycall.PoolClosedError, match="the registry is closed"):
        registry.call("app:twice", 1)
    registry.close()


def test_the_depth_of_a_chain_can_be_lowered_but_not_raised(tmp_path: Path) -> None:
    write_project(tmp_path, index=INDEX)
    with polycall.load(tmp_path, max_depth=1) as registry:
        assert registry.call("app:add", 1, 2) == 3
        with pytest.raises(polycall.DepthError):
            registry.call("app:twice", 1)
    with pytest.raises(ValueError, match="it must be 1 to 32"):
        polycall.load(tmp_path, max_depth=33)


def test_many_threads_may_prepare_the_same_entry_at_once(registry: polycall.Registry) -> None:
    barrier, results = threading.Barrier(8), []

    def call() -> None:
        barrier.wait()
        results.append(registry.call("app:twice", 4))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [8] * 8


def test_preparing_says_what_is_known_of_a_function(registry: polycall.Registry) -> None:
    assert str(registry.prepare("app:add").signature) == "func(a: s32, b: s32) -> s32"
    assert registry.prepare("app:twice").signature is None
    (need,) = registry.prepare("app:relay").imports
    assert (need.name, need.group, need.granted, need.available) == ("wippy:runtime/funcs@0.1.0", "funcs", True, True)
