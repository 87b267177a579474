"""Writes the source that reads values of a type: from guest memory or core slots to plain Python values.

Everything that is read is a guest's, so every pointer, length, number of a case and character is checked; and everything
that is built is counted before, for many pointers may name one region.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof
from typing import Any

from polycall.interop.errors import TrapError
from polycall.interop.ids import cut
from polycall.wasm_runtime.canonical.forms import IN_MEMORY, Form
from polycall.wasm_runtime.canonical.layout import CaseType, alignment, arms, count_parts, size, values_of
from polycall.wasm_runtime.canonical.source import Field, Source
from polycall.wasm_runtime.canonical.strings import decoder
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

__all__ = ["Lifting"]

_INLINE_PARTS = 64
_INLINE_CASES = 16
_SCALARS_AT_ONCE = 50 * AT_ONCE
_SHORT_TEXT_BYTES = 512
"""Strings up to here are read in place and counted together with their neighbours: at most `AT_ONCE` of them."""

_CAST = {
    "s8": "b",
    "u8": "B",
    "s16": "h",
    "u16": "H",
    "s32": "i",
    "u32": "I",
    "s64": "q",
    "u64": "Q",
    "f32": "f",
    "f64": "d",
}

_Build = Callable[[], str]
"""Adds what makes the value, where the fields were read; returns its expression."""


def _character(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise TrapError(f"a char is {code:#x}, which is no Unicode scalar value")
    return chr(code)


def _no_case(found: int, count: int, name: str) -> TrapError:
    return TrapError(f"a discriminant is {found}, and {name} has the cases 0 to {count - 1}")


class Lifting:
    """The source of one lifting function: ``(image, at, crossing)`` beside others.

    Attributes:
        source: The lines so far.
    """

    def __init__(self, parameters: str, encoding: str, shared: dict[Any, Callable[..., Any]]) -> None:
        """Begins a function.

        Args:
            parameters: Its parameters; among them ``crossing``.
            encoding: Of strings.
            shared: The functions of types that are read apart, by type and form.
        """
        constants = {"character": _character, "no_case": _no_case, "sizeof": getsizeof, "AT_ONCE": AT_ONCE}
        self.source = Source(parameters, constants)
        self._encoding = encoding
        self._shared = shared
        self._whole: WitType | None = None  # what is read apart here, and so not once more
        self._fields: list[Field] = []

    def values(self, form: Form, types: list[WitType], image: str, at: str) -> list[str]:
        """Adds what reads values that lie side by side from `at` in an image; returns their expressions."""
        return self._read(form, list(zip(types, form.offsets(types), strict=False)), image, at)

    def value(self, form: Form, wit_type: WitType, image: str, at: str, offset: int = 0) -> str:
        """Adds what reads a value at an offset from `at` in an image; returns its expression."""
        (expression,) = self._read(form, [(wit_type, offset)], image, at)
        return expression

    def _read(self, form: Form, placed: list[tuple[WitType, int]], image: str, at: str) -> list[str]:
        outer, self._fields = self._fields, []
        builds = [self._one(form, wit_type, image, at, offset) for wit_type, offset in placed]
        self.source.unpack(self._fields, image, at)
        self._fields = outer
        return [build() for build in builds]

    def _field(self, offset: int, code: str) -> str:
        name = self.source.name()
        self._fields.append((offset, code, name))
        return name

    # --- one value ---

    def _one(self, form: Form, wit_type: WitType, image: str, at: str, offset: int) -> _Build:
        """Notes the fields to read; returns what builds the value of them."""
        match wit_type:
            case Primitive(name="string"):
                return self._string(form, offset)
            case Primitive(name=name):
                read = self._field(offset, form.read(name))
                # A bool of memory is read by struct as one.
                shown = {"bool": f"{read} != 0", "char": f"character({read})"}.get(name, read)
                return lambda: shown
            case ListType(element=element):
                return self._list(form, wit_type, element, offset)
            case MapType(key=key, value=value):
                entries = self._list(form, ListType(TupleType((key, value))), TupleType((key, value)), offset)
                return (lambda: f"dict({entries()})") if key == Primitive("string") else entries
            case EnumType(names=names):
                return self._enum(form, wit_type, names, offset)
            case FlagsType(names=names):
                bits = self._field(offset, form.flags(wit_type))
                known = self.source.constant([(name, 1 << index) for index, name in enumerate(names)])
                # Bits that have no name say nothing and are dropped.
                return lambda: f"[name for name, bit in {known} if {bits} & bit]"
            case HandleType():
                number, what = self._field(offset, "I"), self.source.constant(wit_type)
                return lambda: self._assigned(f"crossing.lift_handle({what}, {number})")
            case _ if count_parts(wit_type, _INLINE_PARTS) > _INLINE_PARTS and wit_type is not self._whole:
                return lambda: self._apart(form, wit_type, image, at, offset)
            case TupleType(elements=elements):
                builds = self._elements(form, elements, image, at, offset)
                return lambda: f"[{', '.join([build() for build in builds])}]"
            case RecordType(fields=fields):
                builds = self._elements(form, [field for _, field in fields], image, at, offset)
                keys = [self.source.constant(name) for name, _ in fields]
                return lambda: (
                    f"{{{', '.join([f'{key}: {build()}' for key, build in zip(keys, builds, strict=True)])}}}"
                )
            case FixedListType(element=element, length=length):
                return lambda: self._fixed(form, element, length, image, f"{at} + {offset}")
            case OptionType() | ResultType() | VariantType():
                return self._cases(form, wit_type, image, at, offset)
        raise TypeError(f"{wit_type} cannot be lifted")

    def _assigned(self, expression: str) -> str:
        name = self.source.name()
        self.source.line(f"{name} = {expression}")
        return name

    def _apart(self, form: Form, wit_type: WitType, image: str, at: str, offset: int) -> str:
        key = ("lift", wit_type, form is IN_MEMORY, self._encoding)
        function = self._shared.get(key)
        if function is None:
            inner = Lifting("image, at, crossing", self._encoding, self._shared)
            inner._whole = wit_type
            inner.source.line(f"return {inner.value(form, wit_type, 'image', 'at')}")
            function = self._shared[key] = inner.source.function()
        return self._assigned(f"{self.source.constant(function)}({image}, {at} + {offset}, crossing)")

    def _elements(self, form: Form, types: Any, image: str, at: str, offset: int) -> list[_Build]:
        placed = zip(types, form.offsets(types), strict=False)
        return [self._one(form, wit_type, image, at, offset + place) for wit_type, place in placed]

    def _pair(self, form: Form, offset: int) -> tuple[str, str]:
        return self._field(offset, "I"), self._field(offset + form.pointer_step, "I")

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

    def _enum(self, form: Form, wit_type: EnumType, names: tuple[str, ...], offset: int) -> _Build:
        number = self._field(offset, form.discriminant(wit_type))
        known, name = self.source.constant(names), self.source.constant(cut(str(wit_type)))

        def build() -> str:
            self.source.line(f"if {number} >= {len(names)}: raise no_case({number}, {len(names)}, {name})")
            return f"{known}[{number}]"

        return build

    # --- lists ---

    def _list(self, form: Form, wit_type: ListType, element: WitType, offset: int) -> _Build:
        at, length = self._pair(form, offset)

        def build() -> str:
            view, step = self.source.name(), size(element)
            self.source.line(f'{view} = crossing.memory.fence({at}, {length} * {step}, "a list", {alignment(element)})')
            if wit_type.is_bytes:
                self.source.line(f"crossing.pace.take(0, {length})")
                return self._assigned(f"bytes({view}[{at}:{at} + {length}])")
            self.source.line(f"crossing.pace.take({length} * {values_of(element)}, {length} * {step})")
            if isinstance(element, Primitive) and element.name in _CAST:
                return self._scalars(view, at, length, step, _CAST[element.name])
            return self._items(element, view, at, length, step)

        return build

    def _scalars(self, view: str, at: str, length: str, step: int, code: str) -> str:
        items, first, stop = (self.source.name() for _ in range(3))
        self.source.line(f"{items} = []")
        stride = _SCALARS_AT_ONCE * step
        with self.source.block(f"for {first} in range({at}, {at} + {length} * {step}, {stride}):"):
            self.source.line("crossing.pace.step(AT_ONCE)")
            self.source.line(f"{stop} = min({first} + {stride}, {at} + {length} * {step})")
            self.source.line(f'{items} += {view}[{first}:{stop}].cast("{code}").tolist()')
        return items

    def _items(self, element: WitType, view: str, at: str, length: str, step: int) -> str:
        items, first, stop, item = (self.source.name() for _ in range(4))
        at_once = max(1, AT_ONCE // values_of(element))
        self.source.line(f"{items} = []")
        with self.source.block(f"for {first} in range(0, {length}, {at_once}):"):
            self.source.line(f"{stop} = min({first} + {at_once}, {length})")
            self.source.line(
                "crossing.pace.step(AT_ONCE)" if at_once < AT_ONCE else f"crossing.pace.step({stop} - {first})"
            )
            with self.source.block(f"for {item} in range({at} + {first} * {step}, {at} + {stop} * {step}, {step}):"):
                self.source.line(f"{items}.append({self.value(IN_MEMORY, element, view, item)})")
            self.source.line("crossing.pace.take(0, crossing.short)")
            self.source.line("crossing.short = 0")
        return items

    def _fixed(self, form: Form, element: WitType, length: int, image: str, at: str) -> str:
        items, item, step = self.source.name(), self.source.name(), form.size(element)
        self.source.line(f"{items} = []")
        self.source.line(f"crossing.pace.take({length})")
        with self.source.block(f"for {item} in range({at}, {at} + {length * step}, {step}):"):
            self.source.line(f"{items}.append({self.value(form, element, image, item)})")
        return f"bytes({items})" if element == Primitive("u8") else items

    # --- cases ---

    def _cases(self, form: Form, wit_type: CaseType, image: str, at: str, offset: int) -> _Build:
        number = self._field(offset, form.discriminant(wit_type))
        payload_at = offset + form.payload(wit_type)
        payloads = arms(wit_type)

        def build() -> str:
            result, count = self.source.name(), len(payloads)
            name = self.source.constant(cut(str(wit_type)))
            self.source.line(f"if {number} >= {count}: raise no_case({number}, {count}, {name})")
            if len(payloads) > _INLINE_CASES:
                self._table_of_cases(form, wit_type, image, f"{at} + {payload_at}", number, result)
                return result
            for index, part in enumerate(payloads):
                with self.source.block(f"{'elif' if index else 'if'} {number} == {index}:"):
                    payload = None if part is None else self.value(form, part, image, at, payload_at)
                    self.source.line(f"{result} = {self._restored(wit_type, index, payload)}")
            return result

        return build

    def _restored(self, wit_type: CaseType, number: int, payload: str | None) -> str:
        if isinstance(wit_type, OptionType):
            if not number:
                return "None"
            nested = isinstance(wit_type.payload, OptionType)
            return f"{self.source.constant(wrap_some)}({payload})" if nested else str(payload)
        names = (
            ("ok", "err") if isinstance(wit_type, ResultType) else tuple(name for name, _ in _variant(wit_type).cases)
        )
        return f"{{{self.source.constant(names[number])}: {payload or 'True'}}}"

    def _table_of_cases(self, form: Form, wit_type: CaseType, image: str, at: str, number: str, result: str) -> None:
        functions: list[Callable[..., Any]] = []
        for index, part in enumerate(arms(wit_type)):
            inner = Lifting("image, at, crossing", self._encoding, self._shared)
            payload = None if part is None else inner.value(form, part, "image", "at")
            inner.source.line(f"return {inner._restored(wit_type, index, payload)}")
            functions.append(inner.source.function())
        self.source.line(f"{result} = {self.source.constant(functions)}[{number}]({image}, {at}, crossing)")


def _variant(wit_type: CaseType) -> VariantType:
    if not isinstance(wit_type, VariantType):
        raise TypeError(f"{wit_type} has no named cases")
    return wit_type
