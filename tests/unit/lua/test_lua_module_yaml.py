from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lua_guests import body, context, prepare, program, refusal, run
from polycall.interop.errors import DeadlineError
from polycall.interop.values import Value
from polycall.lua_runtime.instance import LuaInstance
from polycall.registry.services.guest_yaml import GuestYaml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT
PLAIN: st.SearchStrategy[Any] = st.recursive(
    SCALARS
    | st.sampled_from(["yes", "1e3", "0x1F", "2020-01-01", "~", "<<", "=", "- a", "a: b", "...", "---\n", "1:30"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, min_size=1, max_size=5),
    max_leaves=20,
)
TABLES = st.lists(PLAIN, max_size=5) | st.dictionaries(TEXT, PLAIN, min_size=1, max_size=5)


@pytest.fixture(scope="module")
def there_and_back(conditions: None) -> Iterator[LuaInstance]:
    text = "local y = require('yaml') return y.decode(assert(y.encode(...)))"
    with closing(prepare(program(body(text))).instantiate()) as instance:
        yield instance


@given(value=TABLES)
def test_decoding_what_was_encoded_gives_it_back(value: Value, there_and_back: LuaInstance) -> None:
    assert there_and_back.call([value], context()) == value


@pytest.mark.no_cover
@given(value=TABLES)
def test_a_reader_of_yaml_1_1_gets_the_same_values(value: Value) -> None:
    text = GuestYaml().encode(value, lambda: None, field_order=(), indent=2)
    assert yaml.safe_load(text) == value


class TestEncode:
    def test_fields_in_the_order_asked_for_then_by_name(self) -> None:
        text = """
          local entry = { zebra = 1, alpha = 2, name = "test", kind = { kind = 1, name = 2, at = {} } }
          return require('yaml').encode(entry, { field_order = { 'name', 'kind' }, sort_unordered = true })"""
        assert run(text) == "name: test\nkind:\n  name: 2\n  kind: 1\n  at: []\nalpha: 2\nzebra: 1\n"

    def test_indent(self) -> None:
        assert run("return require('yaml').encode({ a = { b = { c = 1 } } }, { indent = 4 })") == (
            "a:\n    b:\n        c: 1\n"
        )

    @pytest.mark.parametrize(
        ("expression", "text"),
        [
            ("{}", "[]\n"),
            ("{ 1, 2.5, 'x', true }", "- 1\n- 2.5\n- x\n- true\n"),
            ("{ 2.0, 1e20, 1/0, -1/0, 0/0 }", "- 2.0\n- 1.0e+20\n- .inf\n- -.inf\n- .nan\n"),
            ("{ a = 'one\\ntwo\\n' }", "a: |\n  one\n  two\n"),
            ("{ a = 'yes', b = '1', c = '' }", "a: 'yes'\nb: '1'\nc: ''\n"),
            ("{ 'x\\n...\\n' }", "- |\n  x\n  ...\n"),
        ],
    )
    def test_layout(self, expression: str, text: str) -> None:
        assert run(f"return require('yaml').encode({expression})") == text

    @pytest.mark.parametrize(
        "arguments",
        [
            "",
            "5",
            "'x'",
            "{}, 5",
            "{}, { indent = 1 }",
            "{}, { indent = 10 }",
            "{}, { indent = 2.5 }",
            "{}, { indent = 'x' }",
            "{}, { field_order = 5 }",
            "{}, { field_order = { 5 } }",
            "{}, { sort_unordered = 1 }",
            "{}, { widht = 1 }",
        ],
    )
    def test_wrong_types_are_invalid(self, arguments: str) -> None:
        assert refusal(f"require('yaml').encode({arguments})") == "Invalid"

    @pytest.mark.parametrize(
        "expression",
        ["{ 1, a = 2 }", "{ [1] = 1, [3] = 3 }", "{ print }", "{ '\\xff' }", "{ errors.new('x') }", "CYCLE"],
    )
    def test_what_cannot_be_written_is_an_internal_error(self, expression: str) -> None:
        assert refusal(
            f"(function() CYCLE = {{}} CYCLE.me = CYCLE return require('yaml').encode({expression}) end)()"
        ) == ("Internal")


class TestDecode:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("a: 1\nb: [x, 2.5, true, null]\n", {"a": 1, "b": ["x", 2.5, True, None]}),
            ("- yes\n- 0o17\n- 0755\n- 1_000\n", ["yes", 15, 755, 1000]),
            ("x: &a {k: 1}\ny: *a\nz: {<<: *a, m: 2}\n", {"x": {"k": 1}, "y": {"k": 1}, "z": {"k": 1, "m": 2}}),
            ("just text", "just text"),
            ("# nothing\n", None),
            ("|\n  two\n  lines\n", "two\nlines\n"),
        ],
    )
    def test_values(self, text: str, value: Value) -> None:
        assert run("return require('yaml').decode(...)", text) == value

    @pytest.mark.parametrize("argument", ["", "''", "5", "{}"])
    def test_anything_but_text_is_invalid(self, argument: str) -> None:
        assert refusal(f"require('yaml').decode({argument})") == "Invalid"

    @pytest.mark.parametrize(
        "text",
        [
            "a: [",
            "a: 1\na: 2",
            "1: x",
            "? [a]\n: 1",
            "!!python/object/apply:os.system ['true']",
            "!!binary aGk=",
            "--- 1\n--- 2\n",
            "*nobody",
            "&a [*a]",
            b"\xff\xfe",
            "\x07",
            "[" * 200,
            "18446744073709551615",
            '"\\ud800"',
        ],
    )
    def test_what_is_not_plain_yaml_is_an_internal_error(self, text: Value) -> None:
        assert refusal("require('yaml').decode(...)", text) == "Internal"

    def test_the_message_says_where(self) -> None:
        message = run("return select(2, require('yaml').decode('a: 1\\nb: [')):message()")
        assert str(message).startswith("$: expected plain YAML, got a fault at line 3 column 1: expected a value")

    @pytest.mark.parametrize("depth", [200, 2000])
    def test_the_message_says_what_nests_too_deep(self, depth: int) -> None:
        message = run("return select(2, require('yaml').decode(...)):message()", "[" * depth)
        assert re.match(r"\$: expected plain YAML, got a fault at line 1 column \d+: nested deeper than ", str(message))

    def test_an_alias_bomb_is_refused_at_once(self) -> None:
        bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
        )
        started = time.monotonic()
        assert refusal("require('yaml').decode(...)", bomb) == "Internal"
        assert time.monotonic() - started < 2

    @pytest.mark.no_cover
    def test_too_many_values_and_too_much_text_are_refused(self) -> None:
        assert refusal("require('yaml').decode(string.rep('- 1\\n', 100001))") == "Internal"
        assert run("return #require('yaml').decode(string.rep('- 1\\n', 99999))") == 99999
        assert refusal("require('yaml').decode(string.rep('x', 5000000))") == "Internal"


@pytest.mark.parametrize(
    "loop",
    ["local t = string.rep('- [a, b]\\n', 20000) while true do y.decode(t) end", "while true do y.encode(big) end"],
)
def test_long_work_ends_with_its_deadline(loop: str) -> None:
    text = f"local y, big = require('yaml'), {{}} for i = 1, 50000 do big[i] = 'text' .. i end {loop}"
    started = time.process_time()  # what else the machine does is not ours
    with pytest.raises(DeadlineError):
        run(text, frame=context(deadline=time.monotonic() + 0.3))
    assert time.process_time() - started < 1.5


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("{ ('x'):rep(1048577) }", "at most 1,048,576 characters"),
        ("{ [('x'):rep(60000)] = ('x'):rep(1048577) }", "at most 1,048,576 characters"),
        ("{ s, s, s, s, s }", "at most 16777216 bytes in all"),
        ("(function() local t = {} for i = 1, 140000 do t[i] = i end return t end)()", "at most 16777216 bytes in all"),
    ],
    ids=["a text", "a text below a long key", "texts", "values"],
)
def test_more_than_may_be_written_at_once_is_refused(made: str, message: str) -> None:
    told = run(f"local s = ('x'):rep(1048576) local _, err = require('yaml').encode({made}) return err:message()")
    assert isinstance(told, str)
    assert message in told
    assert len(told) < 1000
    assert run("local s = ('x'):rep(1048576) return #require('yaml').encode({ s, s })") == 2 * (1048576 + 3)


@pytest.mark.parametrize("text", ["1" * 101, "1:" * 100 + "1", "0." + "0" * 100, "-" * 101, "+" + "1_" * 100])
def test_long_text_that_begins_like_a_number_is_quoted_and_reads_back(text: str) -> None:
    answer = run("local y = require('yaml') local t = y.encode({ ... }) return { t, y.decode(t)[1] }", text)
    assert answer == [f"- '{text}'\n", text]


def test_keys_come_in_the_order_asked_for_and_then_sorted() -> None:
    body = "return require('yaml').encode({ d = 1, b = 2, c = 3, a = 4 }, { field_order = { 'c', 'x', 'b', 'c' } })"
    assert run(body) == "c: 3\nb: 2\na: 4\nd: 1\n"
