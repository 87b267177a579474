"""Writes the source that packs values of a type: from plain Python values to images of guest memory or of core slots.

What it accepts is exact (an int that is no bool, a dict with just the fields) and is checked as it is packed. Anything else
raises one of `MISFITS`; the slow check then says what is wrong, or makes the value exact.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from polycall.wasm_runtime.canonical.forms import IN_MEMORY, IN_SLOTS, Form
from polycall.wasm_runtime.canonical.layout import CaseType, alignment, arms, count_parts, size, values_of
from polycall.wasm_runtime.canonical.source import Field, Source
from polycall.wasm_runtime.canonical.strings import STRING_ALIGNMENT, encoder
from polycall.wasm_runtime.engine.pace import AT_ONCE
from polycall.wasm_runtime.wit.check_values import unwrap_some
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

__all__ = ["MISFITS", "Lowering", "MisfitError"]


class MisfitError(Exception):
    """A value is not exactly of its type; raised and caught within `polycall.wasm_runtime.canonical`."""


MISFITS = (MisfitError, struct.error, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What packing raises for a value that is not exactly of its type."""

_INLINE_PARTS = 64
"""Types of more parts than this are packed by functions of their own: source must not grow with what a binary says."""

_INLINE_CASES = 16
_SCALARS_AT_ONCE = 50 * AT_ONCE
"""Scalars are packed in C, so many of them take as long as `AT_ONCE` values do."""

_RANGES = {"s8": "-128 <= {0} < 128", "u8": "0 <= {0} < 256", "s16": "-32768 <= {0} < 32768", "u16": "0 <= {0} < 65536"}
_PACKED = {
    **{"s8": "b", "s16": "h", "u16": "H", "s32": "i", "u32": "I", "s64": "q", "u64": "Q"},
    "f32": "f",
    "f64": "d",
}


class Lowering:
    """The source of one lowering function: ``(value..., image, at, pieces, pace)``.

    Attributes:
        source: The lines so far.
    """

    def __init__(self, parameters: str, encoding: str, shared: dict[Any, Callable[..., Any]]) -> None:
        """Begins a function.

        Args:
            parameters: Its parameters; among them ``pieces``, ``handles`` and ``pace``.
            encoding: Of strings.
            shared: The functions of types that are packed apart, by type and form.
        """
        self.source = Source(parameters, {"Misfit": MisfitError, "pack": struct.pack})
        self._encoding = encoding
        self._shared = shared
        self._whole: WitType | None = None  # what is packed apart here, and so not once more
        self._fields: list[Field] = []
        self._image = self._at = ""

    def value(self, form: Form, wit_type: WitType, value: str, image: str, at: str, offset: int = 0) -> None:
        """Adds what packs a value: at an offset from `at` in an image of zeros (in slots: of anything)."""
        outer = self._fields, self._image, self._at
        self._fields, self._image, self._at = [], image, at
        self._one(form, wit_type, value, offset)
        self._flush()
        self._fields, self._image, self._at = outer

    def values(self, form: Form, types: list[WitType], values: list[str], image: str, at: str) -> None:
        """Adds what packs values side by side from `at` in an image."""
        outer = self._fields, self._image, self._at
        self._fields, self._image, self._at = [], image, at
        for wit_type, value, offset in zip(types, values, form.offsets(types), strict=False):
            self._one(form, wit_type, value, offset)
        self._flush()
        self._fields, self._image, self._at = outer

    def _flush(self) -> None:
        self.source.pack(self._fields, self._image, self._at)
        self._fields = []

    def _field(self, offset: int, code: str, value: str) -> None:
        self._fields.append((offset, code, value))

    def _unless(self, condition: str) -> None:
        self.source.line(f"if not ({condition}): raise Misfit")

    # --- one value ---

    def _one(self, form: Form, wit_type: WitType, value: str, offset: int) -> None:
        match wit_type:
            case Primitive(name="string"):
                self._string(form, value, offset)
            case Primitive(name=name):
                self._primitive(form, name, value, offset)
            case ListType(element=element):
                self._list(form, wit_type, element, value, offset)
            case MapType(key=key, value=item):
                self._map(form, TupleType((key, item)), value, offset, keyed=key == Primitive("string"))
            case EnumType(names=names):
                numbers = self.source.constant({name: number for number, name in enumerate(names)})
                self._field(offset, form.discriminant(wit_type), f"{numbers}[{value}]")
            case FlagsType():
                self._flags(form, wit_type, value, offset)
            case HandleType():
                self._flush()
                what = self.source.constant(wit_type)
                self.source.line(f"handles.append(({what}, {value}, {self._image}, {self._at} + {offset}))")
                if form is IN_SLOTS:
                    self._field(offset, "I", "0")
            case _ if count_parts(wit_type, _INLINE_PARTS) > _INLINE_PARTS and wit_type is not self._whole:
                self._apart(form, wit_type, value, offset)
            case TupleType(elements=elements):
                self._unless(f"type({value}) is list and len({value}) == {len(elements)}")
                self._elements(form, elements, value, [str(index) for index in range(len(elements))], offset)
            case RecordType(fields=fields):
                self._unless(f"type({value}) is dict and len({value}) == {len(fields)}")
                keys = [self.source.constant(name) for name, _ in fields]
                self._elements(form, [field for _, field in fields], value, keys, offset)
            case FixedListType(element=element, length=length):
                self._fixed(form, element, length, value, offset)
            case OptionType() | ResultType() | VariantType():
                self._cases(form, wit_type, value, offset)
            case _:
                raise TypeError(f"{wit_type} cannot be lowered")

    def _apart(self, form: Form, wit_type: WitType, value: str, offset: int) -> None:
        self._flush()
        key = ("lower", wit_type, form is IN_MEMORY, self._encoding)
        function = self._shared.get(key)
        if function is None:
            inner = Lowering("value, image, at, pieces, handles, pace", self._encoding, self._shared)
            inner._whole = wit_type
            inner.value(form, wit_type, "value", "image", "at")
            function = self._shared[key] = inner.source.function()
        name = self.source.constant(function)
        self.source.line(f"{name}({value}, {self._image}, {self._at} + {offset}, pieces, handles, pace)")

    def _primitive(self, form: Form, name: str, value: str, offset: int) -> None:
        code = form.written(name)
        if name == "bool":
            self._unless(f"{value} is True or {value} is False")
        elif name == "char":
            self._unless(f"type({value}) is str and not 0xD800 <= ord({value}) < 0xE000")
            value = f"ord({value})"
        elif name in {"f32", "f64"}:
            self._unless(f"type({value}) is float")
        elif form is IN_SLOTS and name in _RANGES:
            self._unless(f"type({value}) is int and {_RANGES[name].format(value)}")
        else:
            self._unless(f"type({value}) is int")  # struct says whether it fits
        self._field(offset, code, value)

    def _string(self, form: Form, value: str, offset: int) -> None:
        data, count = self.source.name(), self.source.name()
        if self._encoding == "utf8":
            self._unless(f"type({value}) is str")
            self.source.line(f"{data} = {value}.encode()")
            count = f"len({data})"
        else:
            encode = self.source.constant(encoder(self._encoding))
            self.source.line(f"{data}, {count} = {encode}({value})")
        self._piece(form, data, STRING_ALIGNMENT[self._encoding], count, offset)

    def _piece(self, form: Form, data: str, boundary: int, count: str, offset: int) -> None:
        """Adds a piece, whose address is not known yet, and its length."""
        self.source.line(f"pieces.append(({data}, {boundary}, {self._image}, {self._at} + {offset}))")
        self._field(offset, "I", "0")
        self._field(offset + form.pointer_step, "I", count)

    def _flags(self, form: Form, wit_type: FlagsType, value: str, offset: int) -> None:
        bits, flag = self.source.name(), self.source.name()
        numbers = self.source.constant({name: 1 << index for index, name in enumerate(wit_type.names)})
        self._unless(f"type({value}) is list")
        self.source.line(f"{bits} = 0")
        with self.source.block(f"for {flag} in {value}:"):
            self.source.line(f"{bits} |= {numbers}[{flag}]")
        self._field(offset, form.flags(wit_type), bits)

    # --- several values ---

    def _elements(self, form: Form, types: Any, value: str, keys: list[str], offset: int) -> None:
        for wit_type, key, place in zip(types, keys, form.offsets(types), strict=False):
            name = self.source.name()
            self.source.line(f"{name} = {value}[{key}]")
            self._one(form, wit_type, name, offset + place)

    def _fixed(self, form: Form, element: WitType, length: int, value: str, offset: int) -> None:
        exact = "bytes" if element == Primitive("u8") else "list"
        self._unless(f"type({value}) is {exact} and len({value}) == {length}")
        self._flush()
        at, item = self.source.name(), self.source.name()
        self.source.line(f"{at} = {self._at} + {offset}")
        with self.source.block(f"for {item} in {value}:"):
            self.value(form, element, item, self._image, at)
            self.source.line(f"{at} += {form.size(element)}")

    def _list(self, form: Form, wit_type: ListType, element: WitType, value: str, offset: int) -> None:
        if wit_type.is_bytes:
            self._unless(f"type({value}) is bytes")
            self._piece(form, value, 1, f"len({value})", offset)
            return
        self._unless(f"type({value}) is list")
        image = self.source.name()
        step = size(element)
        self.source.line(f"{image} = bytearray(len({value}) * {step})")
        self._piece(form, image, alignment(element), f"len({value})", offset)
        if isinstance(element, Primitive) and element.name in _PACKED:
            self._scalars(element.name, value, image, step)
        else:
            self._items(element, value, image, step)

    def _scalars(self, name: str, value: str, image: str, step: int) -> None:
        exact = "float" if name in {"f32", "f64"} else "int"
        self._unless(f"set(map(type, {value})) <= {{{exact}}}")
        first, piece = self.source.name(), self.source.name()
        with self.source.block(f"for {first} in range(0, len({value}), {_SCALARS_AT_ONCE}):"):
            self.source.line(f"pace.step({AT_ONCE})")
            self.source.line(f"{piece} = {value}[{first}:{first} + {_SCALARS_AT_ONCE}]")
            packed = f'pack(f"<{{len({piece})}}{_PACKED[name]}", *{piece})'
            self.source.line(f"{image}[{first} * {step}:({first} + len({piece})) * {step}] = {packed}")

    def _items(self, element: WitType, value: str, image: str, step: int) -> None:
        first, piece, item, at = (self.source.name() for _ in range(4))
        self.source.line(f"{at} = 0")
        at_once = max(1, AT_ONCE // values_of(element))
        with self.source.block(f"for {first} in range(0, len({value}), {at_once}):"):
            self.source.line(f"{piece} = {value}[{first}:{first} + {at_once}]")
            self.source.line(f"pace.step({AT_ONCE if at_once < AT_ONCE else f'len({piece})'})")
            with self.source.block(f"for {item} in {piece}:"):
                self.value(IN_MEMORY, element, item, image, at)
                self.source.line(f"{at} += {step}")

    def _map(self, form: Form, entry: TupleType, value: str, offset: int, *, keyed: bool) -> None:
        entries = self.source.name()
        self._unless(f"type({value}) is {'dict' if keyed else 'list'}")
        self.source.line(f"{entries} = {f'list(map(list, {value}.items()))' if keyed else value}")
        self._list(form, ListType(entry), entry, entries, offset)

    # --- cases ---

    def _cases(self, form: Form, wit_type: CaseType, value: str, offset: int) -> None:
        self._flush()
        if form is IN_SLOTS:  # where cases share slots, what a case does not use must be zero
            start, width = f"{self._at} + {offset}", form.size(wit_type)
            zeros = self.source.constant(bytes(width))
            self.source.line(f"{self._image}[{start}:{start} + {width}] = {zeros}")
        if isinstance(wit_type, OptionType):
            self._option(form, wit_type, value, offset)
        else:
            self._keyed_cases(form, wit_type, value, offset)

    def _option(self, form: Form, wit_type: OptionType, value: str, offset: int) -> None:
        payload = value
        with self.source.block(f"if {value} is None:"):
            self._case(form, wit_type, 0, value, offset)
        with self.source.block("else:"):
            if isinstance(wit_type.payload, OptionType):
                payload = self.source.name()
                self.source.line(f"{payload} = {self.source.constant(unwrap_some)}({value})")
            self._case(form, wit_type, 1, payload, offset)

    def _keyed_cases(self, form: Form, wit_type: CaseType, value: str, offset: int) -> None:
        names = _case_names(wit_type)
        payloads = arms(wit_type)
        case, payload, number = (self.source.name() for _ in range(3))
        numbers = self.source.constant({name: index for index, name in enumerate(names)})
        self._unless(f"type({value}) is dict")
        self.source.line(f"({case}, {payload}), = {value}.items()")
        self.source.line(f"{number} = {numbers}[{case}]")
        with_payload = [index for index, part in enumerate(payloads) if part is not None]
        if len(with_payload) > _INLINE_CASES:
            self._table_of_cases(form, wit_type, payload, number, offset)
            return
        head = "if"
        for index in with_payload:
            with self.source.block(f"{head} {number} == {index}:"):
                self._case(form, wit_type, index, payload, offset)
            head = "elif"
        with self.source.block("else:" if with_payload else "if True:"):
            self._unless(f"{payload} is True")
            self.source.pack([(offset, form.discriminant(wit_type), number)], self._image, self._at)

    def _case(self, form: Form, wit_type: CaseType, number: int, payload: str, offset: int) -> None:
        self._field(offset, form.discriminant(wit_type), str(number))
        part = arms(wit_type)[number]
        if part is not None:
            self._one(form, part, payload, offset + form.payload(wit_type))
        self._flush()

    def _table_of_cases(self, form: Form, wit_type: CaseType, payload: str, number: str, offset: int) -> None:
        functions: list[Callable[..., Any]] = []
        for part in arms(wit_type):
            inner = Lowering("value, image, at, pieces, handles, pace", self._encoding, self._shared)
            if part is None:
                inner._unless("value is True")
            else:
                inner.value(form, part, "value", "image", "at")
            functions.append(inner.source.function())
        table = self.source.constant(functions)
        self.source.pack([(offset, form.discriminant(wit_type), number)], self._image, self._at)
        at = f"{self._at} + {offset + form.payload(wit_type)}"
        self.source.line(f"{table}[{number}]({payload}, {self._image}, {at}, pieces, handles, pace)")


def _case_names(wit_type: CaseType) -> tuple[str, ...]:
    if isinstance(wit_type, VariantType):
        return tuple(name for name, _ in wit_type.cases)
    if isinstance(wit_type, ResultType):
        return "ok", "err"
    raise TypeError(f"{wit_type} has no named cases")
