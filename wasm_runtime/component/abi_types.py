"""The core types that the Canonical ABI gives to lifted and lowered functions and to built-ins, and their check.

Each core function that the host calls without the engine's own check must have exactly the type that is computed here:
another one would not trap, it would end the process.
"""

from __future__ import annotations

from polycall.wasm_runtime.component.core_module import CoreMemory
from polycall.wasm_runtime.component.definitions import AsyncBuiltin, CanonOptions
from polycall.wasm_runtime.component.plan import CoreExport, CoreFunctionType, CoreRef, Options
from polycall.wasm_runtime.component.scopes import CoreItem, FunctionType, Scope, malformed
from polycall.wasm_runtime.component.value_types import value_type

__all__ = ["DESTRUCTOR", "builtin_type", "function", "lifted_type", "lowered_type", "options"]

_MOST_PARAMETERS = 16
_MOST_ASYNC_PARAMETERS = 4
_PAGE_LOG2 = 16
_POINTER = ("i32",)

REALLOC: CoreFunctionType = (("i32",) * 4, ("i32",))
DESTRUCTOR: CoreFunctionType = (("i32",), ())
"""What the destructor of a resource type takes and gives."""


def _i32s(parameters: int, results: int = 1) -> CoreFunctionType:
    return ("i32",) * parameters, ("i32",) * results


_BUILTINS: dict[str, CoreFunctionType] = {
    "task.cancel": _i32s(0, 0),
    "subtask.cancel": _i32s(1),
    "subtask.drop": _i32s(1, 0),
    "thread.yield": _i32s(0),
    "waitable-set.new": _i32s(0),
    "waitable-set.wait": _i32s(2),
    "waitable-set.poll": _i32s(2),
    "waitable-set.drop": _i32s(1, 0),
    "waitable.join": _i32s(2, 0),
    "backpressure.inc": _i32s(0, 0),
    "backpressure.dec": _i32s(0, 0),
    "error-context.new": _i32s(2),
    "error-context.debug-message": _i32s(2, 0),
    "error-context.drop": _i32s(1, 0),
    "stream.read": _i32s(3),
    "stream.write": _i32s(3),
    "future.read": _i32s(2),
    "future.write": _i32s(2),
    **{f"{of}.new": ((), ("i64",)) for of in ("stream", "future")},
    **{f"{of}.cancel-{way}": _i32s(1) for of in ("stream", "future") for way in ("read", "write")},
    **{f"{of}.drop-{end}": _i32s(1, 0) for of in ("stream", "future") for end in ("readable", "writable")},
}


def lifted_type(found: FunctionType) -> CoreFunctionType:
    """Returns the core type of the core function that is lifted to a component function."""
    parameters = found.parameters if len(found.parameters) <= _MOST_PARAMETERS else _POINTER
    return parameters, found.results if len(found.results) <= 1 else _POINTER


def lowered_type(found: FunctionType, *, is_async: bool) -> CoreFunctionType:
    """Returns the core type of what a component function becomes when it is lowered."""
    most = _MOST_ASYNC_PARAMETERS if is_async else _MOST_PARAMETERS
    parameters = found.parameters if len(found.parameters) <= most else _POINTER
    if is_async:
        return parameters + (_POINTER if found.results else ()), ("i32",)
    return (parameters + _POINTER, ()) if len(found.results) > 1 else (parameters, found.results)


def builtin_type(found: AsyncBuiltin, scope: Scope) -> CoreFunctionType:
    """Returns the core type of an asynchronous built-in."""
    if found.name == "task.return":
        flat = () if found.result is None else value_type(scope, found.result).flat
        return flat if len(flat) <= _MOST_PARAMETERS else _POINTER, ()
    if found.name in ("context.get", "context.set"):
        slot = ("i32",) if found.immediates[0] == 4 else ("i64",)
        return ((), slot) if found.name == "context.get" else (slot, ())
    return _BUILTINS[found.name]


def function(
    scope: Scope, index: int, expected: CoreFunctionType | None, what: str
) -> tuple[CoreRef, CoreFunctionType]:
    """Returns a core function and its type, if that is what the ABI wants.

    Args:
        scope: Where it is.
        index: Its index.
        expected: The type that it must have; None for any.
        what: What it is for, for the message.

    Raises:
        PreparationError: It is not there, or has another type.
    """
    found = scope.core("core func", index)
    found_type = function_type_of(found)
    if expected is not None and found_type != expected:
        raise malformed(f"{what} must be {_text(expected)}, and is {_text(found_type)}")
    return found.ref, found_type


def function_type_of(found: CoreItem) -> CoreFunctionType:
    """Returns the type of a core function."""
    if isinstance(found.type, tuple) and len(found.type) == 2:
        return found.type
    raise malformed("a core function is of a type that is none of a function")


def _text(core_type: CoreFunctionType) -> str:
    parameters, results = (", ".join(types) or "nothing" for types in core_type)
    return f"a core function from {parameters} to {results}"


def options(scope: Scope, said: CanonOptions, core_results: tuple[str, ...]) -> Options:
    """Resolves how values cross.

    Args:
        scope: The index spaces.
        said: What the binary says.
        core_results: What the lifted function gives, and its post-return takes.

    Raises:
        PreparationError: A function has another type than the ABI asks for, or the memory is another.
    """
    return Options(
        said.encoding,
        None if said.memory is None else _memory(scope, said.memory),
        None if said.realloc is None else function(scope, said.realloc, REALLOC, "realloc")[0],
        None if said.post_return is None else function(scope, said.post_return, (core_results, ()), "post-return")[0],
    )


def _memory(scope: Scope, index: int) -> CoreExport:
    found = scope.core("core memory", index)
    memory = found.type
    if not isinstance(memory, CoreMemory) or not isinstance(found.ref, CoreExport):
        raise malformed(f"core memory {index} is something else than a memory")
    if memory.is_64:
        raise malformed("memories with 64-bit addresses are not supported in canonical definitions")
    if memory.shared or memory.page_log2 != _PAGE_LOG2:
        raise malformed("a canonical definition names a memory that is shared, or has pages of its own size")
    return found.ref
