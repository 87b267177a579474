"""Definitions for lua-language-server: the modules that `require` gives, and the targets of ``funcs.call``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files

from polycall.registry.stubs.type_names import TypeNames, pascal
from polycall.registry.stubs.typed_entries import TypedEntry, by_namespace
from polycall.wasm_runtime.wit.wit_types import (
    EnumType,
    FixedListType,
    FlagsType,
    HandleType,
    ListType,
    MapType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)

__all__ = ["lua_definitions"]

_SIMPLE = {"bool": "boolean", "f32": "number", "f64": "number", "char": "string", "string": "string"}
_FUNCS = "funcs.lua"
_TARGETS = "-- targets of {}\n"
_CALLS = {"call": False, "try": True}
"""The functions that take a target, and whether an err of WebAssembly is unwrapped."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_KEYWORDS = frozenset((
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while",
))  # fmt: skip


def lua_definitions(entries: list[TypedEntry]) -> dict[str, str]:
    """Returns the files of definitions: name to text."""
    home = files("polycall.registry") / "stubs" / "lua"
    found = {member.name: member.read_text(encoding="utf-8") for member in home.iterdir()}
    text = found[_FUNCS]
    classes: list[str] = []
    for namespace, members in by_namespace(entries):
        writer = _Namespace(namespace)
        for function, unwrapped in _CALLS.items():
            overloads = "".join(writer.overload(member, unwrapped=unwrapped) for member in members)
            text = text.replace(_TARGETS.format(function), overloads + _TARGETS.format(function))
        classes += writer.definitions
    for function in _CALLS:
        text = text.replace(_TARGETS.format(function), "")
    found[_FUNCS] = text.replace("---Calls", "".join(f"{each}\n" for each in classes) + "---Calls", 1)
    return dict(sorted(found.items()))


class _Namespace:
    """Writes the functions of one namespace; its types are called by it: ``shop.Quote``."""

    def __init__(self, namespace: str) -> None:
        self.definitions: list[str] = []
        self._namespace = namespace
        self._names = TypeNames()

    def overload(self, member: TypedEntry, *, unwrapped: bool) -> str:
        """Returns the line for a target; `unwrapped` if the err of any result comes as the second value."""
        target = f"id: {json.dumps(str(member.entry.id))}"
        if member.types is None:
            return f"---@overload fun({target}, ...: any): any, polycall.Error?\n"
        declared, signature = member.types.names, member.types.signature
        parameters = [target]
        for label, each in signature.params:
            mark, inner = _optional(each)
            spelt = self._spell(inner, declared, f"{member.entry.id.name}-{label}")
            parameters.append(f"{_identifier(label)}{mark}: {spelt}")
        result = self._result(signature.result, member, declared, unwrapped or member.is_lua)
        return f"---@overload fun({', '.join(parameters)}): {result}, polycall.Error?\n"

    def _result(
        self, wit_type: WitType | None, member: TypedEntry, declared: Mapping[str, WitType], unwrapped: bool
    ) -> str:
        if isinstance(wit_type, ResultType) and unwrapped:
            wit_type = wit_type.ok
        if wit_type is None:
            return "nil"
        return _or_nil(self._spell(wit_type, declared, f"{member.entry.id.name}-result"))

    def _spell(self, wit_type: WitType, declared: Mapping[str, WitType], hint: str) -> str:
        def spell(inner: WitType) -> str:
            return self._spell(inner, declared, hint)

        match wit_type:
            case Primitive(name=name):
                return _SIMPLE.get(name, "integer")
            case ListType() if wit_type.is_bytes:
                return "string"
            case ListType(element=element) | FixedListType(element=element):
                return f"{_group(spell(element))}[]"
            case TupleType(elements=elements):
                return f"[{', '.join(map(spell, elements))}]"
            case MapType(key=key, value=value):
                return f"[{spell(key)}, {spell(value)}][]"
            case OptionType(payload=payload):
                return _or_nil(spell(payload))
            case ResultType(ok=ok, err=err):
                arms = ["true" if each is None else spell(each) for each in (ok, err)]
                return f"{{ok: {arms[0]}}}|{{err: {arms[1]}}}"
            case FlagsType(names=names):
                return f"({'|'.join(map(json.dumps, names))})[]"
            case HandleType():
                return "table"
            case RecordType() | VariantType() | EnumType():
                return self._known(wit_type) or self._define(wit_type, declared, hint)
        return "any"

    def _known(self, wit_type: WitType) -> str | None:
        known = self._names.known(wit_type)
        return None if known is None else f"{self._namespace}.{known}"

    def _define(self, wit_type: RecordType | VariantType | EnumType, declared: Mapping[str, WitType], hint: str) -> str:
        lines: list[str] = []
        match wit_type:
            case RecordType(fields=fields):
                for label, each in fields:
                    mark, inner = _optional(each)
                    lines.append(f"---@field {_key(label)}{mark} {self._spell(inner, declared, hint)}\n")
            case VariantType(cases=cases):
                for label, payload in cases:
                    spelt = "true" if payload is None else self._spell(payload, declared, hint)
                    lines.append(f"---| {{{_key(label)}: {spelt}}}\n")
            case EnumType(names=names):
                lines = [f"---| {json.dumps(label)}\n" for label in names]
        self._names.give(wit_type, declared, pascal(hint))
        name = str(self._known(wit_type))
        word = "class" if isinstance(wit_type, RecordType) else "alias"
        self.definitions.append(f"---@{word} {name}\n{''.join(lines)}")
        return name


def _optional(wit_type: WitType) -> tuple[str, WitType]:
    """Returns the mark of what may be left out, and what it is where it is there."""
    return ("?", wit_type.payload) if isinstance(wit_type, OptionType) else ("", wit_type)


def _key(label: str) -> str:
    return label if _WORD.fullmatch(label) else f"[{json.dumps(label)}]"


def _identifier(label: str) -> str:
    name = re.sub(r"\W", "_", label)
    return f"{name}_" if name in _KEYWORDS or name == "id" else name


def _group(spelt: str) -> str:
    return f"({spelt})" if "|" in spelt or spelt.endswith("?") else spelt


def _or_nil(spelt: str) -> str:
    return f"{_group(spelt)}?" if not spelt.endswith("?") else spelt
