"""What the tests of the WebAssembly runtime share: a call's context, invokers, and guests as WAT."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import GuestError
from polycall.interop.limits import LimitsSpec
from polycall.interop.protocols import Instance, Invoker
from polycall.interop.source import SourceText
from polycall.interop.values import Value
from polycall.wasm_runtime import WasmProgram
from polycall.wasm_runtime.function import WasmFunction
from polycall.wasm_runtime.runtime import WasmRuntime

__all__ = [
    "BUMP_ALLOCATOR",
    "FUNCS_CALLER",
    "FakeInvoker",
    "NobodyToCall",
    "call",
    "context",
    "core_in_component",
    "failing",
    "open_runtime",
    "prepare",
]


def context(
    *, deadline: float | None = None, cancellation: Cancellation | None = None, parent: CallContext | None = None
) -> CallContext:
    """Returns the frame of a call of ``app:guest``."""
    return CallContext("app:guest", "wasm", parent, deadline=deadline, cancellation=cancellation)


def call(instance: Instance, *arguments: Value) -> Value:
    """Calls an instance from outside, without limits."""
    return instance.call(arguments, context())


@contextmanager
def open_runtime(cache_directory: Path, invoker: Invoker | None = None) -> Iterator[WasmRuntime]:
    """Opens a runtime with its compile cache in a folder of the test's."""
    runtime = WasmRuntime(invoker or NobodyToCall(), cache_directory)
    try:
        yield runtime
    finally:
        runtime.close()


def prepare(
    runtime: WasmRuntime,
    text: str,
    method: str = "run",
    wit: str | None = None,
    *,
    grants: Sequence[str] = (),
    strict_imports: bool = False,
    limits: LimitsSpec | None = None,
) -> WasmFunction:
    """Prepares the entry ``app:guest`` from WebAssembly text."""
    source = SourceText(text, "guest.wat")
    limits = limits or LimitsSpec()
    return runtime.prepare(WasmProgram("app:guest", source, method, wit, frozenset(grants), strict_imports, limits))


class NobodyToCall:
    """An invoker for guests that call nobody."""

    def call(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        raise NotImplementedError

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        return self.call(target, arguments, caller)

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        raise NotImplementedError


class FakeInvoker(NobodyToCall):
    """An invoker that answers by plain functions of (payload, caller), by target."""

    def __init__(self, **answers: Callable[[str | bytes, CallContext], Value]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, str | bytes, CallContext]] = []

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        return self.call(target, arguments, caller)

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        self.calls.append((target, payload, caller))
        return self.answers[target.partition(":")[2]](payload, caller)


def failing(message: str, target: str = "app:broken") -> Callable[[str | bytes, CallContext], Value]:
    """Returns a Lua function that raises, as the dispatcher would report it."""

    def answer(_payload: str | bytes, caller: CallContext) -> Value:
        error = GuestError(message, entry_id=target)
        error.frames = CallContext(target, "lua", caller).frames()
        raise error

    return answer


BUMP_ALLOCATOR = """
  (global $free (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))"""


def core_in_component(core: str, *functions: str) -> str:
    """Returns a component around one core module that exports memory and cabi_realloc.

    Args:
        core: The core module's fields.
        functions: Component functions as ``name (param "a" u32) (result u32)``; each lifts the core export of its name.
    """
    lifted = []
    for function in functions:
        name, _, signature = function.partition(" ")
        lifted.append(
            f'(func (export "{name}") {signature} (canon lift (core func $i "{name}") '
            '(memory (core memory $i "memory")) (realloc (core func $i "cabi_realloc"))))'
        )
    memory = "" if "(memory (export" in core else '(memory (export "memory") 1)'
    allocator = "" if "cabi_realloc" in core else BUMP_ALLOCATOR
    module = f"(core module $m {memory} {allocator} {core})"
    return f"(component {module} (core instance $i (instantiate $m)) {' '.join(lifted)})"


FUNCS_CALLER = f"""(component
  (import "wippy:runtime/funcs@0.1.0" (instance $funcs
    (export "call-string" (func (param "target" string) (param "input" string)
      (result (result string (error string)))))
    (export "call-bytes" (func (param "target" string) (param "input" (list u8))
      (result (result (list u8) (error string)))))))
  (core module $memory (memory (export "memory") 4) {BUMP_ALLOCATOR})
  (core instance $memory (instantiate $memory))
  (core func $call-string (canon lower (func $funcs "call-string")
    (memory (core memory $memory "memory")) (realloc (core func $memory "cabi_realloc"))))
  (core func $call-bytes (canon lower (func $funcs "call-bytes")
    (memory (core memory $memory "memory")) (realloc (core func $memory "cabi_realloc"))))
  (core module $guest
    (import "funcs" "call-string" (func $call-string (param i32 i32 i32 i32 i32)))
    (import "funcs" "call-bytes" (func $call-bytes (param i32 i32 i32 i32 i32)))
    (import "memory" "memory" (memory 1))
    (func (export "relay-string") (param i32 i32 i32 i32) (result i32)
      (call $call-string (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 64))
      (i32.const 64))
    (func (export "relay-bytes") (param i32 i32 i32 i32) (result i32)
      (call $call-bytes (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 64))
      (i32.const 64))
    (func $or-trap (export "relay-or-trap") (param i32 i32 i32 i32) (result i32)
      (call $call-string (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then unreachable))
      (i32.const 68)))
  (core instance $guest (instantiate $guest
    (with "funcs" (instance (export "call-string" (func $call-string)) (export "call-bytes" (func $call-bytes))))
    (with "memory" (instance $memory))))
  (func (export "relay-string") (param "target" string) (param "input" string)
    (result (result string (error string)))
    (canon lift (core func $guest "relay-string")
      (memory (core memory $memory "memory")) (realloc (core func $memory "cabi_realloc"))))
  (func (export "relay-bytes") (param "target" string) (param "input" (list u8))
    (result (result (list u8) (error string)))
    (canon lift (core func $guest "relay-bytes")
      (memory (core memory $memory "memory")) (realloc (core func $memory "cabi_realloc"))))
  (func (export "relay-or-trap") (param "target" string) (param "input" string) (result string)
    (canon lift (core func $guest "relay-or-trap")
      (memory (core memory $memory "memory")) (realloc (core func $memory "cabi_realloc")))))"""
"""Hands its arguments to the funcs host and the answer back; `relay-or-trap` traps on an err."""
