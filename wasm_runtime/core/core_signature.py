"""What a core module must export to be called by a WIT signature, checked when its entry is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import c_void_p
from typing import NamedTuple

import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.canonical.layout import MAX_FLAT_PARAMETERS, flat
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.native import Buffer, address_of, prototype
from polycall.wasm_runtime.exports import the_export
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_parser import EXAMPLE, find_signature
from polycall.wasm_runtime.wit.wit_types import ListType, Primitive, WitType, parts

__all__ = ["INITIALIZE", "CorePlan", "core_type_of", "declared_signature", "plan_core_call"]

INITIALIZE = "_initialize"
"""The export that a library's toolchain wants called once per instance, after ``start``."""

_ALLOCATORS = ("cabi_realloc", "canonical_abi_realloc", "alloc", "malloc")
_CORE_TYPES = ("i32", "i64", "f32", "f64", "v128", "a reference")
_VALTYPE_BYTES = 64
_LONGEST_SIGNATURE = 1_000

_describe_type = prototype("wasmtime_valtype_new", None, c_void_p, c_void_p)
_forget_type = prototype("wasmtime_valtype_delete", None, c_void_p)


class CorePlan(NamedTuple):
    """How a core function is called.

    Attributes:
        parameters: Its core parameters.
        results: Its core results: none or one.
        spilled: Whether the parameters go through memory, as the Canonical ABI has it for more than 16 of them.
        returns_pointer: Whether the result lies in memory.
        allocator: The export that makes room in memory, and how many parameters it takes; None if nothing needs room.
        uses_memory: Whether anything goes through memory.
        post_return: The export to call when the result was read, or None.
        initializes: Whether an export is to be called once per instance, before any other.
    """

    parameters: tuple[str, ...]
    results: tuple[str, ...]
    spilled: bool
    returns_pointer: bool
    allocator: tuple[str, int] | None
    uses_memory: bool
    post_return: str | None
    initializes: bool


def declared_signature(method: str, wit: str | None) -> Signature:
    """Returns the signature that the entry's ``wit`` declares for its ``method``.

    Raises:
        PreparationError: There is no ``wit``, it is wrong, or it does not declare the method.
    """
    if not wit:
        hint = f'write the signature of "{method}" into the entry, for example {EXAMPLE.replace("name", method, 1)}'
        raise PreparationError("a core module does not tell its types", hint=hint).at("wit")
    return find_signature(wit, method)


def plan_core_call(method: str, signature: Signature, module: wasmtime.Module) -> CorePlan:
    """Says how to call an export, if the module has what its signature needs.

    Raises:
        MissingExportError: There is no such export.
        PreparationError: The export's core type is another, or memory or an allocator is missing.
    """
    exports = {export.name: export.type for export in module.exports}
    functions = {name: found for name, found in exports.items() if isinstance(found, wasmtime.FuncType)}
    the_export(method, functions)
    parameters = tuple(core for _, wit_type in signature.params for core in flat(wit_type))
    results = () if signature.result is None else flat(signature.result)
    spilled, returns_pointer = len(parameters) > MAX_FLAT_PARAMETERS, len(results) > 1
    parameters = ("i32",) if spilled else parameters
    results = ("i32",) if returns_pointer else results
    _check_type(method, functions[method], parameters, results)
    allocates = spilled or any(_has_content(wit_type) for _, wit_type in signature.params)
    uses_memory = allocates or returns_pointer
    if uses_memory:
        _check_memory(exports.get("memory"), signature)
    allocator = _allocator(functions, signature) if allocates else None
    post_return = f"cabi_post_{method}"
    if post_return in functions:
        _check_type(post_return, functions[post_return], results, ())
    return CorePlan(
        *(parameters, results, spilled, returns_pointer, allocator, uses_memory),
        post_return if post_return in functions else None,
        _initializes(functions),
    )


def _initializes(functions: Mapping[str, wasmtime.FuncType]) -> bool:
    found = functions.get(INITIALIZE)
    if found is None:
        return False
    found_type = core_type_of(found)
    if found_type != ((), ()):
        raise PreparationError(
            f'the export "{INITIALIZE}" is {_core_text(*found_type)}: what has this name is called once before the '
            "first call, so it must take nothing and return nothing",
            hint="give the function another name",
        )
    return True


def _check_type(name: str, found: wasmtime.FuncType, parameters: tuple[str, ...], results: tuple[str, ...]) -> None:
    actual = core_type_of(found)
    if actual != (parameters, results):
        raise PreparationError(
            f'the export "{name}" does not fit its wit: expected {_core_text(parameters, results)}, '
            f"got {_core_text(*actual)}"
        ).at("wit")


def core_type_of(found: wasmtime.FuncType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the core types of a function's parameters and results."""
    return _core_names(found.params), _core_names(found.results)


def _core_names(types: list[wasmtime.ValType]) -> tuple[str, ...]:
    return tuple(map(_core_name, types))


def _core_name(core: wasmtime.ValType) -> str:
    # Not by wasmtime-py's own comparison: that asks an older interface, which aborts the process at a v128.
    described = Buffer(_VALTYPE_BYTES)
    _describe_type(address_of(core.ptr()), described.address)
    kind = described.data[0]
    _forget_type(described.address)
    return _CORE_TYPES[kind]


def _text(signature: Signature) -> str:
    return shown(str(signature), _LONGEST_SIGNATURE)


def _core_text(parameters: tuple[str, ...], results: tuple[str, ...]) -> str:
    parts = [f" ({word} {' '.join(types)})" for word, types in (("param", parameters), ("result", results)) if types]
    return f"(func{''.join(parts)})"


def _has_content(wit_type: WitType) -> bool:
    """Whether values of a type point to memory that must be made in the guest."""
    if isinstance(wit_type, ListType) or wit_type == Primitive("string"):
        return True
    return any(_has_content(part) for part in parts(wit_type) if part is not None)


def _check_memory(memory: object, signature: Signature) -> None:
    if not isinstance(memory, wasmtime.MemoryType):
        raise PreparationError(f'{_text(signature)} needs memory, and the module exports none named "memory"')
    if memory.is_64:
        raise PreparationError("the module's memory has 64-bit addresses; the Canonical ABI knows 32-bit ones only")


def _allocator(functions: Mapping[str, wasmtime.FuncType], signature: Signature) -> tuple[str, int]:
    for name in _ALLOCATORS:
        found = functions.get(name)
        if found is None:
            continue
        count = len(found.params)
        if count in (1, 2, 4):  # (size), (size, alignment), (old, old size, alignment, size)
            _check_type(name, found, ("i32",) * count, ("i32",))
            return name, count
    raise PreparationError(
        f"{_text(signature)} needs room in the guest's memory, and the module exports no allocator",
        hint=f"export one of {', '.join(_ALLOCATORS)}",
    )
