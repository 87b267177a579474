"""What a component's binary says, by text that the engine assembles, and by bytes that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component import definitions as d
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.writer import COMPONENT_HEADER

GUESTS = sorted((Path(__file__).parents[2] / "guests" / "bin").glob("*.wasm"))


def definitions(text: str) -> tuple[d.Definition, ...]:
    return decode(bytes(wasmtime.wat2wasm(f"(component {text})"))).definitions


def refusal(data: bytes) -> str:
    with pytest.raises(PreparationError) as caught:
        decode(COMPONENT_HEADER + data)
    return caught.value.message.removeprefix("is not a component that polycall can run: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bool", d.Primitive("bool")),
        ("string", d.Primitive("string")),
        ('(record (field "a" u8) (field "b" string))', d.Record((("a", "u8"), ("b", "string")))),
        ('(variant (case "a") (case "b" s64))', d.Variant((d.Case("a", None), d.Case("b", "s64")))),
        ("(list char)", d.List("char")),
        ("(tuple f32 f64)", d.Tuple(("f32", "f64"))),
        ('(flags "a" "b")', d.Flags(("a", "b"))),
        ('(enum "a" "b")', d.Enum(("a", "b"))),
        ("(option u16)", d.Option("u16")),
        ("(result)", d.Result(None, None)),
        ("(result u32 (error string))", d.Result("u32", "string")),
        ("(resource (rep i32))", d.ResourceType(None)),
        ('(func (param "a" u8) (result s8))', d.FuncType((("a", "u8"),), "s8", is_async=False)),
        ("(func)", d.FuncType((), None, is_async=False)),
        (
            '(instance (export "r" (type (sub resource))))',
            d.InstanceType((d.Export("r", None, d.ExternType("type", None)),)),
        ),
        (
            '(component (type u8) (import "a" (type (eq 0))))',
            d.ComponentType((d.Primitive("u8"), d.Import("a", d.ExternType("type", 0)))),
        ),
    ],
)
def test_types(text: str, expected: d.Type) -> None:
    assert definitions(f"(type {text})") == (expected,)


def test_types_refer_to_each_other_by_index() -> None:
    assert definitions("(type $r (resource (rep i32))) (type (own $r)) (type (borrow $r)) (type (list 1))") == (
        d.ResourceType(None),
        d.Own(0),
        d.Borrow(0),
        d.List(1),
    )


def test_a_component_with_everything_that_a_small_guest_has() -> None:
    found = definitions(
        """
        (import "host" (instance $host (export "f" (func (param "x" string)))))
        (core module $libc (memory (export "memory") 1)
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
        (core instance $libc (instantiate $libc))
        (core func $lowered (canon lower (func $host "f") (memory (core memory $libc "memory")) string-encoding=utf16))
        (core module $main (import "host" "f" (func (param i32 i32))) (func (export "run") (result i32) i32.const 1))
        (core instance $main (instantiate $main (with "host" (instance (export "f" (func $lowered))))))
        (func (export "run") (result u32) (canon lift (core func $main "run")))
        """
    )
    kinds = [type(definition).__name__ for definition in found]
    assert kinds.count("CoreModule") == 2
    assert kinds.count("CoreInstantiate") == 2
    assert next(each for each in found if isinstance(each, d.Import)) == d.Import("host", d.ExternType("instance", 0))
    lower = next(each for each in found if isinstance(each, d.Lower))
    assert lower == d.Lower(0, d.CanonOptions("utf16", memory=0))
    inline = next(each for each in found if isinstance(each, d.CoreInlineExports))
    assert inline.exports == (("f", d.Item("core func", 0)),)
    assert next(each for each in found if isinstance(each, d.CoreInstantiate) and each.arguments).arguments == (
        ("host", 1),
    )
    assert next(each for each in found if isinstance(each, d.Export)).item == d.Item("func", 1)


def test_a_module_is_known_by_where_its_bytes_are() -> None:
    binary = bytes(wasmtime.wat2wasm('(component (core module (func (export "f"))))'))
    (module,) = decode(binary).definitions
    assert isinstance(module, d.CoreModule)
    assert wasmtime.Module(wasmtime.Engine(), binary[module.start : module.end]).exports[0].name == "f"


def test_nested_components_and_what_they_take_from_outside() -> None:
    nested, instance, alias = definitions(
        '(component $c (component $d) (alias outer 1 0 (component)) (export "d" (component $d)))'
        ' (instance $i (instantiate $c)) (alias export $i "d" (component))'
    )
    assert isinstance(nested, d.Component)
    assert nested.definitions[1] == d.AliasOuter("component", 1, 0)
    assert instance == d.Instantiate(0, ())
    assert alias == d.AliasExport("component", 0, "d")


def test_core_types_are_passed_over_whatever_they_are() -> None:
    text = '(core type (module (type (func (param i32))) (import "a" "b" (func (type 0))) (export "m" (memory 1 2))))'
    assert [type(each).__name__ for each in definitions(text)] == ["CoreType"]


@pytest.mark.parametrize(
    ("canon", "expected"),
    [
        (b"\x05", d.AsyncBuiltin("task.cancel")),
        (b"\x0a\x7f\x01", d.AsyncBuiltin("context.get", (4, 1))),
        (b"\x0b\x7f\x00", d.AsyncBuiltin("context.set", (4, 0))),
        (b"\x09\x01\x00\x00", d.AsyncBuiltin("task.return")),
        (b"\x09\x00\x79\x00", d.AsyncBuiltin("task.return", (), "u32")),
        (b"\x20\x01\x02", d.AsyncBuiltin("waitable-set.wait", (1, 2))),
        (b"\x0f\x03\x01\x06", d.AsyncBuiltin("stream.read", (3, 0))),
    ],
)
def test_async_builtins_that_are_only_defined_are_read(canon: bytes, expected: d.AsyncBuiltin) -> None:
    assert decode(COMPONENT_HEADER + bytes([8, len(canon) + 1, 1]) + canon).definitions == (expected,)


@pytest.mark.parametrize("form", [0, 1])
def test_both_forms_of_a_name_and_its_attributes(form: int) -> None:
    section = bytes([1, form, 1]) + b"a" + b"\x01\x00"
    assert decode(COMPONENT_HEADER + bytes([10, len(section)]) + section).definitions == (
        d.Import("a", d.ExternType("func", 0)),
    )
    section = b"\x01\x02\x01a\x02\x00\x03a:b\x01\x02.1\x01\x00"
    assert decode(COMPONENT_HEADER + bytes([10, len(section)]) + section).definitions == (
        d.Import("a", d.ExternType("func", 0)),
    )


def test_maps_and_lists_of_a_fixed_length() -> None:
    section = b"\x02\x63\x73\x79\x67\x7d\x04"
    assert decode(COMPONENT_HEADER + bytes([7, len(section)]) + section).definitions == (
        d.Map("string", "u32"),
        d.FixedList("u8", 4),
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0d", "it ends in the middle of a definition, at offset 0x9"),
        (b"\x0d\x00", "there is no section 13, at offset 0x8"),
        (b"\x09\x00", "start functions and values of components are not supported, at offset 0x8"),
        (b"\x0c\x00", "start functions and values of components are not supported, at offset 0x8"),
        (b"\x00\x7f", "a custom section reaches beyond the end, at offset 0xa"),
        (b"\x01\x02ab", "a core module has another header, at offset 0xa"),
        (b"\x07\x02\x01\x10", "0x10 is no type, at offset 0xb"),
        (b"\x07\x02\x01\x72", "it ends in the middle of a definition, at offset 0xc"),
        (b"\x07\x03\x01\x72\x00", "a record has nothing in it, at offset 0xd"),
        (b"\x07\x04\x01\x70\x60\x00", "0x60 is no value type, at offset 0xc"),
        (b"\x07\x03\x01\x7f\x00", "section 7 has 1 bytes too many, at offset 0xc"),
        (b"\x07\x06\x01\x70\xff\xff\xff\xff", "it ends in the middle of a definition, at offset 0x10"),
        (b"\x07\x08\x01\x69\xff\xff\xff\xff\x7f\x00", "a number has more than 32 bits, at offset 0xc"),
        (b"\x07\x05\xff\xff\xff\xff\x0f", "it has more than 200000 definitions, at offset 0xa"),
        (b"\x07\x02\x64\x7f", "100 items reach beyond the end, at offset 0xa"),
        (b"\x0a\x05\x01\x00\x01\xff\x01", "a name is not UTF-8, at offset 0xc"),
        (b"\x0a\x02\x01\x03", "0x03 is no form of a name, at offset 0xb"),
        (b"\x08\x03\x01\x26\x00", "threads are not supported (thread.index), at offset 0xb"),
        (b"\x08\x03\x01\x7f\x00", "0x7f is no canonical definition, at offset 0xb"),
        (b"\x08\x06\x01\x01\x00\x00\x01\x09", "0x09 is no canonical option, at offset 0xf"),
        (b"\x08\x07\x01\x01\x00\x00\x02\x00\x01", "the canonical option encoding is said twice, at offset 0x10"),
        (b"\x07\x03\x01\x3f\x7e", "a resource is not represented by an i32, at offset 0xc"),
    ],
)
def test_what_is_wrong_is_said_with_its_offset(data: bytes, message: str) -> None:
    assert refusal(data) == message


def test_nesting_is_bounded() -> None:
    component = COMPONENT_HEADER
    for _ in range(100):
        length = len(component)
        component = COMPONENT_HEADER + bytes([4, length & 0x7F | 0x80, length >> 7]) + component
    assert refusal(component[8:]).startswith("components or types stand more than 64 levels inside each other")


@pytest.mark.parametrize("guest", GUESTS, ids=lambda path: path.name)
def test_real_guests_are_read(guest: Path) -> None:
    data = guest.read_bytes()
    if data.startswith(COMPONENT_HEADER):
        assert any(isinstance(each, d.Export) for each in decode(data).definitions)
