"""Does a plain value fit a WIT type? One check for components and core modules alike (specification: design, "Values").

`compile_check` turns a type into a function that takes any acceptable spelling of a value and returns its one normal
form, or raises `Mismatch`. The normal form is what lifting gives back, so lower-then-lift is identity on it, and
lowering code may rely on it without looking again:

* integers are int in range, floats are float (``f32`` already rounded), ``char`` and ``string`` are str without
  surrogates;
* ``list<u8>`` is bytes, every other list and every tuple is a list;
* a record is a dict with every field, in declared order; a variant or result is a dict of exactly one key;
* an enum is its name, flags are a list of names in declared order;
* a fixed list is like a list; a map is a list of [key, value], for a key may be there twice;
* an option is None or its payload, which is wrapped as ``{"some": payload}`` only where it could be mistaken: see
  `_option`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from polycall.interop.errors import ConversionError
from polycall.interop.ids import cut, suggestion
from polycall.interop.values import Value, describe
from polycall.wasm_runtime.engine.guest_text import listed
from polycall.wasm_runtime.engine.pace import AT_ONCE, Pace
from polycall.wasm_runtime.wit.empty_tables import nil_case, takes_empty
from polycall.wasm_runtime.wit.wit_types import (
    INTEGER_RANGES,
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

__all__ = ["PLAIN_TYPES", "Check", "Mismatch", "compile_check", "unwrap_some", "wrap_some"]

PLAIN_TYPES = frozenset((type(None), bool, int, float, str, bytes, list, dict))
"""The types of plain values; a resource is of any other."""

Check = Callable[[Any, Pace], Any]
"""Takes a plain value and the call's clock, returns the value's normal form; raises `Mismatch`."""

_SINGLE = struct.Struct("<f")


class Mismatch(Exception):  # noqa: N818 - it never leaves this package: `error` makes the real one
    """A value does not fit; the path to it grows outwards as the exception passes the enclosing checks."""

    def __init__(self, expected: object, got: str, hint: str | None = None) -> None:
        super().__init__(expected, got)
        self.expected = expected
        self.got = got
        self.hint = hint
        self.path: list[str] = []

    def error(self, root: str, direction: str) -> ConversionError:
        """Returns the error to show, with the path from `root`."""
        path = root + "".join(cut(step) for step in reversed(self.path))
        return ConversionError(path, direction, cut(str(self.expected)), self.got, hint=self.hint)


def compile_check(wit_type: WitType) -> Callable[..., Any]:
    """Returns the check of a type: it takes a value and, if a call waits for it, the call's `Pace`.

    Handles are refused when an entry is prepared, not here.
    """
    check = _compile(wit_type)
    return lambda value, pace=None: check(value, pace or Pace())


def _compile(wit_type: WitType) -> Check:
    match wit_type:
        case Primitive(name=name):
            return _PRIMITIVES[name]
        case ListType(element=element):
            return _bytes if wit_type.is_bytes else _list(_compile(element), wit_type)
        case TupleType():
            return _tuple(wit_type)
        case RecordType():
            return _record(wit_type)
        case VariantType(cases=cases):
            return _variant(dict(cases), wit_type)
        case ResultType(ok=ok, err=err):
            return _variant({"ok": ok, "err": err}, wit_type)
        case EnumType():
            return _enum(wit_type)
        case FlagsType():
            return _flags(wit_type)
        case OptionType():
            return _option(wit_type)
        case FixedListType(element=element):
            return _fixed(_compile(ListType(element)), wit_type)
        case MapType():
            return _map(wit_type)
        case HandleType():
            return _handle(wit_type)
    raise TypeError(f"{wit_type} has no plain form")


# --- primitives -------------------------------------------------------------------------------------------------------


def _integer(name: str) -> Check:
    values = INTEGER_RANGES[name]
    low, high = values.start, values.stop

    def check(value: Any, _pace: Pace) -> int:
        if type(value) is int and low <= value < high:
            return value
        if type(value) is float and value.is_integer() and low <= value < high:
            return int(value)
        raise Mismatch(name, describe(value))

    return check


def _bool(value: Any, _pace: Pace) -> bool:
    if value is True or value is False:
        return value
    raise Mismatch("bool", describe(value))


def _f64(value: Any, _pace: Pace) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            pass
    raise Mismatch("f64", describe(value))


def _f32(value: Any, pace: Pace) -> float:
    try:
        single: float = _SINGLE.unpack(_SINGLE.pack(_f64(value, pace)))[0]
    except (Mismatch, OverflowError):
        raise Mismatch("f32", describe(value)) from None
    return single


def _string(value: Any, _pace: Pace) -> str:
    if type(value) is str:
        _utf8(value, "string")
        return value
    if type(value) is bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise Mismatch("string", f"{describe(value)} that are not UTF-8") from None
    raise Mismatch("string", describe(value))


def _utf8(text: str, expected: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Mismatch(expected, "text with half of a surrogate pair") from None


def _char(value: Any, pace: Pace) -> str:
    try:
        text = _string(value, pace)
    except Mismatch as mismatch:
        raise Mismatch("char", mismatch.got) from None
    if len(text) == 1:
        return text
    raise Mismatch("char", f"{describe(text)}, {len(text)} characters")


_PRIMITIVES: dict[str, Check] = {
    **{name: _integer(name) for name in INTEGER_RANGES},
    "bool": _bool,
    "f32": _f32,
    "f64": _f64,
    "char": _char,
    "string": _string,
}

# --- lists and tuples -------------------------------------------------------------------------------------------------

_u8 = _PRIMITIVES["u8"]


def _items(value: Any, expected: object) -> list[Value]:
    """Returns the items of a list. Lua has one empty table for both, so an empty record is an empty list."""
    if type(value) is list:
        return value
    if type(value) is dict and not value:
        return []
    raise Mismatch(expected, describe(value))


def _each(check: Check, items: list[Any], pace: Pace) -> list[Any]:
    checked: list[Any] = []
    try:
        for first in range(0, len(items), AT_ONCE):
            piece = items[first : first + AT_ONCE]
            pace.step(len(piece))
            for item in piece:
                checked.append(check(item, pace))  # the length reached is the index of an item that fails
    except Mismatch as mismatch:
        mismatch.path.append(f"[{len(checked)}]")
        raise
    return checked


def _bytes(value: Any, pace: Pace) -> bytes:
    if type(value) is bytes:
        return value
    if type(value) is str:
        return _utf8(value, "list<u8>")
    return bytes(_each(_u8, _items(value, "list<u8>"), pace))


def _list(check: Check, wit_type: ListType) -> Check:
    return lambda value, pace: _each(check, _items(value, wit_type), pace)


def _tuple(wit_type: TupleType) -> Check:
    checks = [_compile(element) for element in wit_type.elements]
    required = max((at for at, each in enumerate(wit_type.elements, 1) if not isinstance(each, OptionType)), default=0)

    def check(value: Any, pace: Pace) -> list[Any]:
        items = _items(value, wit_type)
        if required <= len(items) < len(checks):  # Lua has no nil at the end of a table
            items = [*items, *[None] * (len(checks) - len(items))]
        if len(items) != len(checks):
            raise Mismatch(wit_type, describe(value))
        pace.step(len(checks))
        checked: list[Any] = []
        for check_item, item in zip(checks, items, strict=True):
            checked.append(_at(f"[{len(checked)}]", check_item, item, pace))
        return checked

    return check


def _fixed(check: Check, wit_type: FixedListType) -> Check:
    def check_length(value: Any, pace: Pace) -> Any:
        items = check(value, pace)
        if len(items) != wit_type.length:
            raise Mismatch(wit_type, describe(value))
        return items

    return check_length


def _map(wit_type: MapType) -> Check:
    """Pairs, in the order in which they are given; a guest may give a key twice. A dict is accepted for them."""
    entry = TupleType((wit_type.key, wit_type.value))
    check_entry, check_key, check_value = _tuple(entry), _compile(wit_type.key), _compile(wit_type.value)

    def check(value: Any, pace: Pace) -> list[Any]:
        if type(value) is not dict:
            return _each(check_entry, _items(value, wit_type), pace)
        entries: list[Any] = []
        for key, item in value.items():
            pace.step(1)
            entries.append([_at(f".{key}", check_key, key, pace), _at(f".{key}", check_value, item, pace)])
        return entries

    return check


def _handle(wit_type: HandleType) -> Check:
    def check(value: Any, _pace: Pace) -> Any:
        # What it is a handle of, and whether it may be used here, says the table that it enters.
        if type(value) in PLAIN_TYPES:
            raise Mismatch(wit_type, describe(value))
        return value

    return check


# --- records, variants and results ------------------------------------------------------------------------------------


def _keyed(value: Any, expected: object) -> dict[str, Value]:
    if type(value) is dict:
        return value
    if type(value) is list and not value:
        return {}
    raise Mismatch(expected, describe(value))


def _record(wit_type: RecordType) -> Check:
    fields = [(name, _compile(field), isinstance(field, OptionType)) for name, field in wit_type.fields]
    types = dict(wit_type.fields)

    def check(value: Any, pace: Pace) -> dict[str, Any]:
        pace.step(len(fields))
        given = _keyed(value, wit_type)
        record: dict[str, Any] = {}
        found = 0
        for name, check_field, optional in fields:
            if name in given:
                found += 1
                record[name] = _at(f".{name}", check_field, given[name], pace)
            elif optional:
                record[name] = None
            else:
                raise _missing_key(name, types, given)
        if found != len(given):
            raise _unknown_key(types, given)
        return record

    return check


def _at(step: str, check: Check, value: Any, pace: Pace) -> Any:
    try:
        return check(value, pace)
    except Mismatch as mismatch:
        mismatch.path.append(step)
        raise


def _missing_key(name: str, types: dict[str, WitType], given: dict[str, Value]) -> Mismatch:
    unknown = [key for key in given if key not in types]
    if unknown:  # a misspelt key is both missing and unknown; the misspelling is what to mend
        return _unknown_key(types, given)
    mismatch = Mismatch(types[name], "no such key")
    mismatch.path.append(f".{name}")
    return mismatch


def _unknown_key(types: dict[str, WitType], given: dict[str, Value]) -> Mismatch:
    unknown = next(key for key in given if key not in types)
    return Mismatch(f"the keys {listed(types)}", f'the key "{cut(unknown)}"', suggestion(unknown, types))


def _variant(cases: dict[str, WitType | None], wit_type: WitType) -> Check:
    checks = {name: _payload(payload) for name, payload in cases.items()}
    empty = nil_case(cases)

    def check(value: Any, pace: Pace) -> dict[str, Any]:
        if empty is not None and value == []:  # Lua's {ok = nil}
            value = {empty: None}
        if type(value) is not dict or len(value) != 1:
            raise Mismatch(wit_type, describe(value), _variant_hint(value, cases))
        ((name, payload),) = value.items()
        if name not in checks:
            raise Mismatch(f"one of the keys {listed(cases)}", f'the key "{cut(name)}"', suggestion(name, cases))
        return {name: _at(f".{name}", checks[name], payload, pace)}

    return check


def _payload(wit_type: WitType | None) -> Check:
    """Returns the check of a case's payload. An empty table is an option that is none: in Lua, nil would be no case.

    (Where options nest, it is ``{some = nil}``.)
    """
    if wit_type is None:
        return _no_payload
    return _empty_is_none(_compile(wit_type), wit_type)


def _empty_is_none(check: Check, wit_type: WitType) -> Check:
    if not isinstance(wit_type, OptionType) or isinstance(wit_type.payload, OptionType) or takes_empty(wit_type):
        return check
    return lambda value, pace: check(None if value == [] else value, pace)


def _no_payload(value: Any, _pace: Pace) -> bool:
    """``{"case": true}`` is a case without payload; None is accepted for hosts that have no better value."""
    if value is True or value is None:
        return True
    raise Mismatch("true (the case has no payload)", describe(value))


def _variant_hint(value: Any, cases: dict[str, WitType | None]) -> str:
    if type(value) is str and value in cases:
        return f'write {{"{cut(value)}": {"true" if cases[value] is None else "..."}}}'
    return f"a table with exactly one of the keys {listed(cases)}"


# --- enums, flags and options -----------------------------------------------------------------------------------------


def _enum(wit_type: EnumType) -> Check:
    names = wit_type.names
    known = frozenset(names)

    def check(value: Any, _pace: Pace) -> str:
        if type(value) is str and value in known:
            return value
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and 0 <= value < len(names):
            return names[value]
        raise Mismatch(wit_type, describe(value), suggestion(value, names) if type(value) is str else None)

    return check


def _flags(wit_type: FlagsType) -> Check:
    names = wit_type.names
    known = frozenset(names)

    def check_name(value: Any, _pace: Pace) -> str:
        if type(value) is str and value in known:
            return value
        hint = suggestion(value, names) if type(value) is str else None
        raise Mismatch(f"one of {listed(names)}", describe(value), hint)

    def check(value: Any, pace: Pace) -> list[str]:
        given = set(_each(check_name, _items(value, wit_type), pace))
        return [name for name in names if name in given]

    return check


def wrap_some(payload: Any) -> Any:
    """Returns the plain form of ``some(payload)`` where the payload is an option itself.

    Only what could be mistaken is wrapped: ``some(none)``, which bare would read as none, and a payload that itself
    looks like a wrapper.
    """
    looks_wrapped = type(payload) is dict and len(payload) == 1 and "some" in payload
    return {"some": payload} if payload is None or looks_wrapped else payload


def unwrap_some(value: Any) -> Any:
    """Returns the payload that `wrap_some` wrapped, if it did; for normal forms only."""
    return value["some"] if type(value) is dict and len(value) == 1 and "some" in value else value


def _option(wit_type: OptionType) -> Check:
    payload = _compile(wit_type.payload)
    if not isinstance(wit_type.payload, OptionType):
        return lambda value, pace: None if value is None else payload(value, pace)
    some, is_value = _empty_is_none(payload, wit_type.payload), takes_empty(wit_type)

    def check(value: Any, pace: Pace) -> Any:
        if value is None:
            return None
        if type(value) is dict and len(value) == 1 and "some" in value:
            return wrap_some(_at(".some", some, value["some"], pace))
        if value == [] and not is_value:  # Lua's {some = nil}
            return wrap_some(None)
        return wrap_some(payload(value, pace))

    return check
