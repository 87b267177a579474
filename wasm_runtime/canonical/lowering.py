"""Writes the source that packs values of a type: from plain Python values to images of guest memory or of core slots.

What it accepts is exact (an int that is no bool, a dict with just the fields) and is checked as it is packed. Anything
else raises one of `MISFITS`; the slow check then says what is wrong, or makes the value exact.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from polycall.wasm_runtime.canonical.apart import (
    INLINE_CASES,
    INLINE_ELEMENTS,
    INLINE_LENGTH,
    SCALAR_CODES,
    SCALARS_AT_ONCE,
    stands_apart,
    when_called,
)
from polycall.wasm_runtime.canonical.forms import IN_MEMORY, IN_SLOTS, Form
from polycall.wasm_runtime.canonical.layout import CaseType, alignment, arms, case_names, size, values_of
from polycall.wasm_runtime.canonical.pieces import MAX_BYTES, too_large
from polycall.wasm_runtime.canonical.source import Field, Source
from polycall.wasm_runtime.canonical.strings import STRING_ALIGNMENT, encoder
from polycall.wasm_runtime.engine.pace import AT_ONCE
from polycall.wasm_runtime.wit.check_values import PLAIN_TYPES, unwrap_some
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

__all__ = ["LOWERING", "MISFITS", "Lowering", "MisfitError"]

LOWERING = "image, at, pieces, handles, pace"
"""The parameters of a lowering function, behind the value: where it goes, and what it fills and asks.

``pieces`` and ``handles`` are the lists of `polycall.wasm_runtime.canonical.pieces.Pieces`.
"""


class MisfitError(Exception):
    """A value is not exactly of its type; raised and caught within `polycall.wasm_runtime.canonical`."""


MISFITS = (MisfitError, struct.error, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What packing raises for a value that is not exactly of its type."""

_RANGES = {"s8": "-128 <= {0} < 128", "u8": "0 <= {0} < 256", "s16": "-32768 <= {0} < 32768", "u16": "0 <= {0} < 65536"}
_FLOATS = frozenset({"f32", "f64"})
_CONSTANTS = {
    **{"Misfit": MisfitError, "pack_into": struct.pack_into, "too_large": too_large},
    **{"PLAIN_TYPES": PLAIN_TYPES, "MAX_BYTES": MAX_BYTES},
}


class Lowering:
    """The source of one lowering function.

    Attributes:
        source: The lines so far.
    """

    def __init__(self, values: str, encoding: str, shared: dict[Any, Callable[..., Any]]) -> None:
        """Begins a function.

        Args:
            values: Its first parameters; `LOWERING` follows.
            encoding: Of strings.
            shared: The functions of types that are packed apart, by type and form.
        """
        self.source = Source(f"{values}, {LOWERING}", _CONSTANTS)
        self._encoding = encoding
        self._shared = shared
        self._whole: WitType | None = None  # what is packed apart here, and so not once more
        # Fields side by side are packed in one step. They wait here until something comes that is no field.
        self._fields: list[Field] = []
        self._image = self._at = ""

    def value(self, form: Form, wit_type: WitType, value: str, image: str, at: str) -> None:
        """Adds what packs a value: into an image of zeros (in slots: of anything)."""
        self.values(form, [wit_type], [value], image, at)

    def values(self, form: Form, types: Sequence[WitType], values: list[str], image: str, at: str) -> None:
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

    def _place(self, offset: int) -> str:
        return f"{self._at} + {offset}" if offset else self._at

    # --- one value ---

    def _one(self, form: Form, wit_type: WitType, value: str, offset: int) -> None:
        if wit_type is not self._whole and stands_apart(wit_type, self.source.blocks):
            self._flush()
            function = self.source.constant(self._function(form, wit_type))
            self.source.line(f"{function}({value}, {self._image}, {self._place(offset)}, pieces, handles, pace)")
            return
        match wit_type:
            case Primitive() | EnumType() | FlagsType() | HandleType():
                self._leaf(form, wit_type, value, offset)
            case ListType(element=element):
                self._list(form, element, value, offset)
            case MapType(key=key, value=item):
                self._list(form, TupleType((key, item)), value, offset)
            case TupleType(elements=elements):
                self._unless(f"type({value}) is list and len({value}) == {len(elements)}")
                self._elements(form, elements, value, range(len(elements)), offset)
            case RecordType(fields=fields):
                self._unless(f"type({value}) is dict and len({value}) == {len(fields)}")
                self._elements(form, [field for _, field in fields], value, [name for name, _ in fields], offset)
            case FixedListType(element=element, length=length):
                self._fixed(form, element, length, value, offset)
            case OptionType() | ResultType() | VariantType():
                self._cases(form, wit_type, value, offset)
            case _:
                raise TypeError(f"{wit_type} cannot be lowered")

    def _leaf(
        self, form: Form, wit_type: Primitive | EnumType | FlagsType | HandleType, value: str, offset: int
    ) -> None:
        match wit_type:
            case Primitive(name="string"):
                self._string(form, value, offset)
            case Primitive(name=name):
                self._primitive(form, name, value, offset)
            case EnumType(names=names):
                numbers = self.source.constant({name: number for number, name in enumerate(names)})
                self._field(offset, form.discriminant(wit_type), f"{numbers}[{value}]")
            case FlagsType():
                self._flags(form, wit_type, value, offset)
            case HandleType():
                self._handle(form, wit_type, value, offset)

    def _function(self, form: Form, wit_type: WitType) -> Callable[..., Any]:
        """Returns the function that packs a type on its own; one for all places where it stands."""
        key = "lower", form is IN_MEMORY, wit_type
        if key not in self._shared:
            encoding, shared = self._encoding, self._shared

            def write() -> Callable[..., Any]:
                inner = Lowering("value", encoding, shared)
                inner._whole = wit_type
                inner.value(form, wit_type, "value", "image", "at")
                return inner.source.function()

            self._shared[key] = when_called(write)
        return self._shared[key]

    def _primitive(self, form: Form, name: str, value: str, offset: int) -> None:
        if name == "bool":
            self._unless(f"{value} is True or {value} is False")
        elif name == "char":
            self._unless(f"type({value}) is str and not 0xD800 <= ord({value}) < 0xE000")
            value = f"ord({value})"
        elif name in _FLOATS:
            self._unless(f"type({value}) is float")
        elif form is IN_SLOTS and name in _RANGES:
            self._unless(f"type({value}) is int and {_RANGES[name].format(value)}")
        else:
            self._unless(f"type({value}) is int")  # struct says whether it fits
        self._field(offset, form.written(name), value)

    def _string(self, form: Form, value: str, offset: int) -> None:
        data, count = self.source.name(), self.source.name()
        self._unless(f"type({value}) is str")
        if self._encoding == "utf8":
            self.source.line(f"{data} = {value}.encode()")
            count = f"len({data})"
        else:
            self.source.line(f"{data}, {count} = {self.source.constant(encoder(self._encoding))}({value})")
        self._refuse_large(f"len({data})")
        self._piece(form, data, STRING_ALIGNMENT[self._encoding], count, offset)

    def _refuse_large(self, length: str) -> None:
        self.source.line(f"if {length} > MAX_BYTES: raise too_large({length})")

    def _piece(self, form: Form, data: str, boundary: int, count: str, offset: int) -> None:
        """Adds a piece, whose address is not known yet, and the length that the guest is told."""
        self.source.line(f"pieces.append(({data}, {boundary}, {self._image}, {self._place(offset)}))")
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

    def _handle(self, form: Form, wit_type: HandleType, value: str, offset: int) -> None:
        # Which resource it is, and whether it may be used here, says the table that it enters, when all else fits.
        self._unless(f"type({value}) not in PLAIN_TYPES")
        what = self.source.constant(wit_type)
        self.source.line(f"handles.append(({what}, {value}, {self._image}, {self._place(offset)}))")
        self._field(offset, "I", "0")

    # --- several values ---

    def _elements(self, form: Form, types: Sequence[WitType], value: str, keys: Sequence[object], offset: int) -> None:
        placed = list(zip(types, keys, form.offsets(types), strict=False))
        if len(placed) > INLINE_ELEMENTS:
            self._flush()
            table = self.source.constant([(key, self._function(form, part), place) for part, key, place in placed])
            key, function, place = (self.source.name() for _ in range(3))
            with self.source.block(f"for {key}, {function}, {place} in {table}:"):
                at = f"{self._place(offset)} + {place}"
                self.source.line(f"{function}({value}[{key}], {self._image}, {at}, pieces, handles, pace)")
            return
        for part, key_of, distance in placed:
            name = self.source.name()
            self.source.line(f"{name} = {value}[{self.source.constant(key_of)}]")
            self._one(form, part, name, offset + distance)

    def _list(self, form: Form, element: WitType, value: str, offset: int) -> None:
        if element == Primitive("u8"):
            self._unless(f"type({value}) is bytes")
            self._refuse_large(f"len({value})")
            self._piece(form, value, 1, f"len({value})", offset)
            return
        image, length = self.source.name(), self.source.name()
        self._unless(f"type({value}) is list")
        self.source.line(f"{length} = len({value}) * {size(element)}")
        self._refuse_large(length)
        self.source.line(f"{image} = bytearray({length})")
        # Before its items are packed: pieces stand in the order in which the Canonical ABI allocates.
        self._piece(form, image, alignment(element), f"len({value})", offset)
        self._items(element, value, image, "0")

    def _fixed(self, form: Form, element: WitType, length: int, value: str, offset: int) -> None:
        is_bytes = element == Primitive("u8")
        self._unless(f"type({value}) is {'bytes' if is_bytes else 'list'} and len({value}) == {length}")
        if form is IN_MEMORY and is_bytes:
            self._field(offset, f"{length}s", value)
        elif length <= INLINE_LENGTH:
            self._elements(form, [element] * length, value, range(length), offset)
        else:  # and so in memory
            self._flush()
            self._items(element, value, self._image, self._place(offset))

    def _items(self, element: WitType, value: str, image: str, at: str) -> None:
        """Adds what packs the items of a list one after the other, with a look at the clock now and then."""
        if isinstance(element, Primitive) and element.name in SCALAR_CODES:
            self._scalars(element.name, value, image, at)
            return
        first, piece, item, place = (self.source.name() for _ in range(4))
        at_once = max(1, AT_ONCE // values_of(element))
        self.source.line(f"{place} = {at}")
        with self.source.block(f"for {first} in range(0, len({value}), {at_once}):"):
            self.source.line(f"{piece} = {value}[{first}:{first} + {at_once}]")
            self.source.line(f"pace.step(len({piece}) * {min(AT_ONCE, values_of(element))})")
            with self.source.block(f"for {item} in {piece}:"):
                self.value(IN_MEMORY, element, item, image, place)
                self.source.line(f"{place} += {size(element)}")

    def _scalars(self, name: str, value: str, image: str, at: str) -> None:
        exact = "float" if name in _FLOATS else "bool" if name == "bool" else "int"
        first, piece = self.source.name(), self.source.name()
        with self.source.block(f"for {first} in range(0, len({value}), {SCALARS_AT_ONCE}):"):
            self.source.line(f"{piece} = {value}[{first}:{first} + {SCALARS_AT_ONCE}]")
            self._unless(f"list(map(type, {piece})).count({exact}) == len({piece})")
            self.source.line(f"pace.step(len({piece}) * {AT_ONCE} // {SCALARS_AT_ONCE})")
            place = f"{at} + {first} * {size(Primitive(name))}"
            self.source.line(f'pack_into(f"<{{len({piece})}}{SCALAR_CODES[name]}", {image}, {place}, *{piece})')

    # --- cases ---

    def _cases(self, form: Form, wit_type: CaseType, value: str, offset: int) -> None:
        self._flush()
        if form is IN_SLOTS:  # where cases share slots, what a case does not use must be zero
            width = form.size(wit_type)
            zeros = self.source.constant(bytes(width))
            start = self._place(offset)
            self.source.line(f"{self._image}[{start}:{start} + {width}] = {zeros}")
        if isinstance(wit_type, OptionType):
            self._option(form, wit_type, value, offset)
        else:
            self._keyed_cases(form, wit_type, value, offset)

    def _option(self, form: Form, wit_type: OptionType, value: str, offset: int) -> None:
        payload = value
        with self.source.block(f"if {value} is not None:"):
            if isinstance(wit_type.payload, OptionType):
                payload = self.source.name()
                self.source.line(f"{payload} = {self.source.constant(unwrap_some)}({value})")
            self._case(form, wit_type, 1, payload, offset)
        # None is what zeros mean, and zeros are there.

    def _keyed_cases(self, form: Form, wit_type: CaseType, value: str, offset: int) -> None:
        payloads = arms(wit_type)
        case, payload, number = (self.source.name() for _ in range(3))
        numbers = self.source.constant({name: index for index, name in enumerate(case_names(wit_type))})
        self._unless(f"type({value}) is dict")
        self.source.line(f"({case}, {payload}), = {value}.items()")
        self.source.line(f"{number} = {numbers}[{case}]")
        if len(payloads) > INLINE_CASES:
            self._table_of_cases(form, wit_type, payload, number, offset)
            return
        head = "if"
        for index, part in enumerate(payloads):
            if part is not None:
                with self.source.block(f"{head} {number} == {index}:"):
                    self._case(form, wit_type, index, payload, offset)
                head = "elif"
        with self.source.block("else:" if head == "elif" else "if True:"):
            self._unless(f"{payload} is True")
            self.source.pack([(offset, form.discriminant(wit_type), number)], self._image, self._at)

    def _case(self, form: Form, wit_type: CaseType, number: int, payload: str, offset: int) -> None:
        self._field(offset, form.discriminant(wit_type), str(number))
        part = arms(wit_type)[number]
        if part is not None:
            self._one(form, part, payload, offset + form.payload(wit_type))
        self._flush()

    def _table_of_cases(self, form: Form, wit_type: CaseType, payload: str, number: str, offset: int) -> None:
        functions = [None if part is None else self._function(form, part) for part in arms(wit_type)]
        function = self.source.name()
        self.source.line(f"{function} = {self.source.constant(functions)}[{number}]")
        self.source.pack([(offset, form.discriminant(wit_type), number)], self._image, self._at)
        with self.source.block(f"if {function} is None:"):
            self._unless(f"{payload} is True")
        with self.source.block("else:"):
            at = self._place(offset + form.payload(wit_type))
            self.source.line(f"{function}({payload}, {self._image}, {at}, pieces, handles, pace)")
