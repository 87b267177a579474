"""Worlds and interfaces as WIT text, such as every tool of the Component Model reads it.

Specification: the Component Model's WIT. In a binary types have a name only where they are exported, and otherwise are
what they consist of: a record is written by the name that its interface, or an earlier one, has for just that record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.names import parse_function
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import (
    EnumType,
    FixedListType,
    FlagsType,
    HandleType,
    ListType,
    MapType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)
from polycall.wasm_runtime.worlds.world import Interface, World, package_of

__all__ = ["package_texts", "world_text"]

_KEYWORDS = frozenset((
    "as", "async", "bool", "borrow", "char", "constructor", "enum", "export", "f32", "f64", "flags", "from",
    "func", "future", "import", "include", "interface", "list", "map", "option", "own", "package", "record",
    "resource", "result", "s16", "s32", "s64", "s8", "static", "stream", "string", "tuple", "type", "u16", "u32",
    "u64", "u8", "use", "variant", "with", "world",
))  # fmt: skip
_NAMED = (RecordType, VariantType, EnumType, FlagsType)
_MOST_CHARACTERS = 4 * 1024 * 1024
_MOST_NAMES = 20_000
_CANNOT = "has types that only WASI 0.3 has"


def world_text(world: World) -> str:
    """Returns the WIT of a world, without the packages of the interfaces that it names."""
    return _Writer(world).world()


def package_texts(world: World) -> dict[str, str]:
    """Returns the body of each package that a world imports or exports interfaces of: its interfaces, as WIT."""
    return _Writer(world).packages()


class _Writer:
    """Writes one world; an interface that is both imported and exported is written once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._interfaces: dict[str, Interface] = {}
        for interface in (*world.imports, *world.exports):
            self._interfaces.setdefault(interface.name, interface)
        self._characters = 0
        everything = (*world.imports, *world.exports, world.own_imports, world.own_exports)
        if sum(len(each.types) + len(each.functions) for each in everything) > _MOST_NAMES:
            raise PreparationError(f"it has more than {_MOST_NAMES:,} types and functions to write down")

    def world(self) -> str:
        world = self._world
        types = {**world.own_imports.types, **world.own_exports.types}
        own = Interface("", {}, types, world.own_imports.resources)
        scope = _Scope(own, self._interfaces.values(), self._bounded)
        functions = (
            *self._functions(world.own_imports, scope, "import "),
            *self._functions(world.own_exports, scope, "export "),
        )
        lines = [*(f"// {note}" for note in world.notes)]
        for word, interfaces in (("import", world.imports), ("export", world.exports)):
            lines += [line for each in interfaces for line in self._named(word, each)]
        resources = [line for name in own.resources for line in self._resource(name, world.own_imports, scope)]
        lines += [*scope.definitions(), *resources, *functions]
        head = [f"package {world.package};", "", f"world {_name(world.name)} {{"]
        return "\n".join([*head, *_indented(lines), "}"]) + "\n"

    def packages(self) -> dict[str, str]:
        found: dict[str, list[str]] = {}
        for interface in self._interfaces.values():
            place = package_of(interface.name)
            if place is not None:
                found.setdefault(place.package, []).append(
                    "\n".join([f"interface {_name(place.interface)} {{", *_indented(self._body(interface)), "}"]) + "\n"
                )
        return {package: "\n".join(texts) for package, texts in found.items()}

    def _named(self, word: str, interface: Interface) -> list[str]:
        if package_of(interface.name) is not None:
            return [f"{word} {interface.name};"]
        return [f"{word} {_name(interface.name)}: interface {{", *_indented(self._body(interface)), "}"]

    def _body(self, interface: Interface) -> list[str]:
        earlier: list[Interface] = []
        for each in self._interfaces.values():
            if each is interface:
                break
            earlier.append(each)
        scope = _Scope(interface, earlier, self._bounded)
        functions = list(self._functions(interface, scope, ""))
        resources = [line for name in interface.resources for line in self._resource(name, interface, scope)]
        return [*scope.definitions(), *resources, *functions]

    def _functions(self, interface: Interface, scope: _Scope, word: str) -> Iterator[str]:
        for name, signature in interface.functions.items():
            found = parse_function(name)
            if found is None or found.kind != "function":
                continue
            yield self._function(word, found.label, signature, scope)

    def _function(self, word: str, label: str, signature: Signature | None, scope: _Scope, skip: int = 0) -> str:
        if signature is None:
            return f"// {word}{label}: {_CANNOT}"
        return self._bounded(f"{word}{_name(label)}: {_func(signature, scope, skip)};")

    def _resource(self, name: str, interface: Interface, scope: _Scope) -> list[str]:
        if scope.is_used(interface.resources[name]):
            return []
        members: list[str] = []
        for full, signature in interface.functions.items():
            found = parse_function(full)
            if found is None or found.resource != name:
                continue
            if found.kind == "constructor":
                members.append("// constructor: " + _CANNOT if signature is None else
                               f"constructor{_parameters(signature, scope, 0)};")  # fmt: skip
            elif found.kind == "method":
                members.append(self._function("", found.label, signature, scope, 1))
            else:
                line = self._function("", found.label, signature, scope)
                members.append(line if signature is None else line.replace(": func(", ": static func(", 1))
        if not members:
            return [f"resource {_name(name)};"]
        return [f"resource {_name(name)} {{", *_indented(members), "}"]

    def _bounded(self, text: str) -> str:
        """Counts what is written, piece by piece: names repeat what they stand for."""
        self._characters += len(text)
        if self._characters > _MOST_CHARACTERS:
            raise PreparationError(f"its types take more than {_MOST_CHARACTERS:,} characters to write down")
        return text


class _Scope:
    """What names stand for in one interface, and what is used from earlier ones."""

    def __init__(self, interface: Interface, earlier: Iterable[Interface], bounded: Callable[[str], str]) -> None:
        self._interface = interface
        self._bounded = bounded
        self._package = package_of(interface.name)
        self._names: dict[WitType, str] = {}
        self._resources: dict[int, str] = {}
        self._uses: dict[str, dict[str, str]] = {}
        self._invented: dict[str, WitType] = {}
        self._earlier_types: dict[WitType, tuple[str, str]] = {}
        self._earlier_resources: dict[int, tuple[str, str]] = {}
        for each in earlier:
            if package_of(each.name) is not None:
                for name, wit_type in each.types.items():
                    if isinstance(wit_type, _NAMED):
                        self._earlier_types.setdefault(wit_type, (each.name, name))
                for name, slot in each.resources.items():
                    self._earlier_resources.setdefault(slot, (each.name, name))
        for name, slot in interface.resources.items():
            self._take(slot, name)
        for name, wit_type in interface.types.items():
            if isinstance(wit_type, _NAMED) and wit_type not in self._names:
                self._names[wit_type] = name
                there = self._earlier_types.get(wit_type)
                if there is not None and there[1] == name:
                    self._use(*there, name)

    def is_used(self, slot: int) -> bool:
        """Whether a resource is that of an earlier interface."""
        return slot in self._earlier_resources

    def definitions(self) -> list[str]:
        """Returns what the interface says before its functions; call it when those are written."""
        lines: list[str] = []
        own = {name: wit_type for name, wit_type in self._interface.types.items() if not self._is_from_elsewhere(name)}
        for name, wit_type in own.items():
            lines += self._definition(name, wit_type)
        written: set[str] = set()
        while waiting := [name for name in self._invented if name not in written]:
            for name in waiting:
                written.add(name)
                lines += self._definition(name, self._invented[name])
        return [*self._use_lines(), *lines]

    def spell(self, wit_type: WitType) -> str:
        """Returns a type as it is written here."""
        match wit_type:
            case RecordType() | VariantType() | EnumType() | FlagsType():
                return _name(self._name_of(wit_type))
            case HandleType(mode=mode, resource=slot, name=name):
                resource = _name(self._take(slot, name))
                return resource if mode == "own" else f"borrow<{resource}>"
            case ListType(element=element):
                return f"list<{self.spell(element)}>"
            case FixedListType(element=element, length=length):
                return f"list<{self.spell(element)}, {length}>"
            case MapType(key=key, value=value):
                return f"map<{self.spell(key)}, {self.spell(value)}>"
            case TupleType(elements=elements):
                return f"tuple<{', '.join(map(self.spell, elements))}>"
            case OptionType(payload=payload):
                return f"option<{self.spell(payload)}>"
            case ResultType(ok=ok, err=err):
                if err is None:
                    return "result" if ok is None else f"result<{self.spell(ok)}>"
                return f"result<{'_' if ok is None else self.spell(ok)}, {self.spell(err)}>"
        return str(wit_type)

    def _definition(self, name: str, wit_type: WitType) -> list[str]:
        if isinstance(wit_type, _NAMED) and self._names.get(wit_type) == name:
            return [self._bounded(line) for line in self._declared(_name(name), wit_type)]
        return [self._bounded(f"type {_name(name)} = {self.spell(wit_type)};")]

    def _declared(self, name: str, wit_type: WitType) -> Iterator[str]:
        match wit_type:
            case RecordType(fields=fields):
                items, word = [f"{_name(label)}: {self.spell(each)}" for label, each in fields], "record"
            case VariantType(cases=cases):
                items, word = [_name(label) + ("" if each is None else f"({self.spell(each)})")
                               for label, each in cases], "variant"  # fmt: skip
            case EnumType(names=labels):
                items, word = [_name(label) for label in labels], "enum"
            case FlagsType(names=labels):
                items, word = [_name(label) for label in labels], "flags"
            case _:
                return
        yield f"{word} {name} {{"
        yield from (f"  {item}," for item in items)
        yield "}"

    def _name_of(self, wit_type: WitType) -> str:
        known = self._names.get(wit_type)
        if known is not None:
            return known
        there = self._earlier_types.get(wit_type)
        if there is not None:
            known = self._use(*there, self._free(there[1]))
        else:
            known = self._free(type(wit_type).__name__.removesuffix("Type").lower() + "-type")
            self._invented[known] = wit_type
        self._names[wit_type] = known
        return known

    def _take(self, slot: int, name: str) -> str:
        if slot not in self._resources:
            there = self._earlier_resources.get(slot)
            called = name if name in self._interface.resources else self._free(name)
            self._resources[slot] = called if there is None else self._use(*there, called)
        return self._resources[slot]

    def _use(self, interface: str, name: str, called: str) -> str:
        self._uses.setdefault(interface, {})[name] = called
        return called

    def _free(self, name: str) -> str:
        taken = {*self._interface.types, *self._interface.resources, *self._names.values(), *self._resources.values()}
        count = 1
        free = name
        while free in taken:
            count += 1
            free = f"{name}{count}"
        return free

    def _is_from_elsewhere(self, name: str) -> bool:
        return any(name in names.values() for names in self._uses.values())

    def _use_lines(self) -> list[str]:
        lines = []
        for interface, names in self._uses.items():
            place = package_of(interface)
            same = place is not None and self._package is not None and place.package == self._package.package
            where = place.interface if same and place is not None else interface
            items = [_name(name) + ("" if name == called else f" as {_name(called)}") for name, called in names.items()]
            lines.append(f"use {where}.{{{', '.join(items)}}};")
        return lines


def _func(signature: Signature, scope: _Scope, skip: int) -> str:
    result = "" if signature.result is None else f" -> {scope.spell(signature.result)}"
    return f"func{_parameters(signature, scope, skip)}{result}"


def _parameters(signature: Signature, scope: _Scope, skip: int) -> str:
    return f"({', '.join(f'{_name(name)}: {scope.spell(each)}' for name, each in signature.params[skip:])})"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _name(name: str) -> str:
    return f"%{name}" if name in _KEYWORDS else name
