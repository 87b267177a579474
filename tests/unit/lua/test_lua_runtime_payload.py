from __future__ import annotations

import pytest

from lua_guests import run as run_lua
from polycall.interop.values import Value

pytestmark = pytest.mark.under_every_limit


def run(body: str, *arguments: Value) -> Value:
    start = "local payload = require('payload') local F = payload.format "
    return run_lua(start + body, *arguments, modules=("payload",))


def test_a_payload_holds_a_lua_value_or_an_error() -> None:
    assert run("local p = payload.new({ a = 1 }) return { p:get_format(), p:data().a, p:unmarshal().a }") == [
        "lua/any",
        1,
        1,
    ]
    assert run("local p = payload.new(errors.new('no')) return { p:get_format(), p:data():message() }") == [
        "golang/error",
        "no",
    ]
    assert run("return payload.new(nil):data() == nil") is True


@pytest.mark.parametrize(
    ("value", "fmt", "expected"),
    [
        ("{ a = { 1, 2 } }", "JSON", '{"a":[1,2]}'),
        ("'x'", "JSON", '"x"'),
        ("nil", "JSON", "null"),
        ("'x'", "STRING", "x"),
        ("{ b = { 1, 'x' }, a = {} }", "YAML", "a: []\nb:\n- 1\n- x\n"),
        ("'no'", "YAML", "'no'\n"),
        ("nil", "YAML", "null"),
        ("nil", "STRING", ""),
        ("1.5", "STRING", "1.5"),
        ("true", "BYTES", "true"),
        ("{ 1 }", "STRING", "[1]"),
        ("errors.new('no')", "STRING", "no"),
    ],
)
def test_a_value_becomes_another_format(value: str, fmt: str, expected: str) -> None:
    body = f"local p = assert(payload.new({value}):transcode(F.{fmt})) return {{ p:data(), p:get_format() == F.{fmt} }}"
    assert run(body) == [expected, True]


def test_json_comes_back_as_the_value() -> None:
    assert run("return payload.new(...):transcode(F.JSON):unmarshal()", {"a": [1]}) == {"a": [1]}
    assert run("return payload.new(...):transcode(F.JSON):transcode(F.LUA):data()", [1, "x"]) == [1, "x"]
    assert run("return payload.new({ 1 }):transcode(F.JSON):transcode(F.STRING):data()") == "[1]"
    assert run("return payload.new('[1'):transcode(F.STRING):unmarshal()") == "[1"


@pytest.mark.parametrize("fmt", ["F.MSGPACK", "F.GOLANG", "'nonsense'"])
def test_a_format_that_is_not_there_is_unavailable(fmt: str) -> None:
    assert run(f"local _, err = payload.new(1):transcode({fmt}) return err:kind()") == "Unavailable"


@pytest.mark.parametrize("fmt", ["nil", "5", "{}"])
def test_what_is_no_format_is_invalid(fmt: str) -> None:
    assert run(f"local _, err = payload.new(1):transcode({fmt}) return err:kind()") == "Invalid"


def test_yaml_comes_back_as_the_value_and_as_json() -> None:
    assert run("return payload.new(...):transcode(F.YAML):unmarshal()", {"a": [1, "yes"]}) == {"a": [1, "yes"]}
    assert run("return payload.new(...):transcode(F.YAML):transcode(F.JSON):data()", {"a": [1]}) == '{"a":[1]}'
    assert run("return payload.new(nil):transcode(F.YAML):unmarshal() == nil") is True
    assert run("return payload.new({ 1 }):transcode(F.YAML):transcode(F.STRING):data()") == "- 1\n"


@pytest.mark.parametrize("fmt", ["JSON", "YAML"])
def test_what_a_format_cannot_hold_is_invalid(fmt: str) -> None:
    assert run(f"local _, err = payload.new({{ print }}):transcode(F.{fmt}) return err:kind()") == "Invalid"


def test_payloads_are_sealed() -> None:
    assert run("return (pcall(function() payload.new(1).data = nil end))") is False
    assert run("return select(2, pcall(payload.new(1).data, {}))") == "expected a payload: write p:data(), not p.data()"
