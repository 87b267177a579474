"""Core modules of the project's own, linked: once for all instances, with every address ready for C."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.engine.native import SLOT_BYTES, Argument, address_of, as_bytes, as_pointer, as_size

__all__ = ["CoreLinks", "Numbers", "Place", "Step", "link"]

Format = Literal["I", "q", "f", "d"]
_FORMATS: dict[str, Format] = {"i32": "I", "i64": "q", "f32": "f", "f64": "d"}
_SLOTS = {"i32": f"I{SLOT_BYTES - 4}x", "i64": f"q{SLOT_BYTES - 8}x", "f32": f"f{SLOT_BYTES - 4}x"}
_SLOTS["f64"] = f"d{SLOT_BYTES - 8}x"


class Numbers(NamedTuple):
    """How the numbers of a core function lie in the slots of a call.

    Attributes:
        parameters: Of the parameters.
        result: The format, as of `memoryview.cast`, of the result, or None if it has none.
        slots: How many slots there are.
    """

    parameters: struct.Struct
    result: Format | None
    slots: int


class Place(NamedTuple):
    """Where an export is: in which of the instances, and under which name, for C; and the numbers of a function."""

    core: int
    name: Argument
    length: Argument
    numbers: Numbers | None


class Step(NamedTuple):
    """The instantiation of a module.

    Attributes:
        module: Its address.
        imports: What it is given: an export of an earlier one, or None for the host function.
    """

    module: Argument
    imports: tuple[Place | None, ...]


class CoreLinks(NamedTuple):
    """Linked modules.

    Attributes:
        steps: What is instantiated, in order.
        exports: What the instances export, by name: of those with the same one, the latest.
        host_type: The address of the ``wasm_functype_t`` of the host function, or None if no module imports one.
        kept: What the addresses rely on.
    """

    steps: tuple[Step, ...]
    exports: Mapping[str, Place]
    host_type: Argument | None
    kept: tuple[object, ...]


def link(modules: Iterable[wasmtime.Module]) -> CoreLinks:
    """Links modules; see `polycall.interop.core_engine.CoreEngine.program`.

    Raises:
        PreparationError: Something is imported that nobody gives.
    """
    exports: dict[str, Place] = {}
    steps, kept = [], []
    left: list[wasmtime.ImportType] = []
    for core, module in enumerate(modules):
        imports = list(module.imports)
        places = tuple(exports.get(each.name or "") for each in imports)
        left += (each for each, place in zip(imports, places, strict=True) if place is None)
        steps.append(Step(as_pointer(address_of(module.ptr())), places))
        exports |= {each.name: _place(core, each) for each in module.exports}
        kept.append(module)
    host = _host_function(left)
    address = None if host is None else as_pointer(address_of(host.ptr()))
    return CoreLinks(tuple(steps), exports, address, (*kept, host))


def _host_function(left: list[wasmtime.ImportType]) -> wasmtime.FuncType | None:
    """Returns the type of the one import that is left for the host, if there is one."""
    if not left:
        return None
    kind = left[0].type
    fits = isinstance(kind, wasmtime.FuncType) and not (kind.params or kind.results)
    wrong = left[1:] if fits else left
    if wrong or not isinstance(kind, wasmtime.FuncType):
        raise PreparationError(f'nothing is given for the import "{wrong[0].name}" of "{wrong[0].module}"')
    return kind


def _place(core: int, export: wasmtime.ExportType) -> Place:
    name, kind = export.name.encode(), export.type
    numbers = _numbers(kind) if isinstance(kind, wasmtime.FuncType) else None
    return Place(core, as_bytes(name), as_size(len(name)), numbers)


def _numbers(function: wasmtime.FuncType) -> Numbers | None:
    """Returns how a function's numbers lie, or None if some are none, or if it has several results."""
    # Only for modules of our own: wasmtime-py has the engine abort where it names a type of vectors.
    parameters, results = [str(each) for each in function.params], [str(each) for each in function.results]
    if len(results) > 1 or not _SLOTS.keys() >= {*parameters, *results}:
        return None
    packed = struct.Struct("<" + "".join(map(_SLOTS.__getitem__, parameters)))
    return Numbers(packed, _FORMATS[results[0]] if results else None, max(len(parameters), len(results)))
