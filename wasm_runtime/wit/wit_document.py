"""What a WIT text declares, by name: scopes with types and functions, made into signatures when they are asked for.

Only what is asked for is resolved: a whole file may declare much that no core module's call can use, such as resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from polycall.interop.errors import PreparationError
from polycall.interop.ids import suggestion
from polycall.wasm_runtime.engine.guest_text import listed, look_alike, shown
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import (
    PRIMITIVES,
    EnumType,
    FlagsType,
    HandleType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
    parts_of_name,
)

__all__ = ["MAX_DEPTH", "Definition", "Document", "Expression", "Function", "Scope", "Token", "Use"]

MAX_DEPTH = 32
"""How deep types may nest, through names as well."""

_MAX_FLAGS = 32  # as components have it
_MAX_PARTS = 10_000
"""How many parts the types of what is asked for may have: names repeat what they stand for, and many functions may
have one name."""

Complain = Callable[[str, int, str | None], PreparationError]
"""Takes message, offset and hint; returns the error with line and column."""


class Token(NamedTuple):
    """A word or mark of the text, and where it stands."""

    text: str
    offset: int
    is_word: bool

    @property
    def name(self) -> str:
        """The name that a word is: ``%`` only says that it is no keyword."""
        return self.text.removeprefix("%")


class Expression(NamedTuple):
    """A type as written: its word, and its arguments if it has any; None for ``_``."""

    word: Token
    arguments: tuple[Expression | None, ...] = ()


class Definition(NamedTuple):
    """A named type as declared: ``type``, ``record``, ``variant``, ``enum``, ``flags`` or ``resource``."""

    kind: str
    items: tuple[tuple[str, Expression | None], ...]


class Use(NamedTuple):
    """A type that stands for one of another interface."""

    interface: str
    name: str


class Function(NamedTuple):
    """A function as written."""

    name: Token
    parameters: tuple[tuple[str, Expression], ...]
    results: tuple[Expression, ...]
    is_async: bool


@dataclass(slots=True)
class Scope:
    """An interface, a world, or what stands outside of both (without a name).

    Attributes:
        members: The functions of its resources, by the names that they have in a component: ``[method]cart.add``.
    """

    name: str
    is_interface: bool = False
    types: dict[str, Definition | Use] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    members: dict[str, Function] = field(default_factory=dict)


class Document:
    """A text that was read.

    Attributes:
        scopes: All scopes; the first is what stands outside of interfaces and worlds.
        exported: The names of the interfaces that a world exports.
        has_resources: Whether handles can cross; those of a core module cannot.
    """

    def __init__(self, complain: Complain) -> None:
        self.scopes = [Scope("")]
        self.exported: set[str] = set()
        self.has_resources = False
        self._complain = complain
        self._parts = 0

    def interface(self, name: str) -> dict[str, Signature]:
        """Returns every function of an interface, those of its resources by their names in a component."""
        scope = next(scope for scope in self.scopes if scope.is_interface and scope.name == name)
        functions = scope.functions | scope.members
        return {function: self._signature(written, scope) for function, written in functions.items()}

    def signatures(self) -> dict[str, Signature]:
        """Returns every function: by its name, or ``interface#name``."""
        return {
            f"{scope.name}#{name}" if scope.is_interface else name: self._signature(function, scope)
            for scope in self.scopes
            for name, function in scope.functions.items()
        }

    def signature(self, method: str) -> Signature:
        """Returns the signature of the function that a method names.

        That is a function that stands outside of interfaces, or one of an interface: by its own name, or as the export
        of a core module is called (``interface#name``, ``package:name/interface@1.0.0#name``).

        Raises:
            PreparationError: There is none, there are several, or its types cannot travel.
        """
        return self.typed(method)[0]

    def typed(self, method: str) -> tuple[Signature, dict[str, WitType]]:
        """Returns the signature of the function that a method names, and the types that have a name where it stands.

        Raises:
            PreparationError: As of `signature`.
        """
        outside, _, name = method.rpartition("#")
        interface = outside.rpartition("/")[2].partition("@")[0]
        found = list(self._named(name, interface))
        different = {self._signature(function, scope): scope for scope, function in found}
        if len(different) > 1:
            names = listed(f"{scope.name}#{name}" for scope in different.values())
            raise PreparationError(
                f'the wit declares "{shown(method)}" more than once', hint=f"it declares {names}"
            ).at("wit")
        if not different:
            raise self._undeclared(method)
        signature, scope = next(iter(different.items()))
        return signature, dict(self._named_types(scope))

    def _named_types(self, scope: Scope) -> Iterator[tuple[str, WitType]]:
        for name in {**self.scopes[0].types, **scope.types}:
            with suppress(PreparationError):  # a resource, or of another file: no signature here has it
                yield name, self._defined(Token(name, 0, is_word=True), scope, 0)

    def _undeclared(self, method: str) -> PreparationError:
        functions = [(scope, name) for scope in self.scopes for name in scope.functions]
        full = [f"{scope.name}#{name}" if scope.is_interface else name for scope, name in functions]
        names = [*full, *(name for _, name in functions)]
        hint = look_alike(method, names) or suggestion(method, names) or f"it declares {listed(full) or 'nothing'}"
        return PreparationError(f'the wit does not declare "{shown(method)}"', hint=hint).at("wit")

    def _named(self, name: str, interface: str) -> Iterator[tuple[Scope, Function]]:
        having = [(scope, scope.functions[name]) for scope in self.scopes if name in scope.functions]
        if interface:
            return (each for each in having if each[0].is_interface and each[0].name == interface)
        first = min((self._rank(scope) for scope, _ in having), default=0)
        return (each for each in having if self._rank(each[0]) == first)

    def _rank(self, scope: Scope) -> int:
        # What a core module exports under its plain name comes first, then what a world exports, then any interface.
        return 0 if not scope.is_interface else 1 if scope.name in self.exported else 2

    def _signature(self, function: Function, scope: Scope) -> Signature:
        if function.is_async:
            raise self._complain("an async function cannot be called", function.name.offset, None)
        parameters = tuple((name, self._type(each, scope, 0)) for name, each in function.parameters)
        results = tuple(self._type(each, scope, 0) for each in function.results)
        return Signature(parameters, TupleType(results) if len(results) > 1 else results[0] if results else None)

    def _type(self, written: Expression, scope: Scope, depth: int) -> WitType:
        word = written.word
        if depth > MAX_DEPTH:
            raise self._complain(f"types nest deeper than {MAX_DEPTH}", word.offset, None)
        self._take(1, word)
        if not written.arguments and word.text in PRIMITIVES:
            return Primitive(word.text)
        parts = [None if each is None else self._type(each, scope, depth + 1) for each in written.arguments]
        whole = [part for part in parts if part is not None]
        match word.text:
            case "own" | "borrow" if self.has_resources and len(whole) == 1 and isinstance(whole[0], HandleType):
                return HandleType(word.text, whole[0].resource, whole[0].name)
            case "list":
                return ListType(*whole)
            case "option":
                return OptionType(*whole)
            case "tuple":
                return TupleType(tuple(whole))
            case "result":
                ok, err, *_ = *parts, None, None
                return ResultType(ok, err)
        return self._defined(word, scope, depth)

    def _take(self, parts: int, word: Token) -> None:
        self._parts += parts
        if self._parts > _MAX_PARTS:
            raise self._complain(f"the types have more than {_MAX_PARTS} parts", word.offset, None)

    def _defined(self, word: Token, scope: Scope, depth: int) -> WitType:
        found, scope, name = self._look_up(word.name, scope)
        if found is None:
            raise self._unknown(word, scope)
        if found.kind == "resource" and self.has_resources:
            return HandleType("own", 0, name)
        for name, _ in found.items:
            self._take(parts_of_name(name), word)
        items = [(name, None if part is None else self._type(part, scope, depth + 1)) for name, part in found.items]
        names = tuple(name for name, _ in items)
        match found.kind:
            case "record":
                return RecordType(tuple((name, part) for name, part in items if part is not None))
            case "variant":
                return VariantType(tuple(items))
            case "enum":
                return EnumType(names)
            case "flags" if len(names) <= _MAX_FLAGS:
                return FlagsType(names)
            case "flags":
                raise self._complain(f"more than {_MAX_FLAGS} flags", word.offset, None)
            case "type":
                ((_, part),) = items
                if part is not None:
                    return part
        message = f'"{shown(word.name)}" is a resource, which only components have'
        raise self._complain(message, word.offset, None)

    def _look_up(self, name: str, scope: Scope) -> tuple[Definition | None, Scope, str]:
        """Returns what a name stands for, where that is declared, and by which name."""
        found = scope.types.get(name) or self.scopes[0].types.get(name)
        for _ in self.scopes:  # each use leads to another scope, or around in a circle
            if not isinstance(found, Use):
                return found, scope, name
            use, name = found, found.name
            scope = next((each for each in self.scopes if each.is_interface and each.name == use.interface), scope)
            found = scope.types.get(use.name)
        return None, scope, name

    def _unknown(self, word: Token, scope: Scope) -> PreparationError:
        if word.text in ("own", "borrow"):
            return self._complain(f"{word.text}<...>: only components have resources", word.offset, None)
        known = (*sorted(PRIMITIVES), "list", "tuple", "option", "result", *scope.types)
        if isinstance(scope.types.get(word.name), Use):
            hint: str | None = "it is used from an interface that does not stand in this text: write that here, too"
        else:
            hint = suggestion(word.text, known) or f"what there is: {listed(known, 20)}"
        return self._complain(f'unknown type "{shown(word.text)}"', word.offset, hint)
