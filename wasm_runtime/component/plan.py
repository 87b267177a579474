"""What instantiating a component does, as one flat list of steps.

Nested components are gone: the planner has gone through them once and left only what happens in a store. A plan
belongs to one binary and is shared by all its instances. A plan's things have numbers, which are places in the lists
that an instance keeps: core instances in the order in which they are made, component instances, resource types
(``slots``), and the core functions that the host gives to guests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple, TypeAlias

from polycall.interop.records import record
from polycall.wasm_runtime.component.core_function import CoreFunction
from polycall.wasm_runtime.engine.footprint import Footprint
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import WitType

__all__ = [
    "AbortImport",
    "AsyncFunction",
    "ComponentFunction",
    "CoreExport",
    "CoreFunctionType",
    "CoreHost",
    "CoreImport",
    "CoreRef",
    "DefineResource",
    "ExportedInstance",
    "HostCoreFunction",
    "ImportedFunction",
    "ImportedInterface",
    "Initialize",
    "Instantiate",
    "LiftedFunction",
    "LoweredFunction",
    "Options",
    "Plan",
    "RefusedFunction",
    "RefusedImport",
    "ResourceFunction",
    "ResourceSlot",
    "Step",
]

CoreFunctionType: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""What a core function takes and gives: ``i32``, ``i64``, ``f32``, ``f64``, ``v128`` or ``reference``."""

# What modules are given ---------------------------------------------------------------------------------------------


class CoreExport(NamedTuple):  # its hash, which each instance needs often, is made in C
    """An export of a core instance that an earlier step made: a function, memory, table, global or tag."""

    instance: int
    name: str


@record
class CoreHost:
    """A core function of the host's, by its place in `Plan.host_functions`."""

    index: int


CoreRef: TypeAlias = CoreExport | CoreHost


@record
class Options:
    """How values cross at one border (Canonical ABI, ``canonopt``).

    Attributes:
        encoding: ``utf8``, ``utf16`` or ``latin1+utf16``.
        memory: Where values lie that do not fit into core values.
        realloc: What makes room there.
        realloc_parameters: What it takes: 4 as the Canonical ABI has it (old address, old size, alignment, size); core
            modules may have one that takes size and alignment (2), or the size alone (1).
        post_return: What is called with the core results when they were read.
    """

    encoding: str = "utf8"
    memory: CoreExport | None = None
    realloc: CoreRef | None = None
    post_return: CoreRef | None = None
    realloc_parameters: int = 4


# Functions of components --------------------------------------------------------------------------------------------


@record
class LiftedFunction:
    """A core function made a component function; it runs in a component instance."""

    core: CoreRef
    options: Options
    signature: Signature
    instance: int


@record
class ImportedFunction:
    """A function that the component imports.

    Attributes:
        interface: The import's name, version included; of a function that is imported on its own, that function's.
        name: The function's name inside of the interface; empty for one imported on its own.
        signature: As the component declares it; None where it has a type that cannot cross (async, streams, futures).
        refusal: What is then wrong with it, for the message of a call: what follows the function's name.
    """

    interface: str
    name: str
    signature: Signature | None
    refusal: str | None = None


@record
class RefusedFunction:
    """A function of the component's own that cannot be called.

    Attributes:
        refusal: Why: what follows the function's name in a message.
    """

    refusal: str


ComponentFunction: TypeAlias = LiftedFunction | ImportedFunction | RefusedFunction

# Core functions of the host -----------------------------------------------------------------------------------------


@record
class LoweredFunction:
    """A component function that core code of a component instance may call (``canon lower``)."""

    function: ComponentFunction
    options: Options
    instance: int
    core_type: CoreFunctionType


@record
class ResourceFunction:
    """``resource.new``, ``resource.drop`` or ``resource.rep`` of a resource type, in a component instance's table."""

    operation: str
    slot: int
    instance: int

    @property
    def core_type(self) -> CoreFunctionType:
        """What it takes and gives."""
        return ("i32",), (() if self.operation == "resource.drop" else ("i32",))


@record
class AsyncFunction:
    """A built-in of WASI 0.3. ``context.get`` and ``context.set`` work; the others trap by their name."""

    name: str
    immediates: tuple[int, ...]
    instance: int
    core_type: CoreFunctionType


@record
class CoreImport:
    """A function that a core module imports, and is given."""

    module: str
    name: str
    function: CoreFunction


@record
class RefusedImport:
    """A function that a core module imports, and is not given."""

    module: str
    name: str


@record
class AbortImport:
    """``env#abort`` of a core module."""


HostCoreFunction: TypeAlias = (
    LoweredFunction | ResourceFunction | AsyncFunction | CoreImport | RefusedImport | AbortImport
)

# Steps --------------------------------------------------------------------------------------------------------------


@record
class Instantiate:
    """Makes a core instance.

    Attributes:
        module: Place in `Plan.modules`.
        imports: What it imports, in the order of the module.
        instance: The component instance that it belongs to.
    """

    module: int
    imports: tuple[CoreRef, ...]
    instance: int


@record
class DefineResource:
    """Makes a fresh resource type; its destructor is a core function that is there by now."""

    slot: int
    destructor: CoreRef | None


@record
class Initialize:
    """Calls what a core module's toolchain wants called once, before any other export (WASI, "reactors")."""

    core: CoreExport


Step: TypeAlias = Instantiate | DefineResource | Initialize

# The outside --------------------------------------------------------------------------------------------------------


@record
class ResourceSlot:
    """A resource type of a plan.

    Attributes:
        name: For messages.
        interface: The import it comes from, version included; None for one that the component defines.
        owner: The component instance whose code implements it; None for an imported one.
    """

    name: str
    interface: str | None = None
    owner: int | None = None


@record
class ImportedInterface:
    """What the component imports under one name.

    Attributes:
        name: As the component writes it, version included.
        functions: Its functions; the key is empty for a function imported on its own.
        resources: Its resource types: name to slot. A type that is said to be equal to another import's has its slot.
        types: Its other types.
    """

    name: str
    functions: Mapping[str, ImportedFunction]
    resources: Mapping[str, int] = field(default_factory=dict)
    types: Mapping[str, WitType] = field(default_factory=dict)


@record
class ExportedInstance:
    """An instance that a component exports.

    Attributes:
        functions: Its functions: ``name``, ``[constructor]cart``, ``[method]cart.add``, ``[static]cart.merge``.
        resources: Its resource types: name to slot.
        types: Its other types.
        instances: Instances inside of it.
    """

    functions: Mapping[str, ComponentFunction] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    types: Mapping[str, WitType] = field(default_factory=dict)
    instances: Mapping[str, ExportedInstance] = field(default_factory=dict)


@record
class Plan:
    """Everything that an instance does and is.

    Attributes:
        modules: Where the core modules are in the binary, each once: (start, end). Those without instances come last;
            they must be valid all the same.
        footprints: What an instance of each module takes.
        steps: In order.
        host_functions: The core functions that modules are given.
        slots: Resource types.
        parents: For each component instance, the one that it is nested in; None for the root, which is number 0.
        imports: What a host must offer, in the component's order.
        exports: What the root component exports; its functions and resources outside of instances too.
        types: Types that it imports outside of interfaces: names for what its functions take and give.
    """

    modules: tuple[tuple[int, int], ...]
    footprints: tuple[Footprint, ...]
    steps: tuple[Step, ...]
    host_functions: tuple[HostCoreFunction, ...]
    slots: tuple[ResourceSlot, ...]
    parents: tuple[int | None, ...]
    imports: tuple[ImportedInterface, ...]
    exports: ExportedInstance
    types: Mapping[str, WitType] = field(default_factory=dict)
