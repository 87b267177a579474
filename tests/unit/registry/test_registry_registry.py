from __future__ import annotations

import asyncio
import threading
import time
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


@pytest.mark.parametrize("timeout", [-1.0, float("nan"), float("inf"), 10**400])
def test_a_timeout_that_is_no_time_is_refused(registry: polycall.Registry, timeout: float) -> None:
    with pytest.raises(ValueError, match="it must be a number of seconds from 0 on"):
        registry.call("app:twice", 1, timeout=timeout)


def test_an_unknown_entry_is_named_with_near_names(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.NotFoundError, match=r'there is no entry app:twise \(did you mean "app:twice"'):
        registry.call("app:twise")
    with pytest.raises(polycall.NotFoundError, match=r"no entry twice \(write the namespace as well: app:twice"):
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


def test_an_async_call_that_gets_no_thread_ends_at_its_deadline(registry: polycall.Registry) -> None:
    free = threading.Event()
    registry.function("py:wait")(lambda: free.wait(30))

    async def late() -> float:
        busy = [asyncio.create_task(registry.call_async("py:wait")) for _ in range(64)]
        await asyncio.sleep(0)
        started = time.monotonic()
        with pytest.raises(polycall.DeadlineError, match=r"the deadline .* while it waited for a thread"):
            await registry.call_async("app:twice", 1, timeout=0.05)
        elapsed = time.monotonic() - started
        free.set()
        assert await asyncio.gather(*busy) == [True] * 64
        return elapsed

    with registry:
        assert asyncio.run(late()) < 5


def test_an_async_call_that_is_cancelled_while_it_has_no_thread_is_cancelled_whatever_its_deadline(
    registry: polycall.Registry,
) -> None:
    free, ran = threading.Event(), threading.Event()
    registry.function("py:wait")(lambda: free.wait(30))
    registry.function("py:ran")(ran.set)

    async def cancelled(timeout: float) -> None:
        busy = [asyncio.create_task(registry.call_async("py:wait")) for _ in range(64)]
        await asyncio.sleep(0)
        task = asyncio.create_task(registry.call_async("py:ran", timeout=timeout))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        free.set()
        await asyncio.gather(*busy)

    with registry:
        for timeout in (0, 60):
            free.clear()
            asyncio.run(cancelled(timeout))
    assert not ran.is_set()


def test_async_calls_that_python_functions_make_never_queue_behind_their_own_callers(
    registry: polycall.Registry,
) -> None:
    all_here = threading.Barrier(64)

    @registry.function("py:outer")
    def outer() -> polycall.Value:
        all_here.wait(30)
        return asyncio.run(registry.call_async("app:twice", 1))

    async def many() -> list[polycall.Value]:
        return await asyncio.gather(*(registry.call_async("py:outer", timeout=30) for _ in range(64)))

    with registry:
        assert asyncio.run(many()) == [2] * 64


def test_a_closed_registry_refuses_async_calls_and_functions(registry: polycall.Registry) -> None:
    registry.close()
    with pytest.raises(polycall.PoolClosedError, match="the registry is closed"):
        asyncio.run(registry.call_async("app:twice", 1))
    with pytest.raises(polycall.PoolClosedError, match="the registry is closed"):
        registry.function("py:new")(lambda: None)


def test_an_async_call_may_close_the_registry_that_runs_it(registry: polycall.Registry) -> None:
    registry.function("py:close")(registry.close)

    async def close() -> polycall.Value:
        return await registry.call_async("py:close")

    assert asyncio.run(close()) is None
    with pytest.raises(polycall.PoolClosedError):
        registry.call("app:twice", 1)


@pytest.mark.parametrize("which", ["own", "inherited"])
def test_a_call_below_a_python_function_is_cancelled_by_its_own_switch_and_its_callers(
    registry: polycall.Registry, which: str
) -> None:
    switches = {"own": polycall.Cancellation(), "inherited": polycall.Cancellation()}

    @registry.function("py:nested")
    def nested() -> polycall.Value:
        threading.Timer(0.02, switches[which].cancel).start()
        try:
            return registry.call("app:spin", cancellation=switches["own"], timeout=30)
        except polycall.CancelledError:
            return "cancelled"

    assert registry.call("py:nested", cancellation=switches["inherited"]) == "cancelled"
    assert not switches["own"]._wakers


def test_cancelling_a_nested_async_call_stops_the_guest(registry: polycall.Registry) -> None:
    @registry.function("py:nested")
    def nested() -> polycall.Value:
        async def cancelled() -> None:
            task = asyncio.create_task(registry.call_async("app:spin"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        return "stopped"

    assert registry.call("py:nested", cancellation=polycall.Cancellation()) == "stopped"
    registry.close()


def test_what_is_of_a_wrong_type_is_a_type_error_that_says_so(registry: polycall.Registry) -> None:
    with pytest.raises(TypeError, match=r"an entry is named by the text .* or an EntryId, not by 5"):
        registry.call(5)  # type: ignore[call-overload]  # the mistake under test
    with pytest.raises(TypeError, match="not by nothing"):
        asyncio.run(registry.call_async(None))  # type: ignore[call-overload]  # the mistake under test
    with pytest.raises(TypeError, match="not by 1 bytes"):
        registry.prepare(b"x")  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(TypeError, match='timeout is "1"; it must be a number of seconds'):
        registry.call("app:twice", 1, timeout="1")  # type: ignore[call-overload]  # the mistake under test
    with pytest.raises(TypeError, match="values is a list of 1; it must be a mapping"):
        registry.call("app:twice", 1, values=[1])  # type: ignore[call-overload]  # the mistake under test
    with pytest.raises(TypeError, match="py:five: a callable is registered, not 5"):
        registry.function("py:five")(5)  # type: ignore[type-var]  # the mistake under test


def test_an_entry_can_be_named_by_its_id(registry: polycall.Registry) -> None:
    entry_id = registry.get("app:twice").id
    registry.function(polycall.EntryId("py", "id"))(lambda: 1)
    assert registry.call(entry_id, 4) == asyncio.run(registry.call_async(entry_id, 4)) == 8
    assert registry.call("py:id") == 1
    assert registry.get(entry_id) is registry.get("app:twice")
    assert registry.callable(entry_id)
    assert registry.prepare(entry_id).entry_id == "app:twice"
    registry.close()


def test_a_name_of_many_megabytes_is_refused_briefly(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.NotFoundError) as caught:
        registry.call("app:" + "x" * 20_000_000)
    assert len(str(caught.value)) < 300
    with pytest.raises(polycall.NotFoundError) as caught:
        registry.call("x" * 20_000_000)
    assert len(str(caught.value)) < 300


def test_a_registry_and_an_entry_show_themselves_briefly(registry: polycall.Registry) -> None:
    assert repr(registry) == f"<Registry of {registry.root}: 7 entries>"
    assert repr(registry.get("app:twice")) == "<Entry app:twice (function.lua) at _index.yaml:11:5>"


def test_an_error_of_preparing_names_the_entry_that_is_broken_and_not_its_caller(tmp_path: Path) -> None:
    broken = """
  - {name: syn, kind: function.lua, method: syn, source: "return {"}
  - {name: wat, kind: function.wat, method: f, wit: "f: func()", source: "(module"}
  - name: via
    kind: function.lua
    modules: [funcs]
    method: via
    source: |
      return { via = function(target) return require("funcs").call(target) end }
"""
    with polycall.load(write_project(tmp_path, index=INDEX + broken)) as registry:
        registry.function("py:via")(registry.call)

        def told(*call: str) -> str:
            with pytest.raises(polycall.PolycallError) as caught:
                registry.call(*call)
            return str(caught.value)

        assert told("app:syn").startswith("app:syn (lua): _index.yaml:")
        assert told("app:via", "app:syn").startswith("app:via (lua) -> app:syn (lua): _index.yaml:")
        assert told("py:via", "app:syn").startswith("py:via (python) -> app:syn (lua): _index.yaml:")
        assert told("app:via", "app:wat").startswith("app:via (lua) -> app:wat (wasm): ")
        assert told("app:via", "app:table").startswith("app:via (lua): app:table: an entry of kind ")
        assert told("app:via", "app:none").startswith("app:via (lua): there is no entry app:none")
        findings = [finding for finding in registry.check() if finding.severity == "error"]
        assert [str(finding).count("app:") for finding in findings] == [1, 1]
