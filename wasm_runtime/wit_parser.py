"""The ``wit:`` string of a core module's entry: ``[export] name: func(a: s32, b: string) -> result<u32, string>;``.

Any number of such declarations; only types that can be written inline (specification: system facts 2.6).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from polycall.interop.errors import PreparationError
from polycall.interop.ids import suggestion
from polycall.wasm_runtime.signature import Signature
from polycall.wasm_runtime.wit_types import PRIMITIVES, ListType, OptionType, Primitive, ResultType, TupleType, WitType

__all__ = ["EXAMPLE", "parse_wit"]

EXAMPLE = 'wit: "name: func(a: s32, b: string) -> u32"'
"""How a signature is written, for hints."""

_MAX_DEPTH = 32
_TYPES = (*sorted(PRIMITIVES), "list", "tuple", "option", "result")
_TOKEN = re.compile(
    r"(?P<space>(?:\s+|//[^\n]*|/\*.*?\*/)+)|(?P<word>%?[A-Za-z_][\w.$-]*?(?=->|[^\w.$-]|$))|(?P<mark>->|[():;,<>])",
    re.DOTALL,
)


class _Token(NamedTuple):
    text: str
    offset: int
    is_word: bool


def parse_wit(source: str) -> dict[str, Signature]:
    """Reads the declarations of a ``wit:`` string.

    Returns:
        Function name to signature, in order.

    Raises:
        PreparationError: Not such declarations; the message has line and column within the string.
    """
    return _Parser(source).declarations()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = self._scan()
        self._next = 0

    # --- tokens ---

    def _scan(self) -> list[_Token]:
        tokens: list[_Token] = []
        offset = 0
        while offset < len(self._source):
            match = _TOKEN.match(self._source, offset)
            if match is None:
                raise self._error(f'a character that has no place here: "{self._source[offset]}"', offset)
            if match.lastgroup != "space":
                tokens.append(_Token(match.group(), offset, match.lastgroup == "word"))
            offset = match.end()
        return [*tokens, _Token("", len(self._source), False)]

    def _error(self, message: str, offset: int, hint: str | None = None) -> PreparationError:
        before = self._source[:offset]
        line, column = before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
        return PreparationError(f"wit:{line}:{column}: {message}", hint=hint or f"for example {EXAMPLE}").at("wit")

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _accept(self, text: str) -> bool:
        found = self._peek().text == text
        self._next += found
        return found

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(f'"{text}"')

    def _unexpected(self, wanted: str) -> PreparationError:
        token = self._peek()
        return self._error(f"expected {wanted}, got {_quoted(token.text)}", token.offset)

    def _word(self, wanted: str) -> _Token:
        token = self._peek()
        if not token.is_word:
            raise self._unexpected(wanted)
        self._next += 1
        return token

    # --- grammar ---

    def declarations(self) -> dict[str, Signature]:
        found: dict[str, Signature] = {}
        while self._peek().text:
            token, signature = self._declaration()
            name = token.text.removeprefix("%")
            if name in found:
                raise self._error(f'"{name}" is declared twice', token.offset)
            found[name] = signature
        return found

    def _declaration(self) -> tuple[_Token, Signature]:
        name = self._word("the name of a function")
        if name.text == "export" and self._peek().is_word:
            name = self._word("the name of a function")
        self._expect(":")
        self._expect("func")
        signature = Signature(self._parameters(), self._type() if self._accept("->") else None)
        if not self._accept(";") and self._peek().text:
            raise self._unexpected('";" or the end')
        return name, signature

    def _parameters(self) -> tuple[tuple[str, WitType], ...]:
        self._expect("(")
        parameters: dict[str, WitType] = {}
        while not self._accept(")"):
            name = self._word('a parameter or ")"')
            if name.text in parameters:
                raise self._error(f'the parameter "{name.text}" stands twice', name.offset)
            self._expect(":")
            parameters[name.text] = self._type()
            if self._peek().text != ")" and not self._accept(","):
                raise self._unexpected('"," or ")"')
        return tuple((name.removeprefix("%"), wit_type) for name, wit_type in parameters.items())

    def _type(self, depth: int = 0) -> WitType:
        token = self._word("a type")
        if depth > _MAX_DEPTH:
            raise self._error(f"types nest deeper than {_MAX_DEPTH}", token.offset)
        if token.text in PRIMITIVES:
            return Primitive(token.text)
        match token.text:
            case "list":
                return ListType(*self._type_arguments(depth, 1))
            case "option":
                return OptionType(*self._type_arguments(depth, 1))
            case "tuple":
                return TupleType(self._type_arguments(depth, None))
            case "result":
                return self._result(depth)
        hint = suggestion(token.text, _TYPES) or f"what can be written inline: {', '.join(_TYPES)}"
        raise self._error(f'unknown type "{token.text}"', token.offset, hint)

    def _type_arguments(self, depth: int, count: int | None) -> tuple[WitType, ...]:
        self._expect("<")
        found = [self._type(depth + 1)]
        while len(found) != count and self._accept(","):
            found.append(self._type(depth + 1))
        self._expect(">")
        return tuple(found)

    def _result(self, depth: int) -> ResultType:
        if not self._accept("<"):
            return ResultType(None, None)
        ok = None if self._accept("_") else self._type(depth + 1)
        err = self._type(depth + 1) if self._accept(",") else None
        self._expect(">")
        return ResultType(ok, err)


def _quoted(text: str) -> str:
    return f'"{text}"' if text else "the end"
