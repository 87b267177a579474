"""A plan in the making: what the planner has gathered so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polycall.wasm_runtime.component.core_module import CoreModuleShape, read_core_module
from polycall.wasm_runtime.component.plan import CoreHost, HostCoreFunction, ResourceSlot, Step
from polycall.wasm_runtime.component.scopes import Bounds, CoreModuleThing, Resource

__all__ = ["Draft"]

_NAMELESS = "resource"


@dataclass(slots=True)
class Draft:
    """A plan in the making.

    Attributes:
        binary: The component's bytes.
        names: What messages call the resource types of the component's own, by slot, as far as that is known.
        shapes: The core modules that were read so far.
        bounds: Counts what is made.
        steps: What an instance does.
        host_functions: The core functions of the host's.
        slots: Resource types.
        parents: For each component instance, the one that made it.
        modules: The numbers of core modules.
        exported_names: The first name under which each slot is exported.
        core_instances: How many there are.
    """

    binary: bytes
    names: Mapping[int, str]
    shapes: dict[CoreModuleThing, CoreModuleShape]
    bounds: Bounds = field(default_factory=Bounds)
    steps: list[Step] = field(default_factory=list)
    host_functions: list[HostCoreFunction] = field(default_factory=list)
    slots: list[ResourceSlot] = field(default_factory=list)
    parents: list[int | None] = field(default_factory=list)
    modules: dict[CoreModuleThing, int] = field(default_factory=dict)
    exported_names: dict[int, str] = field(default_factory=dict)
    core_instances: int = 0

    def component_instance(self, parent: int | None) -> int:
        """Returns the number of a new component instance."""
        self.parents.append(parent)
        return len(self.parents) - 1

    def module(self, found: CoreModuleThing) -> tuple[int, CoreModuleShape]:
        """Returns the number and shape of a core module.

        Raises:
            PreparationError: It is malformed, or there are too many.
        """
        if found not in self.modules:
            self.bounds.module()
            self.modules[found] = len(self.modules)
        if found not in self.shapes:
            self.shapes[found] = read_core_module(self.binary, found.start, found.end)
        return self.modules[found], self.shapes[found]

    def host(self, function: HostCoreFunction) -> CoreHost:
        """Adds a core function of the host's."""
        self.host_functions.append(function)
        return CoreHost(len(self.host_functions) - 1)

    def own_resource(self, owner: int) -> Resource:
        """Adds a resource type of the component's own."""
        slot = len(self.slots)
        self.slots.append(ResourceSlot(self.names.get(slot, _NAMELESS), None, owner))
        return Resource(slot)

    def imported_resource(self, name: str, interface: str) -> Resource:
        """Adds a resource type of a host's."""
        self.slots.append(ResourceSlot(name, interface, None))
        return Resource(len(self.slots) - 1)

    def export_resource(self, slot: int, name: str) -> None:
        """Notes the name under which a resource type of the component's own is exported."""
        if self.slots[slot].interface is None:
            self.exported_names.setdefault(slot, name)

    def name_of(self, slot: int) -> str:
        """Returns what messages call the resource type of a slot."""
        return self.slots[slot].name
