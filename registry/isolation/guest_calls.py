"""Which calls the guest of a worker may make: the gate that all of them pass."""

from __future__ import annotations

from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.protocols import Invoker
from polycall.interop.values import Value
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation.services import modules_of
from polycall.wasm_runtime.spec import WasmProgram

__all__ = ["GuestCalls"]


class GuestCalls:
    """The calls that a worker's guest may make: one that its guest has taken over gets no further than its entry."""

    def __init__(self, invoker: Invoker, program: LuaProgram | WasmProgram) -> None:
        self._invoker = invoker
        granted = program.grants if isinstance(program, WasmProgram) else modules_of(program)
        self._funcs = "funcs" in granted
        links = program.links.values() if isinstance(program, WasmProgram) else ()
        self._links = frozenset(each if ":" in each else f"{each}:" for each in links)

    def allows(self, way: str, what: Any, target: str) -> bool:
        """Whether a message is a call that the entry may make."""
        if way == "call_linked":
            namespace, colon, _ = target.partition(":")
            return type(what) is list and not self._links.isdisjoint((target, namespace + colon))
        return self._funcs and (type(what) is list if way == "call" else way == "call_payload" and _is_text(what))

    def call(self, way: str, target: str, what: Any, caller: CallContext) -> Value:
        """Makes a call that is allowed."""
        if way == "call_linked":
            return self._invoker.call_linked(target, what, caller)
        if way == "call":
            return self._invoker.call(target, what, caller)
        return self._invoker.call_payload(target, what, caller)


def _is_text(what: Any) -> bool:
    return type(what) in {str, bytes}
