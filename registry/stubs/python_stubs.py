"""A Python module for each namespace: a typed function for each entry, for mypy and for editors."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from polycall.interop.steering import BREAKING, STEERING, as_escape
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

__all__ = ["MADE_BY", "python_modules"]

MADE_BY = "# Made by polycall stubs; what is changed here is lost the next time.\n"

_SIMPLE = {"bool": "bool", "f32": "float", "f64": "float", "char": "str", "string": "str"}
_OF_TYPING = ("Any", "Generic", "Literal", "NotRequired", "TypeAlias", "TypeVar", "TypedDict", "final")
_OURS = ("Registry", "ResourceHandle", "Value")
_OK_AND_ERR = '''
_T = TypeVar("_T")
_E = TypeVar("_E")


@final
class Ok(TypedDict, Generic[_T]):
    """The ok of a result."""

    ok: _T


@final
class Err(TypedDict, Generic[_E]):
    """The err of a result."""

    err: _E
'''


def python_modules(entries: list[TypedEntry]) -> dict[str, str]:
    """Returns a module for each namespace: its file to its text."""
    modules: dict[str, str] = {}
    for namespace, members in by_namespace(entries):
        modules[f"{_free(_identifier(namespace), {name[:-3] for name in modules})}.py"] = _Module(
            namespace, members
        ).text()
    return modules


class _Module:
    def __init__(self, namespace: str, members: list[TypedEntry]) -> None:
        self._namespace = namespace
        self._members = members
        taken = {*_OF_TYPING, *_OURS, "Ok", "Err"}
        self._functions: dict[str, str] = {}
        for member in members:
            name = _free(_identifier(member.entry.id.name), taken)
            self._functions[member.entry.id.name] = name
            taken.add(name)
        self._names = TypeNames(frozenset(taken))
        self._definitions: list[str] = []
        self._has_results = False

    def text(self) -> str:
        functions = "".join(map(self._function, self._members))
        doc = f'"""The functions of the namespace ``{self._namespace}``."""'
        head = f"{MADE_BY}{doc}\n\nfrom __future__ import annotations\n"
        body = (_OK_AND_ERR if self._has_results else "") + "".join(f"\n{each}" for each in self._definitions)
        return head + _imports(body + functions) + body + functions

    def _function(self, member: TypedEntry) -> str:
        name = self._functions[member.entry.id.name]
        doc = f"``{member.entry.id}`` ({member.entry.kind})" + (f": {member.comment}" if member.comment else "")
        doc = re.sub(f"[{STEERING}{BREAKING}]", as_escape, doc).replace("\\", "\\\\").replace('"""', "'''").rstrip('"')
        target = json.dumps(str(member.entry.id))
        if member.types is None:
            head = f"def {name}(registry: Registry, /, *arguments: object, timeout: float | None = None) -> Value:\n"
            body = f"    return registry.call({target}, *arguments, timeout=timeout)\n"
            return f'\n\n{head}    """{doc}"""\n{body}'
        declared, signature = member.types.names, member.types.signature
        typed = [(_identifier(label), each) for label, each in signature.params]
        parameters = [(f"{label}_" if label in {"registry", "timeout"} else label, each) for label, each in typed]
        result = "None" if signature.result is None else self._result(signature.result, member, declared)
        listed = ", ".join(["registry: Registry", *self._parameters(parameters, declared, name)])
        head = f"def {name}({listed}, *, timeout: float | None = None) -> {result}:\n"
        given = ", ".join([target, *(label for label, _ in parameters)])
        call = f"registry.call({given}, timeout=timeout)"
        body = f"    {call}\n"
        if signature.result is not None:
            body = f"    result: Any = {call}\n    answer: {result} = result\n    return answer\n"
        return f'\n\n{head}    """{doc}"""\n{body}'

    def _parameters(
        self, parameters: list[tuple[str, WitType]], declared: Mapping[str, WitType], function: str
    ) -> list[str]:
        """Returns parameters; those at the end that are an option may be left out."""
        found: list[str] = []
        may_go = True
        for label, each in reversed(parameters):
            may_go = may_go and isinstance(each, OptionType)
            spelt = self._spell(each, declared, f"{function}-{label}")
            found.append(f"{label}: {spelt}" + (" = None" if may_go else ""))
        return found[::-1]

    def _result(self, wit_type: WitType, member: TypedEntry, declared: Mapping[str, WitType]) -> str:
        hint = f"{member.entry.id.name}-result"
        if isinstance(wit_type, ResultType) and member.is_lua:  # its err is an error that is raised
            return "None" if wit_type.ok is None else self._spell(wit_type.ok, declared, hint)
        return self._spell(wit_type, declared, hint)

    def _spell(self, wit_type: WitType, declared: Mapping[str, WitType], hint: str) -> str:
        def spell(inner: WitType) -> str:
            return self._spell(inner, declared, hint)

        match wit_type:
            case Primitive(name=name):
                return _SIMPLE.get(name, "int")
            case ListType() if wit_type.is_bytes:
                return "bytes"
            case ListType(element=element) | FixedListType(element=element):
                return f"list[{spell(element)}]"
            case TupleType(elements=elements):
                return f"list[{_union(map(spell, elements)) or 'None'}]"
            case MapType(key=key, value=value):
                return f"list[list[{_union((spell(key), spell(value)))}]]"
            case OptionType(payload=OptionType(payload=inner)):
                return _union((spell(inner), "dict[str, None]", "None"))
            case OptionType(payload=payload):
                return _union((spell(payload), "None"))
            case ResultType(ok=ok, err=err):
                self._has_results = True
                arms = ["Literal[True]" if each is None else spell(each) for each in (ok, err)]
                return f"Ok[{arms[0]}] | Err[{arms[1]}]"
            case EnumType(names=names):
                return f"Literal[{', '.join(map(json.dumps, names))}]"
            case FlagsType(names=names):
                return f"list[Literal[{', '.join(map(json.dumps, names))}]]"
            case HandleType():
                return "ResourceHandle"
            case RecordType() | VariantType():
                return self._names.known(wit_type) or self._define(wit_type, declared, hint)
        return "Any"

    def _define(self, wit_type: RecordType | VariantType, declared: Mapping[str, WitType], hint: str) -> str:
        if isinstance(wit_type, RecordType):
            fields = [(label, self._field(each, declared, hint)) for label, each in wit_type.fields]
            name = self._names.give(wit_type, declared, hint)
            self._definitions.append(_typed_dict(name, fields))
            return name
        payloads = [(label, "Literal[True]" if each is None else self._spell(each, declared, hint))
                    for label, each in wit_type.cases]  # fmt: skip
        name = self._names.give(wit_type, declared, hint)
        cases = [f"{name}_{pascal(label)}" for label, _ in payloads]
        self._definitions += [_case(case, *each) for case, each in zip(cases, payloads, strict=True)]
        self._definitions.append(f"{name}: TypeAlias = {' | '.join(cases)}\n")
        return name

    def _field(self, wit_type: WitType, declared: Mapping[str, WitType], hint: str) -> str:
        spelt = self._spell(wit_type, declared, hint)
        return f"NotRequired[{spelt}]" if isinstance(wit_type, OptionType) else spelt


def _typed_dict(name: str, fields: Iterable[tuple[str, str]]) -> str:
    # Not a class: WIT has - in its names, and words that Python keeps for itself.
    listed = "".join(f"    {json.dumps(label)}: {spelt},\n" for label, spelt in fields)
    return f'{name} = TypedDict("{name}", {{\n{listed}}})\n'


def _case(name: str, label: str, payload: str) -> str:
    """Returns a case of a variant: final, where it can be, so that looking for its key tells it from the others."""
    if not label.isidentifier() or keyword.iskeyword(label):
        return _typed_dict(name, [(label, payload)])
    return f"\n@final\nclass {name}(TypedDict):\n    {label}: {payload}\n\n"


def _imports(text: str) -> str:
    used = [name for name in _OF_TYPING if re.search(rf"\b{name}\b", text)]
    ours = [name for name in _OURS if re.search(rf"\b{name}\b", text)]
    typing = f"from typing import {', '.join(used)}\n\n" if used else ""
    return f"\n{typing}from polycall import {', '.join(ours)}\n"


def _union(types: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(types))


def _identifier(name: str) -> str:
    found = re.sub(r"[^0-9A-Za-z_]", "_", name)
    found = found if not found[:1].isdigit() else f"_{found}"
    return f"{found}_" if keyword.iskeyword(found) else found


def _free(name: str, taken: Collection[str]) -> str:
    """Returns a name that is not taken."""
    return next(each for each in chain([name], (f"{name}_{count}" for count in range(2, 10**9))) if each not in taken)
