"""The engines without polycall: wasmtime-py and lupa as their own documentation uses them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import wasmtime
from lupa.lua54 import LuaRuntime
from wasmtime import component

from benchmarks.project import BUILT, GUESTS

__all__ = [
    "caching_engine",
    "component_call",
    "fresh_component_call",
    "fresh_guest_call",
    "fresh_lua_call",
    "lua_same",
    "lua_spin",
    "module_call",
]


def caching_engine() -> wasmtime.Engine:
    """Returns an engine that keeps what it compiles, as polycall does; no benchmark measures compiling."""
    config = wasmtime.Config()
    config.cache = True
    return wasmtime.Engine(config)


def component_call(guest: str, export: str) -> Callable[..., Any]:
    """Returns an export of a component; the instance lives as long."""
    engine = caching_engine()
    store = wasmtime.Store(engine)
    compiled = component.Component(engine, (GUESTS / guest).read_text(encoding="utf-8"))
    function = component.Linker(engine).instantiate(store, compiled).get_func(store, export)
    if function is None:
        raise LookupError(f"{guest} has no export {export}")
    return partial(function, store)


def fresh_component_call(guest: str, export: str, *arguments: Any) -> Callable[[], Any]:
    """Returns a call that makes a store and an instance each time."""
    engine = caching_engine()
    compiled = component.Component(engine, (GUESTS / guest).read_text(encoding="utf-8"))
    linker = component.Linker(engine)

    def call() -> Any:
        store = wasmtime.Store(engine)
        function = linker.instantiate(store, compiled).get_func(store, export)
        return None if function is None else function(store, *arguments)

    return call


def fresh_guest_call(guest: str, interface: str, export: str, *arguments: Any) -> Callable[[], Any]:
    """Returns the same for a built guest, whose imports trap."""
    engine = caching_engine()
    compiled = component.Component(engine, (BUILT / guest).read_bytes())
    linker = component.Linker(engine)
    linker.define_unknown_imports_as_traps(compiled)
    index = compiled.get_export_index(export, compiled.get_export_index(interface))
    if index is None:
        raise LookupError(f"{guest} has no export {interface}#{export}")

    def call() -> Any:
        store = wasmtime.Store(engine)
        function = linker.instantiate(store, compiled).get_func(store, index)
        return None if function is None else function(store, *arguments)

    return call


def module_call(guest: str, export: str) -> Callable[..., Any]:
    """Returns an export of a core module, on an engine without epochs."""
    engine = caching_engine()
    store = wasmtime.Store(engine)
    compiled = wasmtime.Module(engine, (GUESTS / guest).read_text(encoding="utf-8"))
    function = wasmtime.Instance(store, compiled, []).exports(store)[export]
    if not isinstance(function, wasmtime.Func):
        raise LookupError(f"{guest} has no function {export}")
    return partial(function, store)


def lua_same() -> Callable[..., Any]:
    """Returns a Lua function that gives back its argument."""
    function: Callable[..., Any] = LuaRuntime(register_eval=False).eval("function(n) return n end")
    return function


def fresh_lua_call() -> Callable[[], Any]:
    """Returns a call that makes a Lua state each time."""
    return lambda: lua_same()(1)


def lua_spin() -> Callable[..., Any]:
    """Returns the tight loop in Lua."""
    function: Callable[..., Any] = LuaRuntime().execute((GUESTS / "spin.lua").read_text(encoding="utf-8"))["spin"]
    return function
