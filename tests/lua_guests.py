"""Lua entries for tests: prepared from text, with a fake of our own `Invoker` protocol as the way to other entries."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import NotFoundError
from polycall.interop.limits import LimitsSpec
from polycall.interop.protocols import Invoker
from polycall.interop.source import SourceText
from polycall.interop.values import Value
from polycall.lua_runtime import LuaProgram
from polycall.lua_runtime.runtime import LuaFunction, LuaRuntime
from polycall.lua_runtime.sandbox.snapshot import Sandbox
from polycall.registry.services.guest_yaml import GuestYaml


class Conditions(NamedTuple):
    """Under what guests run where a test does not say it."""

    limits: LimitsSpec = LimitsSpec()
    seconds: float | None = None
    sandbox: bool = False


_MEMORY = LimitsSpec(max_memory_bytes=256 << 20)
CONDITIONS = {
    "unlimited": Conditions(),
    "memory": Conditions(_MEMORY),
    "deadline": Conditions(seconds=600),
    "memory and deadline": Conditions(_MEMORY, 600),
    "sandbox": Conditions(sandbox=True),
    "sandbox, memory and deadline": Conditions(_MEMORY, 600, sandbox=True),
}
current = [CONDITIONS["unlimited"]]


def conditions_for(choice: str, *, every_limit: bool) -> list[str]:
    """Returns under which conditions a test runs.

    Args:
        choice: What was asked for by ``--lua``.
        every_limit: Whether limits matter to the test. In the sandbox no code looks at them, so one of two will do.
    """
    names = list(CONDITIONS) if every_limit else ["unlimited", "sandbox"]
    if choice == "both" and every_limit:
        names = ["unlimited", "memory and deadline", "sandbox, memory and deadline"]
    one_engine = choice in {"host", "sandbox"}
    return [name for name in names if not one_engine or CONDITIONS[name].sandbox is (choice == "sandbox")]


@functools.cache
def sandbox() -> Sandbox:
    """Returns what sandboxed guests of all tests run in."""
    from polycall.wasm_runtime.core_engine import WasmCoreEngine
    from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

    return Sandbox(WasmCoreEngine(WasmEngine()))


Target = Callable[[Sequence[Value], CallContext], Value]

MODULES = ("base64", "crypto", "ctx", "funcs", "hash", "json", "logger", "time", "uuid", "yaml")


class FakeInvoker:
    """Calls the targets it was given, each in a frame below its caller's."""

    def __init__(self, targets: Mapping[str, Target] | None = None) -> None:
        self.targets = dict(targets or {})

    def call(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        if target not in self.targets:
            raise NotFoundError(f"no entry {target}", entry_id=target)
        frame = CallContext(target, "lua", caller)
        frame.check()
        return self.targets[target](arguments, frame)

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        return self.call(target, arguments, caller)

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        return self.call(target, [payload], caller)


def program(
    text: str,
    *,
    entry_id: str = "app:main",
    method: str | None = "main",
    modules: Sequence[str] = MODULES,
    imports: Mapping[str, LuaProgram] | None = None,
    limits: LimitsSpec | None = None,
    first_line: int = 1,
) -> LuaProgram:
    source = SourceText(text, f"lua/{entry_id.partition(':')[2]}.lua", first_line)
    conditions = current[0]
    return LuaProgram(
        entry_id, source, method, tuple(modules), imports or {}, limits or conditions.limits, conditions.sandbox
    )


def prepare(lua: LuaProgram, targets: Mapping[str, Target] | None = None) -> LuaFunction:
    return runtime(FakeInvoker(targets)).prepare(lua)


def runtime(invoker: Invoker | None = None) -> LuaRuntime:
    """Returns a runtime of both engines."""
    return LuaRuntime(invoker or FakeInvoker(), GuestYaml(), sandbox=sandbox)


def body(text: str) -> str:
    """Returns a chunk whose function `main` has the body given, which begins on line 2."""
    return f"return {{ main = function(...)\n{text}\nend }}"


def context(
    *,
    deadline: float | None = None,
    cancellation: Cancellation | None = None,
    values: Mapping[str, Value] | None = None,
) -> CallContext:
    if deadline is None and cancellation is None and current[0].seconds is not None:
        deadline = time.monotonic() + current[0].seconds
    return CallContext("app:main", "lua", deadline=deadline, cancellation=cancellation, values=values)


def run(
    text: str,
    *arguments: Value,
    targets: Mapping[str, Target] | None = None,
    modules: Sequence[str] = MODULES,
    limits: LimitsSpec | None = None,
    frame: CallContext | None = None,
) -> Value:
    """Runs the body of a function once, in a fresh state."""
    function = prepare(program(body(text), modules=modules, limits=limits), targets)
    with closing(function.instantiate()) as instance:
        return instance.call(arguments, frame or context())


def refusal(expression: str, *arguments: Value, modules: Sequence[str] = MODULES) -> str:
    """Returns the kind of the error object that an expression gives as its second value, with nil as its first."""
    text = f"local value, err = {expression}\nreturn {{ value == nil, err:kind(), #err:message() > 0 }}"
    answer = run(text, *arguments, modules=modules)
    if not isinstance(answer, list) or answer[0] is not True or answer[2] is not True:
        raise ValueError(f"{expression} gave {answer!r}")
    return str(answer[1])
