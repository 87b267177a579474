"""Nothing is left behind: after many calls of a kind, as much is in use as after a few.

Descriptors, threads, processes and the objects of the runtimes are counted exactly. Memory that Python does not see
shows by its size: every guest here fills some, so that one kept for each call would be far more than allocators keep.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from effort import times
from hosted import Hosted, link
from polycall.interop.context import CallContext
from polycall.interop.pool import Pool
from polycall.lua_runtime.instance import LuaInstance
from polycall.registry.dispatch.routes import Route
from polycall.registry.isolation.instance import IsolatedInstance
from polycall.wasm_runtime.canonical.handles import Handle, HandleTable
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.component.instance import ComponentInstance
from polycall.wasm_runtime.engine.native import Buffer
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
from polycall.wasm_runtime.function import WasmFunction, WasmInstance
from projects import GUESTS, hash_of
from soak.machine import Resources, measure

CALLS = times(40, 15)
GUEST_PAGES = 32
GROWTH_MIB = 24.0
"""40 guests of 1 or 2 MiB that stay are more than 40 MiB; what allocators keep between measurements is a few."""

SWINGS = 30
"""How often one more call may change whether the last instance has outlived it, which is up to chance."""

METHODS = ("good", "fails", "spins", "hoards")
LUA = """
local kept = ("x"):rep(1000000)
return {
    good = function() return #kept end,
    fails = function() error({ code = 7 }) end,
    spins = function() while true do end end,
    hoards = function() local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end end,
}
"""
WAT = f"""
(module (memory (export "memory") {GUEST_PAGES})
  (func $touch (memory.fill (i32.const 0) (i32.const 1) (i32.const {GUEST_PAGES * 65536})))
  (func (export "good") (call $touch))
  (func (export "fails") (call $touch) unreachable)
  (func (export "spins") (call $touch) (loop $l (br $l)))
  (func (export "hoards") (call $touch)
    (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable))
"""
ENDS = {
    "good": None,
    "fails": (polycall.GuestError, polycall.TrapError),
    "spins": polycall.DeadlineError,
    "hoards": polycall.MemoryLimitError,
}
COUNTED = (Pool, Route, LuaInstance, WasmInstance, WasmFunction, GuestStore, IsolatedInstance, polycall.Registry)


def write(folder: Path, version: int = 0) -> None:
    component: dict[str, Any] = {"kind": "function.wasm", "fs": "bin", "path": "caller.wasm", "method": "relay-or-trap"}
    component |= {"hash": hash_of(GUESTS / "bin" / "caller.wasm"), "imports": ["funcs"], "pool": {"type": "inline"}}
    echo = f"return {{ f = function() return {version} end }}"
    entries: list[dict[str, Any]] = [
        {"name": "bin", "kind": "fs.directory", "directory": str(GUESTS / "bin")},
        {"name": "component", **component},
        {
            "name": "echo",
            "kind": "function.lua",
            "method": "f",
            "source": echo,
        },
    ]
    for method in METHODS:
        limits = {"max_memory_bytes": 3_000_000, **({"max_execution_ms": 5} if method == "spins" else {})}
        shared = {"method": method, "limits": limits}
        lua = {"kind": "function.lua", "source": LUA} | shared
        wat = {"kind": "function.wat", "source": WAT, "wit": f"{method}: func()"} | shared
        entries += [
            {"name": f"lua-{method}", **lua},
            {"name": f"core-{method}", **wat, "pool": {"type": "inline"}},
            {"name": f"isolated-{method}", **lua, "isolation": "process", "pool": {"max_size": 1}},
        ]
    (folder / "_index.json").write_text(json.dumps({"namespace": "app", "entries": entries}))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    write(tmp_path)
    with polycall.load(tmp_path) as registry:
        registry.function("py:fails")(_fail)
        yield registry


def _fail(_text: str) -> None:
    raise ValueError("no")


def in_use() -> tuple[Resources, dict[str, int]]:
    gc.collect()
    kept = [type(each).__name__ for each in gc.get_objects() if isinstance(each, COUNTED)]
    return measure(), {name: kept.count(name) for name in set(kept)}


def hold_flat(work: Callable[[], object], calls: int = CALLS) -> None:
    """Does the work a few times, and then many times, after which no more may be in use."""
    for _ in range(3):
        work()
    before, objects = in_use()
    for _ in range(calls):
        work()
    after, left = in_use()
    for _ in range(SWINGS):  # whether the last instance has outlived its call may be chance; what leaks stays
        if counted(after, left) == counted(before, objects):
            break
        work()
        after, left = in_use()
    assert counted(after, left) == counted(before, objects)
    assert after.rss_mib - before.rss_mib < GROWTH_MIB
    assert after.workers_mib - before.workers_mib < GROWTH_MIB


def counted(used: Resources, objects: dict[str, int]) -> tuple[int, int, int, dict[str, int]]:
    return used.threads, used.descriptors, used.children, objects


def once(registry: polycall.Registry, target: str, *arguments: object, ends: Any = None) -> None:
    if ends is None:
        registry.call(target, *arguments)
        return
    with pytest.raises(ends):
        registry.call(target, *arguments)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", ["lua", "core", "isolated"])
def test_calls_leave_nothing_behind(registry: polycall.Registry, form: str, method: str) -> None:
    target = f"app:{form}-{method}"

    def work() -> None:
        once(registry, target, ends=ENDS[method])

    while not made(registry, target):  # on a busy machine its few milliseconds may be over before it has an instance
        work()
    hold_flat(work)


def made(registry: polycall.Registry, target: str) -> int:
    figures = registry.stats().entries.get(target)
    return 0 if figures is None else figures.pool.made


@pytest.mark.parametrize(("target", "ends"), [("app:echo", None), ("py:fails", polycall.TrapError)])
def test_calls_of_components_and_of_what_they_call_leave_nothing_behind(
    registry: polycall.Registry, target: str, ends: Any
) -> None:
    hold_flat(lambda: once(registry, "app:component", target, "x", ends=ends))


def garbage_of(registry: polycall.Registry, target: str, *arguments: object, **options: Any) -> int:
    """Returns how many objects some calls leave that only the garbage collector can free."""

    def call() -> None:
        with contextlib.suppress(polycall.PolycallError):
            registry.call(target, *arguments, **options)

    call()
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            call()
        return gc.collect()
    finally:
        gc.enable()


def test_whatever_a_call_held_goes_at_its_end_without_the_garbage_collector(registry: polycall.Registry) -> None:
    targets = [f"app:{form}-{method}" for form in ("lua", "core", "isolated") for method in METHODS]
    assert {target: garbage_of(registry, target) for target in targets} == dict.fromkeys(targets, 0)
    assert garbage_of(registry, "app:component", "app:echo", "x") == 0
    assert garbage_of(registry, "app:component", "py:fails", "x") == 0
    assert garbage_of(registry, "app:component", 5) == 0
    assert garbage_of(registry, "app:missing") == 0
    assert garbage_of(registry, "app:echo", timeout=0) == 0
    assert garbage_of(registry, "app:echo", object()) == 0


@pytest.mark.parametrize("target", ["app:lua-good", "app:core-good", "app:isolated-good", "app:lua-fails"])
def test_an_instance_keeps_nothing_of_the_call_that_waited_for_it(registry: polycall.Registry, target: str) -> None:
    switch = polycall.Cancellation()
    with contextlib.suppress(polycall.PolycallError):
        registry.call(target, cancellation=switch, values={"large": "x"})
    contexts = [each for each in gc.get_objects() if isinstance(each, CallContext) and each.cancellation is switch]
    assert not contexts


def test_what_was_only_checked_goes_without_the_garbage_collector(tmp_path: Path) -> None:
    lua = {"kind": "function.lua", "source": LUA, "method": "good"}
    entries = [{"name": f"lua-{number}", **lua} for number in range(CALLS)]
    (tmp_path / "_index.json").write_text(json.dumps({"namespace": "app", "entries": entries}))
    with polycall.load(tmp_path) as registry:
        before, _ = in_use()
        gc.disable()
        try:
            assert registry.check() == []
            assert measure().rss_mib - before.rss_mib < GROWTH_MIB
        finally:
            gc.enable()


def test_reloads_leave_nothing_behind(registry: polycall.Registry) -> None:
    versions = iter(range(1, 1000))

    def work() -> None:
        version = next(versions)
        write(registry.root, version)
        assert registry.reload().changed == ("app:echo",)
        assert registry.call("app:echo") == version

    hold_flat(work)


@pytest.mark.parametrize("method", ["lua-good", "core-good", "isolated-good"])
def test_a_registry_that_is_closed_leaves_nothing_behind(tmp_path: Path, method: str) -> None:
    write(tmp_path)

    def work() -> None:
        with polycall.load(tmp_path) as registry:
            registry.call(f"app:{method}")

    hold_flat(work, 3 if method.startswith("isolated") else CALLS)


def test_a_registry_that_is_closed_and_still_held_has_let_go_of_its_code(tmp_path: Path) -> None:
    write(tmp_path)
    held = []

    def work() -> None:
        registry = polycall.load(tmp_path)
        for method in ("lua-good", "core-fails"):
            once(registry, f"app:{method}", ends=ENDS[method.partition("-")[2]])
        registry.close()
        held.append(registry)

    work()
    before, objects = in_use()
    for _ in range(5):
        work()
    after, left = in_use()
    assert (after.descriptors, after.threads) == (before.descriptors, before.threads)
    assert left == {**objects, "Registry": len(held)}


def test_a_leak_would_be_seen(registry: polycall.Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[object] = []
    close = LuaInstance.close

    def leak(instance: LuaInstance) -> None:
        kept.append(instance)

    monkeypatch.setattr(LuaInstance, "close", leak)
    with pytest.raises(AssertionError, match="LuaInstance"):
        hold_flat(lambda: once(registry, "app:lua-hoards", ends=polycall.MemoryLimitError))
    monkeypatch.setattr(LuaInstance, "close", close)

    monkeypatch.setattr("polycall.wasm_runtime.engine.native.store_delete", kept.append)
    with pytest.raises(AssertionError, match=r"rss|< 24\.0"):
        hold_flat(lambda: once(registry, "app:core-good"))
    opened: list[int] = []
    with pytest.raises(AssertionError):
        hold_flat(lambda: opened.append(os.open(os.devnull, os.O_RDONLY)), 2)
    for descriptor in opened:
        os.close(descriptor)


FAILING = {
    "a long message": "error(('x'):rep(4 << 20), 0)",
    "a long message of an error object": "return nil, errors.new(('x'):rep(4 << 20))",
    "details": "local t, s = {}, ('x'):rep(10000) for i = 1, 400 do t[i] = s end "
    "error(errors.new({ message = '', details = t }))",
    "a result that cannot travel": "return { ('x'):rep(2 << 20), print }",
    "a nested error passed on": "return nil, select(2, require('funcs').call('app:bad0', 1))",
}


@pytest.mark.parametrize("at", range(len(FAILING)), ids=FAILING.keys())
def test_the_errors_that_a_call_is_told_of_do_not_add_up(tmp_path: Path, at: int) -> None:
    """A running call may keep the errors of its calls; what the host keeps of them has a bound all the same."""
    entries = [
        {"name": f"bad{number}", "kind": "function.lua", "method": "f", "modules": ["funcs"], "source": text}
        for number, body in enumerate(FAILING.values())
        for text in [f"return {{ f = function(...) {body} end }}"]
    ]
    ask = """
    local funcs = require("funcs")
    return { f = function(target, times)
      for _ = 1, times do local _, err = funcs.call(target, ("y"):rep(2 << 20)) assert(err) end
      funcs.call("py:look")
    end }"""
    entries.append({"name": "ask", "kind": "function.lua", "method": "f", "modules": ["funcs"], "source": ask})
    (tmp_path / "_index.yaml").write_text(json.dumps({"namespace": "app", "entries": entries}))
    seen: list[float] = []
    with polycall.load(tmp_path) as registry:

        @registry.function("py:look")
        def look() -> None:
            seen.append(measure().rss_mib)

        for times in (3, 6, 24):
            registry.call("app:ask", f"app:bad{at}", times)
    assert seen[2] - seen[1] < GROWTH_MIB


CARTS = f"""(component
  (core module $d (func (export "d") (param i32))) (core instance $d (instantiate $d))
  (type $r' (resource (rep i32) (dtor (core func $d "d")))) (export $r "cart" (type $r'))
  (core func $new (canon resource.new $r'))
  (core module $m (import "" "new" (func $new (param i32) (result i32))) (memory {GUEST_PAGES})
    (func (export "make") (param i32) (result i32)
      (memory.fill (i32.const 0) (i32.const 1) (i32.const {GUEST_PAGES * 65536}))
      (drop (call $new (i32.const 1))) (call $new (local.get 0)))
    (func (export "take") (param i32) (if (i32.gt_u (local.get 0) (i32.const 4)) (then unreachable))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func (export "make") (param "v" u32) (result (own $r)) (canon lift (core func $i "make")))
  (func (export "take") (param "c" (own $r)) (canon lift (core func $i "take"))))"""
INSTANCES = int(os.environ.get("POLYCALL_INSTANCES", "400"))


@pytest.mark.parametrize("ends", ["well", "by a trap"])
def test_instances_leave_none_of_their_handles_memories_and_stores_behind(ends: str) -> None:
    engine = WasmEngine()
    linked = link(engine, CARTS)

    def work() -> None:
        instance = Hosted(linked)
        kept, given, other = (instance.call("make", number) for number in range(3))
        instance.drop(kept)
        instance.call("take", given)
        if ends == "by a trap":
            with pytest.raises(polycall.TrapError):
                instance.call("take", other)
        instance.close()

    def counted() -> dict[str, int]:
        gc.collect()
        kinds = (ComponentInstance, HandleTable, Handle, Buffer, GuestMemory, GuestStore)
        return {each.__name__: sum(type(one) is each for one in gc.get_objects()) for each in kinds}

    hold_flat(work)
    before = counted()
    hold_flat(work, INSTANCES)
    assert counted() == before
    assert not engine._stores
