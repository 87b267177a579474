"""One process, hundreds of registries: what they have in common does not grow with them."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import polycall

SPIN = {"kind": "function.lua", "method": "f", "source": "return { f = function(n) return n end }"}
ADD = {
    "kind": "function.wat", "method": "add", "wit": "add: func(a: s32, b: s32) -> s32",
    "source": '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))',
}  # fmt: skip


def make(*, wasm: bool) -> polycall.Registry:
    registry = polycall.Registry()
    registry.add({"id": "app:x", **SPIN})
    assert registry.call("app:x", 5, timeout=30) == 5
    if wasm:
        registry.add({"id": "app:add", **ADD})
        assert registry.call("app:add", 2, 3, timeout=30) == 5
    return registry


def threads() -> int:
    """Returns how many threads the system says there are: not all of them are Python's to count."""
    tasks = Path("/proc/self/task")
    return sum(1 for _ in tasks.iterdir()) if tasks.is_dir() else threading.active_count()


def test_three_hundred_registries_have_fewer_than_ten_threads() -> None:
    make(wasm=True).close()  # the engine compiles in threads of its own, as many as the machine has processors
    before = threads()
    registries = [make(wasm=number % 6 == 0) for number in range(300)]

    async def once_each() -> list[Any]:
        return [await registry.call_async("app:x", number) for number, registry in enumerate(registries)]

    assert asyncio.run(once_each()) == list(range(300))
    assert threads() - before < 10
    for registry in registries:
        registry.close()


def test_registries_that_nobody_closes_can_be_forgotten() -> None:
    forgotten = [weakref.ref(make(wasm=False)) for _ in range(20)]
    gc.collect()
    assert not [each for each in forgotten if each() is not None]
