"""What a component is made of, as its binary says it; indices are not resolved yet.

The names are those of the Component Model's explainer. A component is a list of definitions, in order; each adds to the
index spaces of its sort. A value type is the name of a primitive type (``"u32"``) or the index of a type.
"""

from __future__ import annotations

from typing import TypeAlias

from polycall.interop.records import record

__all__ = [
    "AliasCoreExport",
    "AliasExport",
    "AliasOuter",
    "AsyncBuiltin",
    "Borrow",
    "Canon",
    "CanonOptions",
    "Case",
    "Component",
    "ComponentType",
    "CoreInlineExports",
    "CoreInstantiate",
    "CoreModule",
    "CoreType",
    "Definition",
    "Enum",
    "Export",
    "ExternType",
    "FixedList",
    "Flags",
    "FuncType",
    "Future",
    "Import",
    "InlineExports",
    "InstanceType",
    "Instantiate",
    "Item",
    "Lift",
    "List",
    "Lower",
    "Map",
    "Option",
    "Own",
    "Primitive",
    "Record",
    "ResourceBuiltin",
    "ResourceType",
    "Result",
    "Stream",
    "Tuple",
    "Type",
    "TypeDeclaration",
    "ValueType",
    "Variant",
    "weight",
]

ValueType: TypeAlias = str | int
"""The name of a primitive type, or the index of a type."""


@record
class Item:
    """A thing of an index space, by the sort of the space: ``func``, ``core memory``, ..."""

    sort: str
    index: int


# Core WebAssembly ---------------------------------------------------------------------------------------------------


@record
class CoreModule:
    """A core module: where its bytes are in the binary, the end exclusive."""

    start: int
    end: int


@record
class CoreType:
    """A type of core WebAssembly, by its bytes: the engine reads it."""

    start: int
    end: int


@record
class CoreInstantiate:
    """An instance of a core module; each argument is a core instance that serves the imports of one name."""

    module: int
    arguments: tuple[tuple[str, int], ...]


@record
class CoreInlineExports:
    """A core instance made of things that are there already."""

    exports: tuple[tuple[str, Item], ...]


# Types --------------------------------------------------------------------------------------------------------------


@record
class Primitive:
    """A primitive type that a type definition gives an index."""

    name: str


@record
class Record:
    """Named fields."""

    fields: tuple[tuple[str, ValueType], ...]


@record
class Case:
    """A case of a variant."""

    label: str
    payload: ValueType | None


@record
class Variant:
    """One of several cases."""

    cases: tuple[Case, ...]


@record
class List:
    """Any number of elements."""

    element: ValueType


@record
class FixedList:
    """So many elements."""

    element: ValueType
    length: int


@record
class Tuple:
    """Fields by position."""

    elements: tuple[ValueType, ...]


@record
class Flags:
    """A set of labels."""

    labels: tuple[str, ...]


@record
class Enum:
    """One of several labels."""

    labels: tuple[str, ...]


@record
class Option:
    """A value or none."""

    payload: ValueType


@record
class Result:
    """``ok`` or ``err``, each with or without a value."""

    ok: ValueType | None
    err: ValueType | None


@record
class Own:
    """A handle that owns a resource; the index is that of the resource type."""

    resource: int


@record
class Borrow:
    """A handle that is lent for a call."""

    resource: int


@record
class Stream:
    """A stream of WASI 0.3."""

    element: ValueType | None


@record
class Future:
    """A future of WASI 0.3."""

    element: ValueType | None


@record
class Map:
    """Keys with values."""

    key: ValueType
    value: ValueType


@record
class FuncType:
    """What a function takes and gives."""

    parameters: tuple[tuple[str, ValueType], ...]
    result: ValueType | None
    is_async: bool


@record
class ResourceType:
    """A resource type that the component itself makes; its destructor is a core function, or None."""

    destructor: int | None


@record
class ExternType:
    """What an import must be, or an export is.

    Attributes:
        sort: ``func``, ``type``, ``instance``, ``component`` or ``core module``.
        index: Of the type; None for a type that is a fresh resource.
    """

    sort: str
    index: int | None


@record
class Import:
    """Something that comes from outside. Name attributes are dropped: validation and linking ignore them."""

    name: str
    type: ExternType


@record
class Export:
    """Something that the outside gets; inside a type, `item` is None."""

    name: str
    item: Item | None
    type: ExternType | None


@record
class ComponentType:
    """What a component takes and gives, by declarations that build index spaces of their own."""

    declarations: tuple[TypeDeclaration, ...]


@record
class InstanceType:
    """What an instance gives, by declarations that build index spaces of their own."""

    declarations: tuple[TypeDeclaration, ...]


# Aliases ------------------------------------------------------------------------------------------------------------


@record
class AliasExport:
    """An export of an instance."""

    sort: str
    instance: int
    name: str


@record
class AliasCoreExport:
    """An export of a core instance."""

    sort: str
    instance: int
    name: str


@record
class AliasOuter:
    """A thing of an enclosing component or type, so many levels out."""

    sort: str
    levels: int
    index: int


# Components and instances -------------------------------------------------------------------------------------------


@record
class Instantiate:
    """An instance of a component."""

    component: int
    arguments: tuple[tuple[str, Item], ...]


@record
class InlineExports:
    """An instance made of things that are there already."""

    exports: tuple[tuple[str, Item], ...]


@record
class Component:
    """A component, at the top or nested in another; `start` and `end` say where its bytes are."""

    definitions: tuple[Definition, ...]
    start: int
    end: int


# Canonical definitions ----------------------------------------------------------------------------------------------


@record
class CanonOptions:
    """How values cross: indices of core memory and functions, None where nothing is said."""

    encoding: str = "utf8"
    memory: int | None = None
    realloc: int | None = None
    post_return: int | None = None
    callback: int | None = None
    is_async: bool = False


@record
class Lift:
    """A core function made a component function."""

    core_function: int
    options: CanonOptions
    type: int


@record
class Lower:
    """A component function made a core function."""

    function: int
    options: CanonOptions


@record
class ResourceBuiltin:
    """``resource.new``, ``resource.drop`` or ``resource.rep`` as a core function."""

    name: str
    resource: int


@record
class AsyncBuiltin:
    """A built-in of WASI 0.3 as a core function; toolchains define them also for guests that never call them.

    `result` is the type that ``task.return`` takes.
    """

    name: str
    immediates: tuple[int, ...] = ()
    result: ValueType | None = None


Canon: TypeAlias = Lift | Lower | ResourceBuiltin | AsyncBuiltin
Type: TypeAlias = (
    Primitive
    | Record
    | Variant
    | List
    | FixedList
    | Tuple
    | Flags
    | Enum
    | Option
    | Result
    | Own
    | Borrow
    | Stream
    | Future
    | Map
    | FuncType
    | ComponentType
    | InstanceType
    | ResourceType
)
Alias: TypeAlias = AliasExport | AliasCoreExport | AliasOuter
TypeDeclaration: TypeAlias = CoreType | Type | Alias | Import | Export
Definition: TypeAlias = (
    CoreModule
    | CoreInstantiate
    | CoreInlineExports
    | CoreType
    | Component
    | Instantiate
    | InlineExports
    | Alias
    | Type
    | Canon
    | Import
    | Export
)


def weight(definition: Definition | TypeDeclaration) -> int:
    """Returns how many things a definition has in it, itself included: what it costs to go through it."""
    match definition:
        case Record(fields=found) | FuncType(parameters=found):
            return 1 + len(found)
        case Variant(cases=cases):
            return 1 + len(cases)
        case Flags(labels=labels) | Enum(labels=labels):
            return 1 + len(labels)
        case Tuple(elements=elements):
            return 1 + len(elements)
        case InlineExports(exports=items) | CoreInlineExports(exports=items):
            return 1 + len(items)
        case Instantiate(arguments=given) | CoreInstantiate(arguments=given):
            return 1 + len(given)
    return 1
