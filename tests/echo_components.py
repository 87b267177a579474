"""Echo guests for any WIT type: `echo: func(v: T, ...) -> T` gives back what it was given.

The trick: sixteen more parameters make the arguments go through memory, so that the guest gets one pointer, with `v`
where it points. A result that is more than one core value is returned as a pointer as well: the same one. A result that
is one core value is loaded from there. No guest code depends on the type, so the host's two directions are all that is
tested.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from polycall.interop.values import Value
from polycall.wasm_runtime.wit.check_values import wrap_some
from polycall.wasm_runtime.wit.wit_types import (
    INTEGER_RANGES,
    PRIMITIVES,
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

__all__ = [
    "PADDING",
    "TypeNames",
    "all_types",
    "core_echo_wat",
    "core_echo_wit",
    "echo_component_wat",
    "inline_types",
    "values_of",
    "wit_types",
]

PADDING: list[Value] = list(range(16))
"""The arguments that follow the value."""

_ALLOCATOR = """
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 1024))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $free) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))))))
      (local.get $at))"""


def echo_component_wat(wit_type: WitType) -> str:
    """Returns a component that exports `echo: func(v: T, p0: u32, ..., p15: u32) -> T`."""
    names = TypeNames()
    reference = names.reference(wit_type)
    padding = " ".join(f'(param "p{index}" u32)' for index in range(16))
    return f"""(component
  (core module $guest {_ALLOCATOR}
    {_echo(wit_type)})
  (core instance $guest (instantiate $guest))
  {names.definitions()}
  (func (export "echo") (param "v" {reference}) {padding} (result {reference})
    (canon lift (core func $guest "echo")
      (memory (core memory $guest "memory")) (realloc (core func $guest "cabi_realloc")))))"""


def core_echo_wat(wit_type: WitType) -> str:
    """Returns the same as a core module."""
    return f"(module {_ALLOCATOR} {_echo(wit_type)})"


def core_echo_wit(wit_type: WitType) -> str:
    """Returns a WIT file with the function of `core_echo_wat`."""
    padding = ", ".join(f"p{index}: u32" for index in range(16))
    names = _WitNames()
    reference = names.reference(wit_type)
    return f"""package test:echo@1.0.0;
world echo {{
  {names.definitions()}
  export echo: func(v: {reference}, {padding}) -> {reference};
}}"""


def _echo(wit_type: WitType) -> str:
    load = _flat_load(wit_type)
    result = load.partition(".")[0] if load else "i32"
    body = f"({load} (local.get 0))" if load else "local.get 0"
    return f'(func (export "echo") (param i32) (result {result}) {body})'


_LOADS = {
    **{"bool": "i32.load8_u", "u8": "i32.load8_u", "s8": "i32.load8_s", "u16": "i32.load16_u", "s16": "i32.load16_s"},
    **{"u32": "i32.load", "s32": "i32.load", "char": "i32.load", "u64": "i64.load", "s64": "i64.load"},
    **{"f32": "f32.load", "f64": "f64.load"},
}


def _flat_load(wit_type: WitType) -> str | None:
    """Returns the instruction that loads a type which is one core value, or None if it is more."""
    match wit_type:
        case Primitive(name=name):
            return _LOADS.get(name)
        case RecordType(fields=((_, only),)) | TupleType(elements=(only,)):
            return _flat_load(only)
        case EnumType(names=names):
            return "i32.load8_u" if len(names) <= 256 else "i32.load16_u"
        case FlagsType(names=names):
            return "i32.load8_u" if len(names) <= 8 else "i32.load16_u" if len(names) <= 16 else "i32.load"
        case VariantType(cases=cases) if all(payload is None for _, payload in cases):
            return "i32.load8_u"
        case ResultType(ok=None, err=None):
            return "i32.load8_u"
    return None


class TypeNames:
    """Defines types one after the other; a component must export those that have names in WIT."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def definitions(self) -> str:
        return "\n  ".join(self._lines)

    def reference(self, wit_type: WitType) -> str:
        match wit_type:
            case Primitive(name=name):
                return name
            case ListType(element=element):
                return self._defined(f"(list {self.reference(element)})")
            case OptionType(payload=payload):
                return self._defined(f"(option {self.reference(payload)})")
            case TupleType(elements=elements):
                return self._defined(f"(tuple {' '.join(map(self.reference, elements))})")
            case ResultType(ok=ok, err=err):
                arms = ("" if ok is None else f" {self.reference(ok)}", "" if err is None else self.reference(err))
                return self._defined(f"(result{arms[0]}{f' (error {arms[1]})' if arms[1] else ''})")
        return self._exported(wit_type)

    def _exported(self, wit_type: WitType) -> str:
        match wit_type:
            case RecordType(fields=fields):
                parts = [f'(field "{name}" {self.reference(field)})' for name, field in fields]
                body = f"(record {' '.join(parts)})"
            case VariantType(cases=cases):
                body = f"(variant {' '.join(map(self._case, cases))})"
            case EnumType(names=names):
                body = f"(enum {_quoted(names)})"
            case FlagsType(names=names):
                body = f"(flags {_quoted(names)})"
            case _:
                raise TypeError(wit_type)
        defined = self._defined(body)
        self._lines.append(self.named(defined, f"type{defined[2:]}"))
        return f"{defined}x"

    def named(self, defined: str, name: str) -> str:
        """Returns what gives a type its name, and makes it known as ``{defined}x``."""
        return f'(export {defined}x "{name}" (type {defined}))'

    def _case(self, case: tuple[str, WitType | None]) -> str:
        name, payload = case
        return f'(case "{name}"{"" if payload is None else f" {self.reference(payload)}"})'

    def _defined(self, body: str) -> str:
        name = f"$t{len(self._lines)}"
        self._lines.append(f"(type {name} {body})")
        return name


class _WitNames:
    """Defines the types that have names in WIT, one after the other."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def definitions(self) -> str:
        return "\n  ".join(self._lines)

    def reference(self, wit_type: WitType) -> str:
        match wit_type:
            case ListType(element=element):
                return f"list<{self.reference(element)}>"
            case OptionType(payload=payload):
                return f"option<{self.reference(payload)}>"
            case TupleType(elements=elements):
                return f"tuple<{', '.join(map(self.reference, elements))}>"
            case ResultType(ok=ok, err=err):
                return f"result<{self._arm(ok)}{f', {self.reference(err)}' if err else ''}>" if ok or err else "result"
            case RecordType(fields=fields):
                return self._defined("record", [f"%{name}: {self.reference(field)}" for name, field in fields])
            case VariantType(cases=cases):
                parts = [f"%{name}{f'({self.reference(payload)})' if payload else ''}" for name, payload in cases]
                return self._defined("variant", parts)
            case EnumType(names=names):
                return self._defined("enum", list(names))
            case FlagsType(names=names):
                return self._defined("flags", list(names))
        return str(wit_type)

    def _arm(self, arm: WitType | None) -> str:
        return "_" if arm is None else self.reference(arm)

    def _defined(self, kind: str, parts: list[str]) -> str:
        name = f"t{len(self._lines)}"
        self._lines.append(f"{kind} {name} {{ {', '.join(parts)} }}")
        return name


def _quoted(names: tuple[str, ...]) -> str:
    return " ".join(f'"{name}"' for name in names)


# --- strategies ------------------------------------------------------------------------------------------------------

_LABELS = st.sampled_from(["a", "b", "some", "ok", "err", "tag-count", "x1", "none"])
_NAMES = st.lists(_LABELS, min_size=1, max_size=4, unique=True).map(tuple)
_MANY_NAMES = st.integers(1, 32).map(lambda count: tuple(f"n{index}" for index in range(count)))
_PRIMITIVE_TYPES = st.sampled_from(sorted(PRIMITIVES)).map(Primitive)


def inline_types() -> st.SearchStrategy[WitType]:
    """Types that have no name in WIT."""
    return st.recursive(_PRIMITIVE_TYPES, _inline_around, max_leaves=6)


def wit_types() -> st.SearchStrategy[WitType]:
    """Every type but handles, streams and futures."""
    leaves = st.one_of(_PRIMITIVE_TYPES, _MANY_NAMES.map(EnumType), _MANY_NAMES.map(FlagsType))
    return st.recursive(leaves, lambda inner: st.one_of(_inline_around(inner), _named_around(inner)), max_leaves=6)


def all_types(*, with_handles: bool = True) -> st.SearchStrategy[WitType]:
    """Every type that can cross: `wit_types`, and fixed lists, maps and handles."""
    handles = st.builds(HandleType, st.sampled_from(["own", "borrow"]), st.integers(0, 2), st.just("thing"))
    leaves = st.one_of(_PRIMITIVE_TYPES, _MANY_NAMES.map(EnumType), _MANY_NAMES.map(FlagsType))
    keys = st.sampled_from(["string", "u8", "s32", "u64", "char", "bool"]).map(Primitive)
    return st.recursive(
        leaves | handles if with_handles else leaves,
        lambda inner: st.one_of(
            _inline_around(inner),
            _named_around(inner),
            st.builds(FixedListType, inner, st.sampled_from([1, 2, 3, 16, 17, 20])),
            st.builds(MapType, keys, inner),
            # Long ones and wide ones are handled by other code.
            inner.map(lambda one: TupleType((one,) * 20)),
            inner.map(lambda one: VariantType(tuple((f"c{n}", one if n % 3 else None) for n in range(18)))),
        ),
        max_leaves=6,
    )


def _inline_around(inner: st.SearchStrategy[WitType]) -> st.SearchStrategy[WitType]:
    arm = st.none() | inner
    return st.one_of(
        inner.map(ListType),
        inner.map(OptionType),
        st.lists(inner, min_size=1, max_size=3).map(lambda elements: TupleType(tuple(elements))),
        st.builds(ResultType, arm, arm),
    )


def _named_around(inner: st.SearchStrategy[WitType]) -> st.SearchStrategy[WitType]:
    arm = st.none() | inner
    records = _NAMES.flatmap(lambda names: st.tuples(*(st.tuples(st.just(name), inner) for name in names)))
    variants = _NAMES.flatmap(lambda names: st.tuples(*(st.tuples(st.just(name), arm) for name in names)))
    return st.one_of(records.map(RecordType), variants.map(VariantType))


_TEXT = st.characters(exclude_categories=["Cs"])


def values_of(wit_type: WitType) -> st.SearchStrategy[Value]:
    """Values of a type, in their normal form; NaN is left out, as it is not equal to itself."""
    match wit_type:
        case Primitive(name=name):
            return _primitive_values(name)
        case ListType(element=element):
            return st.binary() if wit_type.is_bytes else st.lists(values_of(element), max_size=4)
        case TupleType(elements=elements):
            return st.tuples(*map(values_of, elements)).map(list)
        case RecordType(fields=fields):
            return st.fixed_dictionaries({name: values_of(field) for name, field in fields})
        case VariantType(cases=cases):
            return st.one_of([_case_values(name, payload) for name, payload in cases])
        case ResultType(ok=ok, err=err):
            return _case_values("ok", ok) | _case_values("err", err)
        case EnumType(names=names):
            return st.sampled_from(names)
        case FlagsType(names=names):
            return st.sets(st.sampled_from(names)).map(lambda given: [name for name in names if name in given])
        case OptionType(payload=payload):
            some = values_of(payload)
            return st.none() | (some.map(wrap_some) if isinstance(payload, OptionType) else some)
    return _newer_values(wit_type)


def _newer_values(wit_type: WitType) -> st.SearchStrategy[Any]:
    match wit_type:
        case FixedListType(element=Primitive("u8"), length=length):
            return st.binary(min_size=length, max_size=length)
        case FixedListType(element=element, length=length):
            return st.lists(values_of(element), min_size=length, max_size=length)
        case MapType(key=key, value=value):
            return st.lists(st.tuples(values_of(key), values_of(value)).map(list), max_size=4)
        case HandleType():
            return st.builds(object)  # no plain value: it stands for a resource
    raise TypeError(wit_type)


def _case_values(name: str, payload: WitType | None) -> st.SearchStrategy[Value]:
    inner = st.just(True) if payload is None else values_of(payload)
    return inner.map(lambda value: {name: value})


def _primitive_values(name: str) -> st.SearchStrategy[Value]:
    if name in INTEGER_RANGES:
        values = INTEGER_RANGES[name]
        return st.integers(values.start, values.stop - 1)
    others: dict[str, st.SearchStrategy[Value]] = {
        "bool": st.booleans(),
        "char": _TEXT,
        "string": st.text(_TEXT),
        "f32": st.floats(allow_nan=False, width=32),
        "f64": st.floats(allow_nan=False),
    }
    return others[name]
