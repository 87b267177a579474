"""The `wit:` string of core modules."""

from __future__ import annotations

import pytest

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.wit_parser import parse_wit


@pytest.mark.parametrize(
    ("wit", "signature"),
    [
        ("f: func()", "func()"),
        ("f: func() -> u32", "func() -> u32"),
        ("f: func()->u32;", "func() -> u32"),
        ("export f: func(a: s32, b: s32) -> s32;", "func(a: s32, b: s32) -> s32"),
        ("f: func(a: string,)", "func(a: string)"),
        (
            "f: func(a: list<u8>) -> result<string, tuple<u8, f64>>",
            "func(a: list<u8>) -> result<string, tuple<u8, f64>>",
        ),
        ("f: func(a: option<option<char>>) -> result", "func(a: option<option<char>>) -> result"),
        ("f: func() -> result<_, string>", "func() -> result<_, string>"),
        ("f: func() -> result<bool>", "func() -> result<bool>"),
        ("// what it does\nf: /* here */ func(%type: f32)", "func(type: f32)"),
    ],
)
def test_a_declaration_is_read_with_all_inline_types(wit: str, signature: str) -> None:
    assert str(parse_wit(wit)["f"]) == signature


def test_several_declarations_stand_side_by_side() -> None:
    declared = parse_wit("a-b: func(); export c_d: func(x: u8) -> u8\n; export: func()")
    assert {name: str(signature) for name, signature in declared.items()} == {
        "a-b": "func()",
        "c_d": "func(x: u8) -> u8",
        "export": "func()",
    }


@pytest.mark.parametrize(
    ("wit", "message"),
    [
        ("f: func(a: sting)", 'wit:1:12: unknown type "sting" (did you mean "string"?)'),
        ("f: func(a: point)", 'wit:1:12: unknown type "point"'),
        ("f: func(a: u32", 'wit:1:15: expected "," or ")", got the end'),
        ("f: func(a u32)", 'wit:1:11: expected ":", got "u32"'),
        ("f: func(a: list)", 'wit:1:16: expected "<", got ")"'),
        ("f: func(a: list<u8,u8>)", 'wit:1:19: expected ">", got ","'),
        ("f: func(a: tuple<>)", 'wit:1:18: expected a type, got ">"'),
        ("f: func() -> ", "wit:1:14: expected a type, got the end"),
        ("f func()", 'wit:1:3: expected ":", got "func"'),
        ("f: func()\n  g: func()", 'wit:2:3: expected ";" or the end, got "g"'),
        ("f: func(); f: func()", 'wit:1:12: "f" is declared twice'),
        ("f: func(a: u8, a: u8)", 'wit:1:16: the parameter "a" stands twice'),
        ("f: func(a: u8) !", 'wit:1:16: a character that has no place here: "!"'),
        (f"f: func(a: {'list<' * 40}u8{'>' * 40})", "wit:1:177: types nest deeper than 32"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(wit: str, message: str) -> None:
    with pytest.raises(PreparationError) as caught:
        parse_wit(wit)
    assert str(caught.value).startswith(message)
    assert caught.value.hint


def test_an_empty_string_declares_nothing() -> None:
    assert parse_wit("  // nothing\n") == {}
