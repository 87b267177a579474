"""What is in a file of WebAssembly, for a person who wants to declare it: exports, and what it asks of its host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from polycall.interop.errors import NotFoundError, PreparationError
from polycall.interop.program_files import WASM_MAGIC, read_program
from polycall.interop.source import SourceText
from polycall.wasm_runtime.binaries import assemble, is_component
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.core_module import CoreModuleShape, CoreThing, read_core_module
from polycall.wasm_runtime.component.names import parse_function, unversioned
from polycall.wasm_runtime.component.plan import LiftedFunction, Plan
from polycall.wasm_runtime.component.planner import make_plan
from polycall.wasm_runtime.component.validation import validate
from polycall.wasm_runtime.exports import START
from polycall.wasm_runtime.imports import group_of_interface

__all__ = ["Export", "Look", "look_at", "read_binary"]

_OF_TOOLCHAINS = ("__", "cabi_", "canonical_abi_", "asyncify_")
_ALLOCATORS = frozenset({"_initialize", "realloc", "malloc", "alloc", "free"})
_WIT_TYPES = {"i32": "s32", "i64": "s64", "f32": "f32", "f64": "f64"}
_COMMAND = "wasi:cli/run"
_OWN_INTERFACES = frozenset({"exports#"})  # componentize-py's, which it calls when it makes its snapshot


class Export(NamedTuple):
    """A function that can be called.

    Attributes:
        method: What an entry calls it: ``rate``, or ``test:math/ops@1.0.0#add``.
        label: Its own name; empty for one that runs a command.
        wit: What an entry of a core module has to say of it; None for a component, which says it itself.
    """

    method: str
    label: str
    wit: str | None = None


class Look(NamedTuple):
    """A binary, looked at.

    Attributes:
        exports: The functions that can be called.
        groups: The capability groups that it imports from, in the order of its imports.
        foreign: Interfaces that polycall offers in no group: links serve those.
        plan: What a component is; None for a core module.
    """

    exports: tuple[Export, ...]
    groups: tuple[str, ...]
    foreign: tuple[str, ...]
    plan: Plan | None


def read_binary(path: Path) -> bytes:
    """Reads a file of WebAssembly; text is assembled.

    Raises:
        NotFoundError: There is no such file.
        PreparationError: It cannot be read, or is no WebAssembly.
    """
    try:
        content = read_program(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}") from error
    except OSError as error:
        raise PreparationError(f"{path} cannot be read: {error.strerror or error}") from error
    if content.startswith(WASM_MAGIC) or path.suffix != ".wat":
        return content
    return assemble(SourceText(content.decode("utf-8", "replace"), str(path)))


def look_at(binary: bytes, name: str) -> Look:
    """Says what is in a binary.

    Args:
        binary: Its bytes.
        name: What messages call it.

    Raises:
        PreparationError: It is no valid WebAssembly.
    """
    try:
        if not is_component(binary):
            return _core(read_core_module(binary))
        component = decode(binary)
        plan = make_plan(component, binary)
        validate(component, binary)
    except PreparationError as error:
        raise PreparationError(f"{name} {error.message}", hint=error.hint) from error
    names = [interface.name for interface in plan.imports if interface.functions or interface.resources]
    return Look(tuple(_exports(plan)), *_sorted(names), plan)


def _exports(plan: Plan) -> Iterator[Export]:
    functions = {"": plan.exports.functions}
    functions |= {f"{name}#": instance.functions for name, instance in plan.exports.instances.items()}
    for interface, found in functions.items():
        if interface in _OWN_INTERFACES:
            continue
        is_command = unversioned(interface.removesuffix("#")) == _COMMAND
        for name, function in found.items():
            parts = parse_function(name)
            if isinstance(function, LiftedFunction) and parts is not None and parts.kind == "function":
                yield Export(f"{interface}{name}", "" if is_command else name)


def _core(shape: CoreModuleShape) -> Look:
    exports = [
        Export(name, "" if name == START else name, None if name == START else _signature(name, found))
        for name, (kind, found) in shape.exports.items()
        if kind == "func" and not name.startswith(_OF_TOOLCHAINS) and name not in _ALLOCATORS
    ]
    known = tuple(export for export in exports if export.wit or not export.label)
    return Look(known, *_sorted([each.module for each in shape.imports]), None)


def _signature(name: str, found: CoreThing) -> str | None:
    """Returns the signature of a core function in numbers; None where it takes or gives anything else."""
    if not isinstance(found, tuple) or len(found) != 2:
        return None
    parameters, results = found
    types = [_WIT_TYPES.get(str(each)) for each in (*parameters, *results)]
    if None in types or len(results) > 1:
        return None
    listed = ", ".join(f"p{at}: {each}" for at, each in enumerate(types[: len(parameters)]))
    return f"{name}: func({listed})" + (f" -> {types[-1]}" if results else "")


def _sorted(interfaces: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    groups = [group_of_interface(name) for name in interfaces]
    foreign = [name for name, group in zip(interfaces, groups, strict=True) if group is None]
    return tuple(dict.fromkeys(filter(None, groups))), tuple(dict.fromkeys(foreign))
