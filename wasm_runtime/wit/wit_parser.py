"""The ``wit:`` of a core module's entry: ``[export] name: func(a: s32) -> result<u32, string>;``, or a whole WIT file.

Specification: the Component Model's WIT; system facts 2.6, difference 19. What a call has no use for is read over:
packages, imports, gates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_document import (
    MAX_DEPTH,
    Definition,
    Document,
    Expression,
    Function,
    Scope,
    Token,
    Use,
)
from polycall.wasm_runtime.wit.wit_types import PRIMITIVES, WitType

__all__ = ["EXAMPLE", "find_signature", "find_types", "has_scopes", "interface_signatures", "parse_wit"]

EXAMPLE = 'wit: "name: func(a: s32, b: string) -> u32"'
"""How a signature is written, for hints."""

MAX_CHARACTERS = 256 * 1024
_MAX_BLOCKS = 16
_CONSTRUCTORS = {"list": 1, "option": 1, "tuple": None}
_DEFINITIONS = ("record", "variant", "enum", "flags", "resource")
_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*)|(?P<word>%?[A-Za-z_][\w.$-]*?(?=->|[^\w.$-]|$))|(?P<mark>->|[():;,<>{}/@.=*])"
    r"|(?P<version>\d[\w.+-]*)"
)


def parse_wit(source: str) -> dict[str, Signature]:
    """Reads a WIT text.

    Returns:
        Function name to signature, in order; ``interface#name`` for functions of interfaces.

    Raises:
        PreparationError: It is none; the message has line and column within the text.
    """
    return _Parser(source).declarations().signatures()


def find_signature(source: str, method: str) -> Signature:
    """Returns the signature of the function that an entry's method names; see `Document.signature`."""
    return _Parser(source).declarations().signature(method)


def find_types(source: str, method: str) -> tuple[Signature, dict[str, WitType]]:
    """Returns the signature that `find_signature` does, and the types that have a name where the function stands."""
    return _Parser(source).declarations().typed(method)


def has_scopes(source: str) -> bool:
    """Whether a WIT text has interfaces or worlds: it is a file of its own then, not only signatures."""
    return len(_Parser(source).declarations().scopes) > 1


def interface_signatures(source: str, interface: str) -> dict[str, Signature]:
    """Returns the functions of an interface that a WIT text declares, in order.

    Those of resources have the names that they have in a component: ``[constructor]cart``, ``[method]cart.add``,
    ``[static]cart.merge``. Handles bear the resource's name; which resource type that is, only a component knows.
    """
    document = _Parser(source).declarations()
    document.has_resources = True
    return document.interface(interface)


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = list(self._scan())
        self._next = 0
        self._blocks = 0
        self._document = Document(self._error)

    # --- tokens ---

    def _scan(self) -> Iterator[Token]:
        if len(self._source) > MAX_CHARACTERS:
            raise self._error(f"more than {MAX_CHARACTERS} characters", MAX_CHARACTERS)
        offset = 0
        while offset < len(self._source):
            if self._source.startswith("/*", offset):
                offset = self._after_comment(offset)
                continue
            match = _TOKEN.match(self._source, offset)
            if match is None:
                raise self._error(f'a character that has no place here: "{shown(self._source[offset])}"', offset)
            if match.lastgroup != "space":
                yield Token(match.group(), offset, match.lastgroup == "word")
            offset = match.end()
        yield Token("", len(self._source), False)

    def _after_comment(self, offset: int) -> int:
        """Returns where a comment ends; comments nest."""
        depth = 0
        for mark in _COMMENT_MARK.finditer(self._source, offset):
            depth += 1 if mark.group() == "/*" else -1
            if not depth:
                return mark.end()
        raise self._error("a comment without its end", offset)

    def _error(self, message: str, offset: int, hint: str | None = None) -> PreparationError:
        before = self._source[:offset]
        line, column = before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
        return PreparationError(f"wit:{line}:{column}: {message}", hint=hint or f"for example {EXAMPLE}").at("wit")

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._peek()
        self._next += bool(token.text)
        return token

    def _accept(self, text: str) -> bool:
        found = self._peek().text == text
        self._next += found
        return found

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(f'"{text}"')

    def _unexpected(self, wanted: str) -> PreparationError:
        token = self._peek()
        got = f'"{shown(token.text)}"' if token.text else "the end"
        return self._error(f"expected {wanted}, got {got}", token.offset)

    def _word(self, wanted: str) -> Token:
        if not self._peek().is_word:
            raise self._unexpected(wanted)
        return self._take()

    # --- blocks ---

    def declarations(self) -> Document:
        """Reads the whole text."""
        outside = self._document.scopes[0]
        while self._peek().text:
            self._item(outside)
        return self._document

    def _item(self, scope: Scope) -> None:
        """Reads one declaration, whichever it is; a keyword is a name where a colon follows."""
        while self._accept("@"):
            self._gate()
        token, following = self._peek(), self._peek(1)
        if following.text != ":" and token.text in ("package", "interface", "world"):
            self._block(token.text)
        elif following.text != ":" and token.text in ("type", *_DEFINITIONS):
            self._definition(scope)
        elif following.text != ":" and token.text == "use":
            self._use(scope)
        elif following.text != ":" and token.text in ("import", "include"):
            self._import()
        elif token.text == "export" and following.is_word and scope.name:
            self._export(scope)
        else:
            self._declaration(scope)

    def _gate(self) -> None:
        self._word("the name of a gate")
        if self._accept("("):
            while not self._accept(")"):
                if not self._take().text:
                    raise self._unexpected('")"')

    def _block(self, kind: str) -> None:
        self._take()
        name = self._name_with_package()
        if kind == "package" and self._accept(";"):
            return
        scope = Scope(name, is_interface=kind == "interface")
        if kind != "package":
            self._document.scopes.append(scope)
        self._body(scope if kind != "package" else self._document.scopes[0])

    def _body(self, scope: Scope) -> None:
        self._blocks += 1
        if self._blocks > _MAX_BLOCKS:
            raise self._error(f"blocks nest deeper than {_MAX_BLOCKS}", self._peek().offset)
        self._expect("{")
        while not self._accept("}"):
            if not self._peek().text:
                raise self._unexpected('"}"')
            self._item(scope)
        self._blocks -= 1

    def _name_with_package(self) -> str:
        """Reads ``name``, ``package:name`` or ``package:name/interface@1.0.0``; returns the last name."""
        name = self._word("a name").name
        while self._peek().text in (":", "/", "@"):
            is_version = self._take().text == "@"
            part = self._take()
            if not part.text:
                raise self._unexpected("a name")
            name = name if is_version else part.name
        return name

    def _statement(self) -> None:
        """Reads over everything up to the next semicolon."""
        while self._take().text != ";":
            if not self._peek().text:
                raise self._unexpected('";"')

    def _import(self) -> None:
        self._take()
        if self._peek(1).text == ":" and self._peek(2).text in ("func", "async"):
            self._declaration(Scope("imported"))  # read like any other, and dropped: nobody calls it
        elif self._peek(1).text == ":" and self._peek(2).text == "interface":
            self._inline_interface(Scope("imported"))
        else:
            self._statement()

    def _export(self, scope: Scope) -> None:
        self._take()
        if self._peek(1).text == ":" and self._peek(2).text in ("func", "async"):
            self._declaration(scope)
        elif self._peek(1).text == ":" and self._peek(2).text == "interface":
            inner = Scope(self._peek().name, is_interface=True)
            self._document.scopes.append(inner)
            self._document.exported.add(inner.name)
            self._inline_interface(inner)
        else:
            self._document.exported.add(self._name_with_package())
            self._expect(";")

    def _inline_interface(self, scope: Scope) -> None:
        self._take(), self._take(), self._take()  # name : interface
        self._body(scope)

    # --- types with names ---

    def _use(self, scope: Scope) -> None:
        """Reads ``use interface.{a, b as c};``; a use at the top only names an interface."""
        start = self._take()
        path: list[str] = []
        while self._peek().text not in ("{", ";"):
            token = self._take()
            if not token.text:
                raise self._error("a use without its end", start.offset)
            path.append(token.name)
        if self._accept(";"):
            return
        names = [part.strip(".") for part in path if part.strip(".")]
        version = names.index("@") if "@" in names else len(names)
        interface = names[version - 1] if version else ""
        self._take()
        while not self._accept("}"):
            name = self._word("a type's name").name
            own = self._word("a name").name if self._accept("as") else name
            scope.types[own] = Use(interface, name)
            self._comma("}")
        self._expect(";")

    def _definition(self, scope: Scope) -> None:
        kind, name = self._take().text, self._word("a type's name")
        if name.name in scope.types:
            raise self._error(f'"{shown(name.name)}" is declared twice', name.offset)
        if kind == "type":
            self._expect("=")
            scope.types[name.name] = Definition(kind, (("", self._type()),))
            self._expect(";")
        elif kind == "resource":
            scope.types[name.name] = Definition(kind, ())
            self._resource(name, scope)
        else:
            scope.types[name.name] = Definition(kind, tuple(self._members(kind)))

    def _members(self, kind: str) -> Iterator[tuple[str, Expression | None]]:
        self._expect("{")
        seen: set[str] = set()
        while not self._accept("}"):
            name = self._word(f"a name in the {kind}")
            if name.name in seen:
                raise self._error(f'"{shown(name.name)}" stands twice', name.offset)
            seen.add(name.name)
            yield name.name, self._member_type(kind)
            self._comma("}")
        if not seen:
            raise self._error(f"the {kind} is empty", self._peek().offset)

    def _member_type(self, kind: str) -> Expression | None:
        if kind == "record":
            self._expect(":")
            return self._type()
        if kind == "variant" and self._accept("("):
            payload = self._type()
            self._expect(")")
            return payload
        return None

    def _resource(self, resource: Token, scope: Scope) -> None:
        if self._accept(";"):
            return
        self._expect("{")
        while not self._accept("}"):
            while self._accept("@"):
                self._gate()
            name, function = self._member(resource, scope)
            if name in scope.members:
                raise self._error(f'"{shown(function.name.name)}" is declared twice', function.name.offset)
            scope.members[name] = function

    def _member(self, resource: Token, scope: Scope) -> tuple[str, Function]:
        """Reads a function of a resource; a method's first parameter is the resource."""
        own, name = Expression(resource), self._word('a function of the resource or "}"')
        if name.text == "constructor" and self._peek().text == "(":
            parameters, results = tuple(self._parameters(scope)), self._results() or (own,)
            self._expect(";")
            return f"[constructor]{resource.name}", Function(name, parameters, results, is_async=False)
        self._expect(":")
        is_static = self._accept("static")
        is_async = self._accept("async")
        self._expect("func")
        this = () if is_static else (("self", Expression(Token("borrow", name.offset, is_word=True), (own,))),)
        function = Function(name, (*this, *self._parameters(scope)), self._results(), is_async)
        self._expect(";")
        return f"[{'static' if is_static else 'method'}]{resource.name}.{name.name}", function

    def _comma(self, end: str) -> None:
        if self._peek().text != end and not self._accept(","):
            raise self._unexpected(f'"," or "{end}"')

    # --- functions ---

    def _declaration(self, scope: Scope) -> None:
        name = self._word("the name of a function")
        if name.text == "export" and self._peek().is_word:
            name = self._word("the name of a function")
        self._expect(":")
        is_async = self._accept("async")
        self._expect("func")
        function = Function(name, tuple(self._parameters(scope)), self._results(), is_async)
        if not self._accept(";") and self._peek().text:
            raise self._unexpected('";" or the end' if not scope.name else '";"')
        if name.name in scope.functions:
            raise self._error(f'"{shown(name.name)}" is declared twice', name.offset)
        scope.functions[name.name] = function

    def _parameters(self, scope: Scope) -> Iterator[tuple[str, Expression]]:
        self._expect("(")
        seen: set[str] = set()
        while not self._accept(")"):
            name = self._peek()
            if self._peek(1).text != ":" and self._is_type(name, scope):
                yield f"p{len(seen)}", self._type()
                seen.add(f" {len(seen)}")  # no name that could stand there
            else:
                yield self._named(seen)
            self._comma(")")

    def _named(self, seen: set[str]) -> tuple[str, Expression]:
        name = self._word('a parameter or ")"')
        if name.name in seen:
            raise self._error(f'the parameter "{shown(name.text)}" stands twice', name.offset)
        seen.add(name.name)
        self._expect(":")
        return name.name, self._type()

    def _is_type(self, word: Token, scope: Scope) -> bool:
        known: Callable[[str], bool] = lambda name: name in scope.types or name in self._document.scopes[0].types  # noqa: E731
        return word.text in PRIMITIVES or word.text in _CONSTRUCTORS or word.text == "result" or known(word.name)

    def _results(self) -> tuple[Expression, ...]:
        if not self._accept("->"):
            return ()
        if not self._accept("("):
            return (self._type(),)
        seen: set[str] = set()  # older texts name their results
        found: list[Expression] = []
        while not self._accept(")"):
            found.append(self._named(seen)[1])
            self._comma(")")
        return tuple(found)

    def _type(self, depth: int = 0) -> Expression:
        word = self._word("a type")
        if depth > MAX_DEPTH:
            raise self._error(f"types nest deeper than {MAX_DEPTH}", word.offset)
        if word.text in _CONSTRUCTORS:
            return Expression(word, self._type_arguments(depth, _CONSTRUCTORS[word.text]))
        if word.text == "result" and self._accept("<"):
            ok = None if self._accept("_") else self._type(depth + 1)
            err = self._type(depth + 1) if self._accept(",") else None
            self._expect(">")
            return Expression(word, (ok, err))
        if self._peek().text == "<":  # own<...> and the like
            return Expression(word, self._type_arguments(depth, None))
        return Expression(word)

    def _type_arguments(self, depth: int, count: int | None) -> tuple[Expression, ...]:
        self._expect("<")
        found = [self._type(depth + 1)]
        while len(found) != count and self._accept(","):
            found.append(self._type(depth + 1))
        self._expect(">")
        return tuple(found)


_COMMENT_MARK = re.compile(r"/\*|\*/")
