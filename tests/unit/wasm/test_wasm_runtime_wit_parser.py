"""The `wit:` string of core modules."""

from __future__ import annotations

import pytest

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.wit.wit_parser import MAX_CHARACTERS, find_signature, parse_wit


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
        ("interface i {\n  f: func()\n}", 'wit:3:1: expected ";", got "}"'),
        ("world w {\n  export f: func();", 'wit:2:20: expected "}", got the end'),
        ("record p { x: u8, x: u8 }", 'wit:1:19: "x" stands twice'),
        ("record p {}", "wit:1:12: the record is empty"),
        ("type a = u8; type a = u8;", 'wit:1:19: "a" is declared twice'),
        ("type a = b; type b = a; f: func(a)", "wit:1:10: types nest deeper than 32"),
        ("flags f {" + ",".join(f"a{at}" for at in range(33)) + "}\nx: func(f)", "wit:2:9: more than 32 flags"),
        ("use a:b/c.{d}; f: func(d)", 'wit:1:24: unknown type "d" (it is used from an interface'),
        ("resource r; f: func(a: borrow<r>)", 'wit:1:31: "r" is a resource'),
        ("f: async func()", "wit:1:1: an async function cannot be called"),
        ("/* /* */ f: func()", "wit:1:1: a comment without its end"),
        ("use a", "wit:1:1: a use without its end"),
        ("import a", 'wit:1:9: expected ";", got the end'),
        ("@since(", 'wit:1:8: expected ")", got the end'),
        ("world w { " * 17, "wit:1:169: blocks nest deeper than 16"),
        (" " * (MAX_CHARACTERS + 1), "wit:1:262145: more than 262144 characters"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(wit: str, message: str) -> None:
    with pytest.raises(PreparationError) as caught:
        parse_wit(wit)
    assert str(caught.value).startswith(message)
    assert caught.value.hint


def test_an_empty_string_declares_nothing() -> None:
    assert parse_wit("  // nothing\n") == {}


FILE = """
/// Documentation of a package.
package example:calc@0.1.0-rc.1;

use wasi:io/streams@0.2.0 as streams;

interface types {
  /* a comment /* in a comment */ */
  use wasi:io/streams@0.2.0.{input-stream, output-stream as out};
  type id = u32;
  type ids = list<id>;
  record point { x: f32, y: f32, }
  enum color { red, green }
  flags access { read, write }
  variant shape { circle(f32), nothing }
  resource blob {
    constructor(init: list<u8>);
    write: func(bytes: list<u8>);
    merge: static func(a: borrow<blob>) -> blob;
  }
  resource empty;
  @since(version = 0.2.0)
  get: func(number: id) -> option<ids>;
  paint: func(where: point, how: color, who: access) -> shape;
  open: func(from: input-stream);
  hold: func(it: borrow<blob>);
}

interface ops {
  use types.{id, ids as many};
  sum: func(many) -> id;
  both: func(a: id, many) -> (x: u32, y: string);
  get: func() -> string;
  alone: func();
}

world calc {
  import wasi:cli/environment@0.2.0;
  import log: func(text: string);
  import host: interface { secret: func(); }
  include wasi:cli/imports@0.2.0;
  use types.{id};
  type two = tuple<id, id>;
  export ops;
  export add: func(a: two, string) -> id;
  export inner: interface { twice: func(x: u8) -> u8; }
}
"""


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("add", "func(a: tuple<u32, u32>, p1: string) -> u32"),
        ("sum", "func(p0: list<u32>) -> u32"),
        ("ops#sum", "func(p0: list<u32>) -> u32"),
        ("example:calc/ops@0.1.0-rc.1#sum", "func(p0: list<u32>) -> u32"),
        ("both", "func(a: u32, p1: list<u32>) -> tuple<u32, string>"),
        ("twice", "func(x: u8) -> u8"),
        ("inner#twice", "func(x: u8) -> u8"),
        ("get", "func() -> string"),  # that of the interface which the world exports
        ("types#get", "func(number: u32) -> option<list<u32>>"),
        (
            "paint",
            "func(where: record {x: f32, y: f32}, how: enum {red, green}, who: flags {read, write}) "
            "-> variant {circle(f32), nothing}",
        ),
    ],
)
def test_a_function_is_found_in_a_whole_file(method: str, signature: str) -> None:
    assert str(find_signature(FILE, method)) == signature


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("log", 'the wit does not declare "log"'),  # an import is nothing to call
        ("secret", 'the wit does not declare "secret"'),
        ("alon", 'the wit does not declare "alon" (did you mean "alone"'),
        ("types#sum", 'the wit does not declare "types#sum"'),
        (
            "open",
            'wit:25:20: unknown type "input-stream" (it is used from an interface that does not stand in this text',
        ),
        ("hold", 'wit:26:25: "blob" is a resource'),
    ],
)
def test_a_function_that_cannot_be_had_is_told_why(method: str, message: str) -> None:
    with pytest.raises(PreparationError) as caught:
        find_signature(FILE, method)
    assert str(caught.value).startswith(message)


def test_a_name_in_several_interfaces_must_be_told_apart() -> None:
    wit = "interface a { f: func(); g: func(); } interface b { f: func(x: u8); g: func(); }"
    assert str(find_signature(wit, "b#f")) == "func(x: u8)"
    assert str(find_signature(wit, "g")) == "func()"  # both are the same
    with pytest.raises(PreparationError, match=r'declares "f" more than once \(it declares a#f, b#f\)'):
        find_signature(wit, "f")


def test_keywords_are_names_where_a_colon_follows() -> None:
    wit = "use: func(); world: func(); type: func(); import: func(); package: func(); %record: func()"
    assert list(parse_wit(wit)) == ["use", "world", "type", "import", "package", "record"]


def test_names_that_repeat_large_types_are_bounded() -> None:
    levels = "".join(f"type t{at} = tuple<t{at - 1}, t{at - 1}, t{at - 1}, t{at - 1}>;" for at in range(1, 12))
    assert str(find_signature(f"type t0 = u8; {levels} f: func(t1)", "f")) == "func(p0: tuple<u8, u8, u8, u8>)"
    with pytest.raises(PreparationError, match="more than 10000 parts"):
        find_signature(f"type t0 = u8; {levels} f: func(t11)", "f")


def test_names_and_functions_that_repeat_are_bounded() -> None:
    def named(length: int) -> str:
        return f"record r {{ {'x' * length}: u8 }} f: func(a: tuple<{', '.join(['r'] * 100)}>)"

    def interfaces(count: int) -> str:
        fields = ", ".join(f"a{at}: u8" for at in range(1_000))
        return f"record r {{ {fields} }} " + " ".join(f"interface i{at} {{ f: func(a: r); }}" for at in range(count))

    assert len(find_signature(named(10), "f").params) == len(find_signature(interfaces(3), "f").params) == 1
    for wit in (named(100_000), interfaces(1_000)):
        with pytest.raises(PreparationError, match="more than 10000 parts"):
            find_signature(wit, "f")
