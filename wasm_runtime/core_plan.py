"""A core module with a ``wit`` signature as a plan: it alone, with one export lifted (specification: system facts 2.6).

What it must have for that is checked here, when its entry is prepared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ctypes import c_void_p
from types import MappingProxyType

import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.canonical.codec import codec
from polycall.wasm_runtime.component.abort_import import is_abort
from polycall.wasm_runtime.component.core_function import CoreInterfaces
from polycall.wasm_runtime.component.instance import MEMORY
from polycall.wasm_runtime.component.plan import (
    AbortImport,
    CoreExport,
    CoreHost,
    CoreImport,
    ExportedInstance,
    HostCoreFunction,
    ImportedFunction,
    ImportedInterface,
    Initialize,
    Instantiate,
    LiftedFunction,
    Options,
    Plan,
    RefusedImport,
    Step,
)
from polycall.wasm_runtime.engine.guest_text import listed, shown
from polycall.wasm_runtime.engine.native import Buffer, address_of, prototype
from polycall.wasm_runtime.exports import START, the_export
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_parser import EXAMPLE, find_signature
from polycall.wasm_runtime.wit.wit_types import ListType, MapType, Primitive, WitType, parts

__all__ = ["core_type_of", "declared_signature", "plan_core_module"]

_INITIALIZE = "_initialize"
"""The export that a library's toolchain wants called once per instance, after ``start``."""

_ALLOCATORS = ("cabi_realloc", "canonical_abi_realloc", "alloc", "malloc")
_ALLOCATOR_PARAMETERS = (1, 2, 4)
"""(size), (size, alignment), (old address, old size, alignment, size)."""

_CORE_TYPES = ("i32", "i64", "f32", "f64", "v128", "a reference")
_VALTYPE_BYTES = 64
_LONGEST_SIGNATURE = 1_000

_describe_type = prototype("wasmtime_valtype_new", None, c_void_p, c_void_p)
_forget_type = prototype("wasmtime_valtype_delete", None, c_void_p)


def declared_signature(method: str, wit: str | None) -> Signature:
    """Returns the signature that the entry's ``wit`` declares for its ``method``; that of ``_start`` needs none.

    Raises:
        PreparationError: There is no ``wit``, it is wrong, or it does not declare the method.
    """
    if not wit and method == START:
        return Signature((), None)
    if not wit:
        hint = f'write the signature of "{method}" into the entry, for example {EXAMPLE.replace("name", method, 1)}'
        raise PreparationError("a core module does not tell its types", hint=hint).at("wit")
    return find_signature(wit, method)


def plan_core_module(
    method: str, signature: Signature, module: wasmtime.Module, offered: CoreInterfaces = MappingProxyType({})
) -> Plan:
    """Returns what an instance of a core module does.

    Args:
        method: The export to lift.
        signature: What the entry says of it.
        module: The module.
        offered: What it may import.

    Raises:
        MissingExportError: There is no such export.
        PreparationError: The export has another core type, memory or an allocator is missing, or the module imports
            something that is no function, or what it is offered with another core type.
    """
    exports = {export.name: export.type for export in module.exports}
    functions = {name: found for name, found in exports.items() if isinstance(found, wasmtime.FuncType)}
    the_export(method, functions)
    how = codec(signature, "utf8")
    parameters, results = how.lifted_core_type
    _check_type(method, functions[method], parameters, results)
    allocates = how.spills or any(_has_content(wit_type) for _, wit_type in signature.params)
    uses_memory = allocates or how.returns_pointer
    if uses_memory:
        _check_memory(exports.get(MEMORY), signature)
    realloc, realloc_parameters = _allocator(functions, signature) if allocates else (None, 4)
    options = Options(
        memory=CoreExport(0, MEMORY) if uses_memory else None,
        realloc=realloc,
        realloc_parameters=realloc_parameters,
        post_return=_post_return(functions, method, results),
    )
    imports = tuple(_imports(module, offered))
    start: tuple[Step, ...] = (Initialize(CoreExport(0, _INITIALIZE)),) if _initializes(functions) else ()
    return Plan(
        modules=((0, 0),),  # the whole binary, which the footprint is of as well
        footprints=(),
        steps=(Instantiate(0, tuple(map(CoreHost, range(len(imports)))), 0), *start),
        host_functions=imports,
        slots=(),
        parents=(None,),
        imports=tuple(_interfaces(imports)),
        exports=ExportedInstance({method: LiftedFunction(CoreExport(0, method), options, signature, 0)}),
    )


def _imports(module: wasmtime.Module, offered: CoreInterfaces) -> Iterator[HostCoreFunction]:
    """Yields what stands behind a module's imports."""
    others: list[str] = []
    for item in module.imports:
        name = item.name or ""
        if not isinstance(item.type, wasmtime.FuncType):
            others.append(f"the {type(item.type).__name__.removesuffix('Type').lower()} {item.module}#{name}")
        elif is_abort(item.module, name, core_type_of(item.type)):
            yield AbortImport()
        else:
            yield _import(item.module, name, item.type, offered)
    if others:
        raise PreparationError(f"the module imports {listed(others)}, which nobody gives it")


def _import(module: str, name: str, found: wasmtime.FuncType, offered: CoreInterfaces) -> HostCoreFunction:
    function = offered.get(module, {}).get(name)
    if function is None:
        return RefusedImport(module, name)
    if core_type_of(found) != function.core_type:
        raise PreparationError(
            f"the module imports {shown(f'{module}#{name}')} as {_core_text(*core_type_of(found))}; "
            f"it is {_core_text(*function.core_type)}"
        )
    return CoreImport(module, name, function)


def _interfaces(imports: tuple[HostCoreFunction, ...]) -> Iterator[ImportedInterface]:
    wanted = [each for each in imports if isinstance(each, (CoreImport, RefusedImport))]
    for module in dict.fromkeys(each.module for each in wanted):
        names = [each.name for each in wanted if each.module == module]
        yield ImportedInterface(module, {name: ImportedFunction(module, name, None) for name in names})


def _initializes(functions: Mapping[str, wasmtime.FuncType]) -> bool:
    found = functions.get(_INITIALIZE)
    if found is None:
        return False
    found_type = core_type_of(found)
    if found_type != ((), ()):
        raise PreparationError(
            f'the export "{_INITIALIZE}" is {_core_text(*found_type)}: what has this name is called once before the '
            "first call, so it must take nothing and return nothing",
            hint="give the function another name",
        )
    return True


def _post_return(
    functions: Mapping[str, wasmtime.FuncType], method: str, results: tuple[str, ...]
) -> CoreExport | None:
    name = f"cabi_post_{method}"
    if name not in functions:
        return None
    _check_type(name, functions[name], results, ())
    return CoreExport(0, name)


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
    kind = described.data[0][0]
    _forget_type(described.address)
    return _CORE_TYPES[kind]


def _text(signature: Signature) -> str:
    return shown(str(signature), _LONGEST_SIGNATURE)


def _core_text(parameters: tuple[str, ...], results: tuple[str, ...]) -> str:
    parts = [f" ({word} {' '.join(types)})" for word, types in (("param", parameters), ("result", results)) if types]
    return f"(func{''.join(parts)})"


def _has_content(wit_type: WitType) -> bool:
    """Whether values of a type point to memory that must be made in the guest."""
    if isinstance(wit_type, (ListType, MapType)) or wit_type == Primitive("string"):
        return True
    return any(_has_content(part) for part in parts(wit_type) if part is not None)


def _check_memory(memory: object, signature: Signature) -> None:
    if not isinstance(memory, wasmtime.MemoryType):
        raise PreparationError(f'{_text(signature)} needs memory, and the module exports none named "{MEMORY}"')
    if memory.is_64:
        raise PreparationError("the module's memory has 64-bit addresses; the Canonical ABI knows 32-bit ones only")


def _allocator(functions: Mapping[str, wasmtime.FuncType], signature: Signature) -> tuple[CoreExport, int]:
    for name in _ALLOCATORS:
        found = functions.get(name)
        if found is not None and (count := len(found.params)) in _ALLOCATOR_PARAMETERS:
            _check_type(name, found, ("i32",) * count, ("i32",))
            return CoreExport(0, name), count
    raise PreparationError(
        f"{_text(signature)} needs room in the guest's memory, and the module exports no allocator",
        hint=f"export one of {', '.join(_ALLOCATORS)}",
    )
