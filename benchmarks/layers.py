"""Where the time of a short call goes: the same call from the engine outwards, each row with one layer more.

python -m benchmarks.layers
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import polycall
from benchmarks import plain
from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show
from benchmarks.project import opened
from polycall.interop.context import CallContext
from polycall.lua_runtime.instance import LuaInstance
from polycall.lua_runtime.kernel import Kernel
from polycall.wasm_runtime.function import WasmInstance

__all__ = ["measure"]

_TIMES = 100


def measure(effort: Effort) -> list[Measurement]:
    """Measures the layers of a Lua call and of a component's, and what Python itself asks for such steps."""
    with opened() as (registry, _):
        return compare([*_python(), *_lua(registry), *_wasm(registry)], effort)


def _python() -> list[Case]:
    lock, empty = threading.Lock(), _Empty()

    def calls() -> None:
        method = empty.method
        for _ in range(_TIMES):
            method(1, 2)

    def locks() -> None:
        for _ in range(_TIMES):
            with lock:
                pass

    def frames() -> None:
        for _ in range(_TIMES):
            CallContext("bench:same", "lua", None, None, None, None)

    return [
        Case("Python: a method that does nothing", calls, calls=_TIMES),
        Case("Python: a lock taken and given back", locks, calls=_TIMES),
        Case("Python: an object with ten attributes, a call's frame", frames, calls=_TIMES),
    ]


class _Empty:
    def method(self, _first: int, _second: int) -> None:
        return


def _route(registry: polycall.Registry, target: str, *arguments: Any) -> tuple[Any, Any, CallContext]:
    registry.call(target, *arguments)
    route = registry._dispatcher.table.by_id[target]
    context = CallContext(target, route.language)
    instance = route.pool.check_out(context)
    route.pool.give_back(instance)
    return route, instance, context


def _lua(registry: polycall.Registry) -> list[Case]:
    route, instance, context = _route(registry, "bench:same", 1)
    assert isinstance(instance, LuaInstance)
    kernel = instance._kernel
    assert isinstance(kernel, Kernel)
    alone = "lupa: a number"
    return [
        Case(alone, partial(plain.lua_same(), 1)),
        Case("Lua: with xpcall around it, and its result judged", partial(kernel._enter, 1), alone),
        Case("Lua: with its arguments judged, its errors told", partial(instance.call, (1,), context), alone),
        Case("Lua: with its pool, its depth and its stack", partial(route.run, (1,), context, 32), alone),
        Case("Lua: Registry.call", partial(registry.call, "bench:same", 1), alone),
    ]


def _wasm(registry: polycall.Registry) -> list[Case]:
    route, instance, context = _route(registry, "bench:add", 1, 2)
    assert isinstance(instance, WasmInstance)
    guest, export = instance._guest, instance._function.export
    core = guest._calls[id(export)]._core
    alone = "wasmtime-py: two integers"
    return [
        Case(alone, partial(plain.component_call("add.wat", "add"), 1, 2)),
        Case("WASM: the core function, by ctypes", core.run, alone),
        Case("WASM: with its values lowered and lifted", partial(guest.call, export, (1, 2)), alone),
        Case("WASM: with its store made ready, its errors told", partial(instance.call, (1, 2), context), alone),
        Case("WASM: with its pool, its depth and its stack", partial(route.run, (1, 2), context, 32), alone),
        Case("WASM: Registry.call", partial(registry.call, "bench:add", 1, 2), alone),
    ]


if __name__ == "__main__":
    show(measure(FULL))
