"""Writes the source that reads values of a type: from guest memory or core slots to plain Python values.

Everything that is read is a guest's, so every pointer, length, number of a case and character is checked; and
everything that is built is counted before, for many pointers may name one region.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from polycall.interop.errors import TrapError
from polycall.interop.ids import cut
from polycall.wasm_runtime.canonical.apart import (
    INLINE_CASES,
    INLINE_ELEMENTS,
    INLINE_LENGTH,
    SCALAR_CODES,
    SCALARS_AT_ONCE,
    stands_apart,
    when_called,
)
from polycall.wasm_runtime.canonical.forms import IN_MEMORY, Form
from polycall.wasm_runtime.canonical.layout import CaseType, alignment, arms, case_names, size, values_of
from polycall.wasm_runtime.canonical.source import Field, Source
from polycall.wasm_runtime.canonical.strings import decoder, no_text
from polycall.wasm_runtime.engine.pace import AT_ONCE
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

__all__ = ["LIFTING", "TOP", "Lifting"]

LIFTING = "image, at, crossing"
"""The parameters of a lifting function: where the value lies, and the crossing."""

TOP = "image, crossing"
"""Those of the function for all that a call takes or gives, which begins at 0."""

_SHORT_TEXT_BYTES = 512
"""Strings up to here are read in place and counted together with their neighbours: at most `AT_ONCE` of them."""

_FLOATS = frozenset({"f32", "f64"})

_Build = Callable[[], str]
"""Adds what makes the value, where the fields were read; returns its expression."""


def _character(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise TrapError(f"a char is {code:#x}, which is no Unicode scalar value")
    return chr(code)


def _no_case(found: int, count: int, name: str) -> TrapError:
    return TrapError(f"a discriminant is {found}, and {name} has the cases 0 to {count - 1}")


_CONSTANTS = {
    **{"character": _character, "no_case": _no_case, "no_text": no_text},
    **{"nan": math.nan, "isnan": math.isnan},
}


class _Image(NamedTuple):
    """What is read from: its form, the variable that holds it, and where in it to begin."""

    form: Form
    name: str
    at: str

    def place(self, offset: int) -> str:
        return f"{self.at} + {offset}" if offset else self.at


class Lifting:
    """The source of one lifting function.

    What is read goes in two steps: the fields that lie side by side are unpacked in one, then the values are built of
    them, in the order of the type: handles are moved and strings are read in that order.

    Attributes:
        source: The lines so far.
    """

    def __init__(self, encoding: str, shared: dict[Any, Callable[..., Any]], parameters: str = LIFTING) -> None:
        """Begins a function.

        Args:
            encoding: Of strings.
            shared: The functions of types that are read apart, by type and form.
            parameters: What the function takes.
        """
        self.source = Source(parameters, _CONSTANTS)
        self._encoding = encoding
        self._shared = shared
        self._whole: WitType | None = None  # what is read apart here, and so not once more
        self._fields: list[Field] = []

    @contextmanager
    def reads_text(self) -> Iterator[None]:
        """Has what is added meanwhile trap where a string is none."""
        with self.source.block("try:"):
            yield
        self.source.line("except UnicodeDecodeError as error: raise no_text(error) from None")

    def value(self, form: Form, wit_type: WitType, image: str, at: str) -> str:
        """Adds what reads a value that lies at `at` in an image; returns its expression."""
        (expression,) = self.values(form, [wit_type], image, at)
        return expression

    def values(self, form: Form, types: Sequence[WitType], image: str, at: str) -> list[str]:
        """Adds what reads values that lie side by side from `at` in an image; returns their expressions."""
        return self._read(_Image(form, image, at), list(zip(types, form.offsets(types), strict=False)))

    def _read(self, image: _Image, placed: list[tuple[WitType, int]]) -> list[str]:
        outer, self._fields = self._fields, []
        builds = [self._one(image, wit_type, offset) for wit_type, offset in placed]
        self.source.unpack(self._fields, image.name, image.at)
        self._fields = outer
        return [build() for build in builds]

    def _field(self, offset: int, code: str) -> str:
        name = self.source.name()
        self._fields.append((offset, code, name))
        return name

    def _assigned(self, expression: str) -> str:
        name = self.source.name()
        self.source.line(f"{name} = {expression}")
        return name

    # --- one value ---

    def _one(self, image: _Image, wit_type: WitType, offset: int) -> _Build:
        """Notes the fields to read; returns what builds the value of them."""
        if wit_type is not self._whole and stands_apart(wit_type, self.source.blocks):
            function = self.source.constant(self._function(image.form, wit_type))
            return lambda: self._assigned(f"{function}({image.name}, {image.place(offset)}, crossing)")
        match wit_type:
            case Primitive() | EnumType() | FlagsType() | HandleType():
                return self._leaf(image.form, wit_type, offset)
            case ListType(element=element):
                return self._list(image.form, element, offset)
            case MapType(key=key, value=value):
                return self._list(image.form, TupleType((key, value)), offset)
            case TupleType(elements=elements):
                return self._elements(image, elements, None, offset)
            case RecordType(fields=fields):
                return self._elements(image, [field for _, field in fields], [name for name, _ in fields], offset)
            case FixedListType(element=element, length=length):
                return self._fixed(image, element, length, offset)
            case OptionType() | ResultType() | VariantType():
                return self._cases(image, wit_type, offset)
        raise TypeError(f"{wit_type} cannot be lifted")

    def _leaf(self, form: Form, wit_type: Primitive | EnumType | FlagsType | HandleType, offset: int) -> _Build:
        match wit_type:
            case Primitive(name="string"):
                return self._string(form, offset)
            case Primitive(name=name):
                return self._primitive(name, form.read(name), offset)
            case EnumType(names=names):
                number, known = self._field(offset, form.discriminant(wit_type)), self.source.constant(names)
                return lambda: f"{known}[{self._checked_case(wit_type, number)}]"
            case FlagsType(names=names):
                bits = self._field(offset, form.flags(wit_type))
                bit_of = self.source.constant([(name, 1 << index) for index, name in enumerate(names)])
                # Bits that have no name say nothing and are dropped.
                return lambda: f"[name for name, bit in {bit_of} if {bits} & bit]"
        number, what = self._field(offset, "I"), self.source.constant(wit_type)
        return lambda: self._assigned(f"crossing.lift_handle({what}, {number})")

    def _function(self, form: Form, wit_type: WitType) -> Callable[..., Any]:
        """Returns the function that reads a type on its own; one for all places where it stands."""
        key = "lift", form is IN_MEMORY, wit_type
        if key not in self._shared:
            encoding, shared = self._encoding, self._shared

            def write() -> Callable[..., Any]:
                inner = Lifting(encoding, shared)
                inner._whole = wit_type
                inner.source.line(f"return {inner.value(form, wit_type, 'image', 'at')}")
                return inner.source.function()

            self._shared[key] = when_called(write)
        return self._shared[key]

    def _primitive(self, name: str, code: str, offset: int) -> _Build:
        read = self._field(offset, code)
        if name in _FLOATS:  # one NaN for all: what else its bits say is nobody's business
            return lambda: f"({read} if {read} == {read} else nan)"
        if name == "char":
            return lambda: f"character({read})"
        return lambda: f"{read} != 0" if name == "bool" and code != "?" else read

    def _string(self, form: Form, offset: int) -> _Build:
        at, length = self._pair(form, offset)
        load = self.source.constant(decoder(self._encoding))
        if self._encoding != "utf8":
            return lambda: self._assigned(f"{load}({at}, {length}, crossing)")

        def build() -> str:
            text, view = self.source.name(), self.source.name()
            with self.source.block(f"if {length} <= {_SHORT_TEXT_BYTES}:"):
                # What most strings are: read here, since a call for each would take longer than all of this.
                self.source.line(f"{view} = crossing.memory.view")
                with self.source.block(f"if {at} + {length} > len({view}):"):
                    self.source.line(f'{view} = crossing.memory.fence({at}, {length}, "a string")')
                self.source.line(f'{text} = str({view}[{at}:{at} + {length}], "utf-8")')
                self.source.line(f"crossing.short += {length} if {text}.isascii() else 4 * {length}")
            with self.source.block("else:"):
                self.source.line(f"{text} = {load}({at}, {length}, crossing)")
            return text

        return build

    def _pair(self, form: Form, offset: int) -> tuple[str, str]:
        return self._field(offset, "I"), self._field(offset + form.pointer_step, "I")

    def _checked_case(self, wit_type: CaseType, number: str) -> str:
        count, name = len(arms(wit_type)), self.source.constant(cut(str(wit_type)))
        self.source.line(f"if {number} >= {count}: raise no_case({number}, {count}, {name})")
        return number

    # --- several values ---

    def _elements(self, image: _Image, types: Sequence[WitType], names: list[str] | None, offset: int) -> _Build:
        """Reads a dict by names, or a list without."""
        placed = list(zip(types, image.form.offsets(types), strict=False))
        if len(placed) > INLINE_ELEMENTS:
            return self._many_elements(image, placed, names, offset)
        builds = [self._one(image, part, offset + place) for part, place in placed]
        if names is None:
            return lambda: f"[{', '.join([build() for build in builds])}]"
        keys = [self.source.constant(name) for name in names]
        return lambda: f"{{{', '.join([f'{key}: {build()}' for key, build in zip(keys, builds, strict=True)])}}}"

    def _many_elements(
        self, image: _Image, placed: list[tuple[WitType, int]], names: list[str] | None, offset: int
    ) -> _Build:
        functions = [self._function(image.form, part) for part, _ in placed]
        parts = list(zip(names or range(len(placed)), functions, [place for _, place in placed], strict=True))
        read = f"lift({image.name}, {image.place(offset)} + place, crossing)"
        loop = f"for key, lift, place in {self.source.constant(parts)}"
        return lambda: self._assigned(f"[{read} {loop}]" if names is None else f"{{key: {read} {loop}}}")

    def _list(self, form: Form, element: WitType, offset: int) -> _Build:
        at, length = self._pair(form, offset)

        def build() -> str:
            view, step = self.source.name(), size(element)
            self.source.line(f'{view} = crossing.memory.fence({at}, {length} * {step}, "a list", {alignment(element)})')
            if element == Primitive("u8"):
                self.source.line(f"crossing.pace.take(0, {length})")
                return self._assigned(f"bytes({view}[{at}:{at} + {length}])")
            self.source.line(f"crossing.pace.take({length} * {values_of(element)}, {length} * {step})")
            return self._items(element, view, at, length)

        return build

    def _fixed(self, image: _Image, element: WitType, length: int, offset: int) -> _Build:
        is_bytes = element == Primitive("u8")
        if length <= INLINE_LENGTH:
            build = self._elements(image, [element] * length, None, offset)
            return (lambda: f"bytes({build()})") if is_bytes else build
        # And so in memory. What it becomes was counted where it is part of a list, or stands at the beginning.
        if is_bytes:
            return lambda: f"bytes({image.name}[{image.place(offset)}:{image.place(offset + length)}])"
        return lambda: self._items(element, image.name, self._assigned(image.place(offset)), str(length))

    def _items(self, element: WitType, view: str, at: str, length: str) -> str:
        """Adds what reads items that lie one after the other, with a look at the clock now and then."""
        items, first, stop = (self.source.name() for _ in range(3))
        is_scalar = isinstance(element, Primitive) and element.name in SCALAR_CODES
        at_once = SCALARS_AT_ONCE if is_scalar else max(1, AT_ONCE // values_of(element))
        step = size(element)
        self.source.line(f"{items} = []")
        with self.source.block(f"for {first} in range(0, {length}, {at_once}):"):
            self.source.line(f"{stop} = min({first} + {at_once}, {length})")
            weight = f"* {AT_ONCE} // {SCALARS_AT_ONCE}" if is_scalar else f"* {min(AT_ONCE, values_of(element))}"
            self.source.line(f"crossing.pace.step(({stop} - {first}) {weight})")
            if is_scalar:
                self._scalars(str(element), view, f"{at} + {first} * {step}", f"{at} + {stop} * {step}", items)
            else:
                item = self.source.name()
                with self.source.block(
                    f"for {item} in range({at} + {first} * {step}, {at} + {stop} * {step}, {step}):"
                ):
                    self.source.line(f"{items}.append({self.value(IN_MEMORY, element, view, item)})")
                self.source.line("crossing.pace.take(0, crossing.short)")
                self.source.line("crossing.short = 0")
        return items

    def _scalars(self, name: str, view: str, start: str, stop: str, items: str) -> None:
        if name == "bool":
            self.source.line(f"{items} += map(bool, {view}[{start}:{stop}])")
            return
        piece = self._assigned(f'{view}[{start}:{stop}].cast("{SCALAR_CODES[name]}").tolist()')
        if name in _FLOATS:
            with self.source.block(f"if isnan(sum({piece})):"):  # then one of them is, or infinities cancel out
                self.source.line(f"{piece} = [each if each == each else nan for each in {piece}]")
        self.source.line(f"{items} += {piece}")

    # --- cases ---

    def _cases(self, image: _Image, wit_type: CaseType, offset: int) -> _Build:
        number = self._field(offset, image.form.discriminant(wit_type))
        payload_at = offset + image.form.payload(wit_type)
        payloads = arms(wit_type)

        def build() -> str:
            self._checked_case(wit_type, number)
            if len(payloads) > INLINE_CASES:
                return self._table_of_cases(image, wit_type, payload_at, number)
            result = self.source.name()
            for index, part in enumerate(payloads):
                with self.source.block(f"{'elif' if index else 'if'} {number} == {index}:"):
                    (payload,) = ("True",) if part is None else self._read(image, [(part, payload_at)])
                    self.source.line(f"{result} = {self._restored(wit_type, index, payload)}")
            return result

        return build

    def _restored(self, wit_type: CaseType, number: int, payload: str) -> str:
        if not isinstance(wit_type, OptionType):
            return f"{{{self.source.constant(case_names(wit_type)[number])}: {payload}}}"
        if not number:
            return "None"
        return f"{self.source.constant(wrap_some)}({payload})" if isinstance(wit_type.payload, OptionType) else payload

    def _table_of_cases(self, image: _Image, wit_type: CaseType, payload_at: int, number: str) -> str:
        functions = [None if part is None else self._function(image.form, part) for part in arms(wit_type)]
        table = self.source.constant(list(zip(case_names(wit_type), functions, strict=True)))
        name, function = self.source.name(), self.source.name()
        self.source.line(f"{name}, {function} = {table}[{number}]")
        payload = f"{function}({image.name}, {image.place(payload_at)}, crossing)"
        return self._assigned(f"{{{name}: True if {function} is None else {payload}}}")
