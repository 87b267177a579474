"""Every WIT type with a value it takes and the value it gives back."""

from __future__ import annotations

import math

from polycall.interop.values import Value
from polycall.wasm_runtime.wit.wit_types import (
    INTEGER_RANGES,
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)

__all__ = ["INLINE", "NAMED"]

BOOL, U8, U32, U64 = Primitive("bool"), Primitive("u8"), Primitive("u32"), Primitive("u64")
F32, F64, CHAR, STRING = Primitive("f32"), Primitive("f64"), Primitive("char"), Primitive("string")
POINT = RecordType((("x", Primitive("s32")), ("y", Primitive("s32"))))

NESTED: Value = {"inner": {"x": 1, "y": 2}, "tags": ["a"]}

INLINE: list[tuple[WitType, Value, Value]] = [
    *((Primitive(name), values.start, values.start) for name, values in INTEGER_RANGES.items()),
    *((Primitive(name), values.stop - 1, values.stop - 1) for name, values in INTEGER_RANGES.items()),
    (BOOL, True, True),
    (BOOL, False, False),
    (F32, 0.1, 0.10000000149011612),
    (F32, -math.inf, -math.inf),
    (F64, 0.1, 0.1),
    (F64, 5e-324, 5e-324),
    (F64, 3, 3.0),
    (CHAR, "a", "a"),
    (CHAR, "\U0010ffff", "\U0010ffff"),
    (STRING, "", ""),
    (STRING, "nul \x00, ünï, 漢, 😀", "nul \x00, ünï, 漢, 😀"),
    (ListType(U8), b"", b""),
    (ListType(U8), bytes(range(256)), bytes(range(256))),
    (ListType(U8), [1, 2, 3], b"\x01\x02\x03"),
    (ListType(U8), "é", "é".encode()),
    (ListType(U32), [], []),
    (ListType(U32), {}, []),
    (ListType(U32), list(range(1000)), list(range(1000))),
    (ListType(STRING), ["a", "", "ccc"], ["a", "", "ccc"]),
    (ListType(ListType(U8)), [b"a", b"", b"\xff"], [b"a", b"", b"\xff"]),
    (TupleType((U8, STRING, F64)), [1, "x", 2.5], [1, "x", 2.5]),
    (TupleType((U32,)), [7], [7]),
    (OptionType(U32), None, None),
    (OptionType(U32), 0, 0),
    (OptionType(STRING), "", ""),
    (OptionType(OptionType(U32)), None, None),
    (OptionType(OptionType(U32)), {"some": None}, {"some": None}),
    (OptionType(OptionType(U32)), 5, 5),
    (OptionType(OptionType(OptionType(U8))), {"some": {"some": None}}, {"some": {"some": None}}),
    (ResultType(U32, STRING), {"ok": 7}, {"ok": 7}),
    (ResultType(U32, STRING), {"err": "no"}, {"err": "no"}),
    (ResultType(None, STRING), {"ok": None}, {"ok": True}),
    (ResultType(U64, None), {"err": True}, {"err": True}),
    (ResultType(None, None), {"ok": True}, {"ok": True}),
    (ResultType(OptionType(U8), None), {"ok": None}, {"ok": None}),
]

NAMED: list[tuple[WitType, Value, Value]] = [
    (POINT, {"x": -1, "y": 2.0}, {"x": -1, "y": 2}),
    (RecordType((("only", U8),)), {"only": 9}, {"only": 9}),
    (RecordType((("note", OptionType(STRING)), ("id", U32))), {"id": 1}, {"note": None, "id": 1}),
    (RecordType((("inner", POINT), ("tags", ListType(STRING)))), NESTED, NESTED),
    (VariantType((("a", U32), ("b", BOOL))), {"a": 1}, {"a": 1}),
    (VariantType((("a", U32), ("b", BOOL))), {"b": True}, {"b": True}),
    (VariantType((("a", U32), ("b", U32))), {"b": 1}, {"b": 1}),
    (VariantType((("none", None), ("both", TupleType((F32, STRING))))), {"none": True}, {"none": True}),
    (VariantType((("none", None), ("both", TupleType((F32, STRING))))), {"both": [0.5, "x"]}, {"both": [0.5, "x"]}),
    (EnumType(("red", "green", "blue")), "blue", "blue"),
    (EnumType(("red", "green", "blue")), 1, "green"),
    (EnumType(tuple(f"c{index}" for index in range(200))), "c199", "c199"),
    (EnumType(tuple(f"c{index}" for index in range(300))), "c299", "c299"),
    (VariantType((*((f"c{index}", None) for index in range(300)), ("wide", U64))), {"wide": 2**40}, {"wide": 2**40}),
    (VariantType((("f", F32), ("d", F64), ("s", STRING))), {"s": "x"}, {"s": "x"}),
    (FlagsType(("r", "w")), [], []),
    (FlagsType(("r", "w")), ["w", "r"], ["r", "w"]),
    (FlagsType(tuple(f"f{index}" for index in range(9))), ["f8"], ["f8"]),
    (FlagsType(tuple(f"f{index}" for index in range(32))), ["f0", "f31"], ["f0", "f31"]),
    (OptionType(POINT), {"x": 1, "y": 1}, {"x": 1, "y": 1}),
    (ListType(POINT), [{"x": 1, "y": 2}], [{"x": 1, "y": 2}]),
    (
        OptionType(OptionType(RecordType((("some", OptionType(U8)),)))),
        {"some": {"some": None}},
        {"some": {"some": None}},
    ),
]
