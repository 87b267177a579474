"""The specification's own lifting and lowering, as a second opinion.

The component-model repository has them as Python (``design/mvp/canonical-abi/definitions.py``). The environment
variable POLYCALL_COMPONENT_MODEL names a checkout of it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from polycall.wasm_runtime.wit.check_values import wrap_some
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

__all__ = ["CHECKOUT", "Oracle", "definitions_in"]

CHECKOUT = os.environ.get("POLYCALL_COMPONENT_MODEL")
"""Where the component-model repository is checked out, or None."""

_FILE = "design/mvp/canonical-abi/definitions.py"
_PRIMITIVES = {"bool": "BoolType", "char": "CharType", "string": "StringType", "f32": "F32Type", "f64": "F64Type"}


def definitions_in(checkout: str) -> Path:
    """Returns where a checkout has the file."""
    return Path(checkout) / _FILE


class Oracle:
    """What the specification says of types and values.

    Args:
        checkout: Of the component-model repository.
        encoding: Of strings.
    """

    def __init__(self, checkout: str, encoding: str) -> None:
        self._code = _definitions(definitions_in(checkout))
        self.trap: type[BaseException] = self._code.Trap
        self._resources = [self._code.ResourceType(None) for _ in range(3)]
        self._encoding = encoding

    def open(self, memory: bytearray, first_free: int, handles: dict[int, tuple[str, int, object]]) -> Any:
        """Returns a context of lifting and lowering in a memory, with a table that holds handles that own."""
        code = self._code
        table = code.Table()
        for number, (_, slot, value) in sorted(handles.items()):
            assert table.add(code.ResourceHandle(self._resources[slot], value, own=True)) == number
        options = code.LiftLowerOptions(self._encoding, code.MemInst(memory, "i32"))
        context = code.LiftLowerContext(options, SimpleNamespace(handles=table))
        free = first_free

        def reallocate(_old: int, _old_size: int, boundary: int, size: int) -> int:
            nonlocal free
            at = -(-free // boundary) * boundary
            free = at + size
            # What was there moves along, as a guest's realloc has it.
            memory[at : at + min(size, _old_size)] = memory[_old : _old + min(size, _old_size)]
            return at

        context.reallocate = reallocate
        return context

    def core_type(self, params: list[WitType], result: WitType | None, how: str) -> tuple[tuple[str, ...], ...]:
        """Returns core parameters and results of a function; `how` is "lift" or "lower"."""
        code = self._code
        function = SimpleNamespace(
            param_types=lambda: [self._type(each) for each in params],
            result_type=lambda: [self._type(result)] if result else [],
        )
        options = SimpleNamespace(async_=False, memory=code.MemInst(bytearray(), "i32"))
        found = code.flatten_functype(options, function, how)
        return tuple(found.params), tuple(found.results)

    def extent(self, wit_type: WitType) -> tuple[int, int]:
        """Returns size and alignment."""
        found = self._type(wit_type)
        return self._code.elem_size(found, "i32"), self._code.alignment(found, "i32")

    def lift(self, context: Any, cores: list[int | float], types: list[WitType], most: int) -> list[Any]:
        """Lifts values; `most` core values are given as they are."""
        found = self._code.lift_flat_values(
            context, most, self._code.CoreValueIter(cores), [self._type(each) for each in types]
        )
        return [self._plain(wit_type, value) for wit_type, value in zip(types, found, strict=True)]

    def lower(
        self, context: Any, values: list[Any], types: list[WitType], most: int, pointer: int | None = None
    ) -> list[int | float]:
        """Lowers values to core values; `pointer` is where a result goes."""
        code = self._code
        given = [self._given(wit_type, value) for wit_type, value in zip(types, values, strict=True)]
        out = None if pointer is None else code.CoreValueIter([pointer])
        cores: list[int | float] = code.lower_flat_values(
            context, most, given, [self._type(each) for each in types], out
        )
        return cores

    def _type(self, wit_type: WitType | None) -> Any:
        code = self._code
        match wit_type:
            case None:
                return None
            case Primitive(name=name):
                return getattr(code, _PRIMITIVES.get(name, f"{name.upper()}Type"))()
            case ListType(element=element):
                return code.ListType(self._type(element))
            case FixedListType(element=element, length=length):
                return code.ListType(self._type(element), length)
            case MapType(key=key, value=value):
                return code.MapType(self._type(key), self._type(value))
            case TupleType(elements=elements):
                return code.TupleType([self._type(each) for each in elements])
            case RecordType(fields=fields):
                return code.RecordType([code.FieldType(name, self._type(each)) for name, each in fields])
            case HandleType(mode="own", resource=slot):
                return code.OwnType(self._resources[slot])
        return self._case_type(wit_type)

    def _case_type(self, wit_type: WitType) -> Any:
        code = self._code
        match wit_type:
            case VariantType(cases=cases):
                return code.VariantType([code.CaseType(name, self._type(each)) for name, each in cases])
            case EnumType(names=names):
                return code.EnumType(list(names))
            case FlagsType(names=names):
                return code.FlagsType(list(names))
            case OptionType(payload=payload):
                return code.OptionType(self._type(payload))
            case ResultType(ok=ok, err=err):
                return code.ResultType(self._type(ok), self._type(err))
        raise TypeError(wit_type)

    def _given(self, wit_type: WitType | None, value: Any) -> Any:
        """Returns a plain value as the specification has it."""
        match wit_type:
            case None:
                return None
            case Primitive(name="string"):
                return value, "utf8", len(value.encode())
            case ListType(element=element) | FixedListType(element=element):
                return [self._given(element, each) for each in value]
            case MapType(key=key, value=item):
                return [{"0": self._given(key, one), "1": self._given(item, other)} for one, other in value]
            case TupleType(elements=elements):
                return {str(n): self._given(each, value[n]) for n, each in enumerate(elements)}
            case RecordType(fields=fields):
                return {name: self._given(each, value[name]) for name, each in fields}
            case VariantType(cases=cases):
                ((name, payload),) = value.items()
                return {name: self._given(dict(cases)[name], payload)}
            case EnumType():
                return {value: None}
            case FlagsType(names=names):
                return {name: name in value for name in names}
            case OptionType(payload=payload):
                return (
                    {"none": None} if value is None else {"some": self._given(payload, self._unwrapped(payload, value))}
                )
            case ResultType(ok=ok, err=err):
                return (
                    {"ok": self._given(ok, value["ok"])} if "ok" in value else {"error": self._given(err, value["err"])}
                )
        return value

    @staticmethod
    def _unwrapped(payload: WitType, value: Any) -> Any:
        # The normal form wraps a payload that is an option and could be mistaken.
        is_wrapped = isinstance(payload, OptionType) and isinstance(value, dict) and list(value) == ["some"]
        return value["some"] if is_wrapped else value

    def _plain(self, wit_type: WitType | None, value: Any) -> Any:
        """Returns the normal form of what the specification has."""
        match wit_type:
            case None:
                return True
            case Primitive(name="string"):
                return value[0]
            case ListType(element=element) | FixedListType(element=element):
                items = [self._plain(element, each) for each in value]
                return bytes(items) if element == Primitive("u8") else items
            case MapType(key=key, value=item):
                return [[self._plain(key, each["0"]), self._plain(item, each["1"])] for each in value]
            case TupleType(elements=elements):
                return [self._plain(each, value[str(n)]) for n, each in enumerate(elements)]
            case RecordType(fields=fields):
                return {name: self._plain(each, value[name]) for name, each in fields}
            case EnumType():
                return next(iter(value))
            case FlagsType(names=names):
                return [name for name in names if value[name]]
        return self._plain_case(wit_type, value)

    def _plain_case(self, wit_type: WitType | None, value: Any) -> Any:
        match wit_type:
            case VariantType(cases=cases):
                ((name, payload),) = value.items()
                return {name: self._plain(dict(cases)[name], payload)}
            case OptionType(payload=payload):
                if "none" in value:
                    return None
                some = self._plain(payload, value["some"])
                return wrap_some(some) if isinstance(payload, OptionType) else some
            case ResultType(ok=ok, err=err):
                return (
                    {"ok": self._plain(ok, value["ok"])} if "ok" in value else {"err": self._plain(err, value["error"])}
                )
        return value


def _definitions(path: Path) -> Any:
    name = "component_model_definitions"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        _remember(module)
    return sys.modules[name]


def _remember(module: Any) -> None:
    """Has the sizes of types kept: the specification walks through all of a type for each field of it."""
    for name in ("alignment", "elem_size", "despecialize"):
        setattr(module, name, _kept(getattr(module, name)))


def _kept(function: Callable[..., Any]) -> Callable[..., Any]:
    found: dict[tuple[int, str | None], tuple[Any, Any]] = {}  # the type too: what is kept alive keeps its identity

    def looked_up(of: Any, pointers: str | None = None) -> Any:
        key = id(of), pointers
        if key not in found:
            if len(found) > 100_000:
                found.clear()
            found[key] = of, function(of) if pointers is None else function(of, pointers)
        return found[key][1]

    return looked_up
