"""How functions of modules check their arguments: one way for all of them."""

from __future__ import annotations

import pytest

from lua_guests import run


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("json.decode('')", "json.decode: expected a text that is not empty as argument 1, got an empty one"),
        ("json.decode(5)", "json.decode: expected a text that is not empty as argument 1, got a number"),
        ("ctx.get()", "ctx.get: expected a text that is not empty as argument 1, got nil"),
        ("yaml.encode('x')", "yaml.encode: expected a table as argument 1, got string"),
        ("yaml.encode({}, 'x')", "yaml.encode: expected a table as argument 2, got string"),
        ("hash.fnv32({})", "hash.fnv32: expected a string as argument 1, got table"),
        ("crypto.random.bytes(2.5)", "crypto.random.bytes: expected an integer as argument 1, got a number"),
        ("crypto.jwt.encode({}, 'key', 5)", "crypto.jwt.encode: expected a string as argument 3, got a number"),
        ("time.parse('2006', time.now())", "time.parse: expected a string as argument 2, got a Time"),
        ("time.parse('2006', '2024', 'UTC')", "time.parse: expected a Location as argument 3, got string"),
        ("time.unix(0):add_date(1, 'x', 1)", "add_date: expected an integer as argument 2, got string"),
        ("time.fixed_zone('X', time.utc)", "time.fixed_zone: expected an integer as argument 2, got a Location"),
    ],
)
def test_a_misfit_says_what_was_expected_where_and_what_came(call: str, message: str) -> None:
    name = call.partition(".")[0]
    body = f"local time, {name} = require('time'), require('{name}')\nlocal value, err = {call}"
    assert run(f"{body}\nreturn {{ value == nil, err:kind(), err:message() }}") == [True, "Invalid", message]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("require('json').decode('5', 'further')", 5),
        ("#require('crypto').random.bytes(3.0)", 3),
        ("#require('crypto').random.string(4, nil)", 4),
        ("require('yaml').encode({ 1 })", "- 1\n"),
        ("tostring(require('time').parse('2006', '2024', require('time').utc))", "2024-01-01 00:00:00 +0000 UTC"),
    ],
)
def test_what_fits_is_passed_on(expression: str, value: str | int) -> None:
    assert run(f"return {expression}") == value
