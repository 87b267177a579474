"""The world that an entry must implement: what it is called for, the registry, and what its links serve."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from polycall.interop.errors import NotFoundError, PreparationError
from polycall.registry.entries.entry import Entry
from polycall.registry.signatures.declared_types import EntryTypes
from polycall.registry.signatures.entry_types import TypesOfEntries
from polycall.wasm_runtime.component.names import compatible, unversioned
from polycall.wasm_runtime.component.plan import Plan
from polycall.wasm_runtime.imports import group_of_interface, group_of_spelling
from polycall.wasm_runtime.link_names import is_namespace
from polycall.wasm_runtime.spec import WasmFunctionSpec, WatFunctionSpec
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_parser import has_scopes
from polycall.wasm_runtime.wit.wit_types import WitType
from polycall.wasm_runtime.worlds.of_plan import imported_interface, world_of
from polycall.wasm_runtime.worlds.text import package_texts, world_text
from polycall.wasm_runtime.worlds.world import Interface, World

__all__ = ["FUNCS", "WorldFiles", "declared_world", "funcs_wit", "world_files"]

FUNCS = "wippy:runtime@0.1.0"
"""The package of the interface by which a component calls the registry."""

_FUNCS_INTERFACE = "wippy:runtime/funcs@0.1.0"
_LABEL = re.compile(r"[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*")


class WorldFiles(NamedTuple):
    """A world as files that every tool of the Component Model reads.

    Attributes:
        world: The text of the world.
        packages: The packages that it may name: name to text.
        is_own: Whether the world is the entry's own text.
    """

    world: str
    packages: Mapping[str, str]
    is_own: bool


def funcs_wit() -> str:
    """Returns the WIT of the interface by which a component calls the registry."""
    return (files("polycall.wasm_runtime") / "wit" / "funcs.wit").read_text(encoding="utf-8")


def world_files(entry: Entry, types: TypesOfEntries) -> WorldFiles:
    """Returns what a component for an entry implements, and what it may import.

    Args:
        entry: The entry, whose binary need not be there yet.
        types: What is known of the project's entries.

    Raises:
        PreparationError: The entry is none of WebAssembly, or it or what a link leads to has no types.
        NotFoundError: A link leads to nothing.
    """
    if not isinstance(entry.spec, (WasmFunctionSpec, WatFunctionSpec)):
        raise PreparationError(f"{entry.id} is {entry.kind}; only WebAssembly has a world", entry_id=str(entry.id))
    sharing = list(_sharing(entry, types))
    plan = types.plan(entry)
    if plan is not None and all(each.spec.wit is None for each in sharing):
        world = world_of(plan, *_names(entry))  # all that is known of it
    else:
        world = _world(entry, sharing, types, plan)
    bodies = package_texts(world)
    packages = {name: f"package {name};\n\n{body}" for name, body in bodies.items() if name != FUNCS}
    own = entry.spec.wit if entry.spec.wit is not None and has_scopes(entry.spec.wit) else None
    return WorldFiles(own or world_text(world), {FUNCS: funcs_wit(), **packages}, own is not None)


def declared_world(entry: Entry, types: TypesOfEntries) -> World:
    """Returns a world that exports what an entry says that it takes and gives, and nothing else.

    Raises:
        PreparationError: It says nothing.
    """
    exports = _exports([entry], types)
    own = exports.pop("", Interface("", {}))
    return World(*_names(entry), exports=tuple(exports.values()), own_exports=own)


def _names(entry: Entry) -> tuple[str, str]:
    name = _kebab(entry.id.name)
    return f"{_kebab(entry.id.namespace)}:{name}", name


def _sharing(entry: Entry, types: TypesOfEntries) -> Iterator[Entry]:
    """Yields the entries that are exports of the same binary."""
    if not isinstance(entry.spec, WasmFunctionSpec):
        yield entry
        return
    for each in types.index:
        if isinstance(each.spec, WasmFunctionSpec) and types.file(each) == types.file(entry):
            yield each


def _world(entry: Entry, sharing: list[Entry], types: TypesOfEntries, plan: Plan | None) -> World:
    exports = _exports(sharing, types)
    groups = {group_of_spelling(each) for entry in sharing for each in entry.spec.imports}
    funcs = [Interface(_FUNCS_INTERFACE, {})] if "funcs" in groups else []
    wasi = sorted(group for group in groups if group and group != "funcs")
    imported = [imported_interface(each) for each in ([] if plan is None else plan.imports)
                if group_of_interface(each.name) is None and "" not in each.functions]  # fmt: skip
    linked = _linked(sharing, types, [each.name for each in imported])
    return World(
        *_names(entry),
        imports=(*funcs, *imported, *(each for each in linked if each.name)),
        exports=tuple(each for name, each in exports.items() if name),
        own_imports=next((each for each in linked if not each.name), Interface("", {})),
        own_exports=exports.get("", Interface("", {})),
        notes=tuple(f"It is granted {group}: the toolchain has the WIT of that." for group in wasi),
    )


def _exports(sharing: list[Entry], types: TypesOfEntries) -> dict[str, Interface]:
    found: dict[str, tuple[dict[str, Signature | None], dict[str, WitType]]] = {}
    for entry in sharing:
        interface, _, label = entry.spec.method.rpartition("#")
        label = _kebab(label) if entry.kind == "function.lua" else label
        its = _types_of(entry, types)
        functions, names = found.setdefault(interface, ({}, {}))
        functions[label] = its.signature
        names |= its.names
    return {name: Interface(name, functions, names) for name, (functions, names) in found.items()}


def _linked(sharing: list[Entry], types: TypesOfEntries, known: Sequence[str]) -> list[Interface]:
    """Returns the interfaces that links serve; the one without a name has what stands outside of interfaces.

    Args:
        sharing: The entries that have the links.
        types: What is known of those that serve them.
        known: The interfaces that a binary has already.
    """
    found: dict[str, tuple[dict[str, Signature | None], dict[str, WitType]]] = {}
    for link, target in (link for entry in sharing for link in entry.spec.links.items()):
        interface, _, function = link.partition("#")
        if any(interface in {name, unversioned(name)} or compatible(name, interface) for name in known):
            continue
        own = interface if "/" in interface or is_namespace(target) or function else ""
        functions, names = found.setdefault(own, ({}, {}))
        for label, each in _targets(interface, function, target, types):
            its = _types_of(each, types)
            functions[label] = its.signature
            names |= its.names
    return [Interface(name, functions, names) for name, (functions, names) in found.items()]


def _targets(interface: str, function: str, target: str, types: TypesOfEntries) -> Iterator[tuple[str, Entry]]:
    if not is_namespace(target):
        yield function or interface, types.index.get(types.index.linked(target))
        return
    entries = [entry for entry in types.index.find(namespace=target) if entry.id.namespace == target]
    entries = [entry for entry in entries if hasattr(entry.spec, "method")]
    if not entries:
        raise NotFoundError(f"the link {interface} leads to {target}, which has no functions")
    for entry in entries:
        yield _kebab(entry.id.name), entry


def _types_of(entry: Entry, types: TypesOfEntries) -> EntryTypes:
    its = types.of(entry)
    if its is None:
        name = _kebab(entry.id.name)
        raise PreparationError(
            f"{entry.id} does not say what it takes and gives",
            entry_id=str(entry.id),
            hint=f'give it a wit, such as "{name}: func(text: string) -> string"',
        )
    return its


def _kebab(name: str) -> str:
    """Returns a name as WIT can have it."""
    kebab = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return kebab if _LABEL.fullmatch(kebab) else "component"
