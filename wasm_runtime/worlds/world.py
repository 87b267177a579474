"""A world and its interfaces, as they are written down: by what a binary has, or by what entries declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from polycall.interop.records import record
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import WitType

__all__ = ["Interface", "PackageName", "World", "package_of"]

_NO_RESOURCES: Mapping[str, int] = {}


@record
class Interface:
    """An interface.

    Attributes:
        name: ``shop:rules/tax@1.0.0``, or a label for one that stands in the world itself.
        functions: Its functions, those of resources by their names in a component; None for what cannot be written.
        types: Its named types, resources aside.
        resources: Its resource types: name to what tells them apart.
    """

    name: str
    functions: Mapping[str, Signature | None]
    types: Mapping[str, WitType] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)


@record
class World:
    """A world.

    Attributes:
        package: The package that it stands in: ``shop:pricing@1.0.0``.
        name: Its name there.
        imports: The interfaces that it imports.
        exports: Those that it exports.
        own_imports: What it imports outside of interfaces, with the types that its own functions name.
        own_exports: What it exports outside of interfaces.
        notes: Remarks for who reads it, a line each.
    """

    package: str
    name: str
    imports: tuple[Interface, ...] = ()
    exports: tuple[Interface, ...] = ()
    own_imports: Interface = field(default_factory=lambda: Interface("", {}))
    own_exports: Interface = field(default_factory=lambda: Interface("", {}))
    notes: tuple[str, ...] = ()


class PackageName(NamedTuple):
    """Where an interface stands.

    Attributes:
        package: ``shop:rules@1.0.0``.
        interface: ``tax``.
    """

    package: str
    interface: str


def package_of(name: str) -> PackageName | None:
    """Returns the package and the name of an interface; None for one that stands in a world itself."""
    path, at, version = name.partition("@")
    package, slash, interface = path.partition("/")
    return PackageName(f"{package}{at}{version}", interface) if slash else None
