"""Under a deadline a text is searched in windows, in C and in Lua: whatever the way, the answer is that of C alone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from effort import times
from lua_guests import body, prepare, program
from polycall import lua_runtime
from polycall.interop.context import CallContext
from polycall.interop.errors import GuestError
from polycall.interop.values import Value
from polycall.lua_runtime import scripts
from polycall.lua_runtime.engine import State
from polycall.lua_runtime.instance import LuaInstance

MATCH_ALL = """
    local text, pattern, most = ...
    local found = {}
    local function add(...)
      for at = 1, select('#', ...) do found[#found + 1] = tostring((select(at, ...))) end
      found[#found + 1] = ';'
    end
    add(text:find(pattern)) add(text:find(pattern, 3)) add(text:match(pattern, -4)) add(text:match(pattern))
    for a, b in text:gmatch(pattern) do add(a, b) end
    for a, b in text:gmatch(pattern, 4) do add(a, b) end
    add(text:gsub(pattern, '<%0>')) add(text:gsub(pattern, '-', most)) add(text:gsub(pattern, { a = 'A', b = 1 }))
    add(text:gsub(pattern, function(a, b) return b or a == 'a' and 'Q' end))
    return table.concat(found, '|')"""


class Limits(NamedTuple):
    """What the limits of ``searches.lua`` are made, so that short texts take the ways of long ones."""

    most_steps: int
    few_steps: int = 0
    first: int = 3
    piece: int = 40
    least_window: int = 2


LIMITS = [Limits(3000, piece=12), Limits(400), Limits(60, first=2, piece=5), Limits(1, least_window=1 << 30)]


def searches(limits: Limits) -> bytes:
    """Returns the bytecode of ``searches.lua`` with other limits."""
    text = Path(lua_runtime.__file__).with_name("lua").joinpath("patterns", "searches.lua").read_text()
    for line in (
        f"local MOST_STEPS = {limits.most_steps}",
        f"local FEW_STEPS = {limits.few_steps}",
        f"local FIRST, PIECE = {limits.first}, {limits.piece}",
        f"local LEAST_WINDOW = {limits.least_window}",
    ):
        text, count = re.subn(f"^{line.partition(' = ')[0]} = .*$", line, text, flags=re.MULTILINE)
        assert count == 1
    code: bytes = State(counted=False).run(b"return string.dump(load((...)), true)", text.encode())
    return code


@pytest.fixture(scope="module")
def instances() -> Iterator[Sequence[LuaInstance]]:
    """An instance for C alone, then one for each of the limits."""
    function = prepare(program(body(MATCH_ALL)))
    original = scripts.bytecodes
    with ExitStack() as stack:
        made = [stack.enter_context(closing(function.instantiate()))]
        with pytest.MonkeyPatch.context() as patch:
            for limits in LIMITS:
                code = searches(limits)
                patch.setattr(
                    "polycall.lua_runtime.kernel.bytecodes",
                    lambda names, c=code: {**original(names), "patterns/searches": c},
                )
                made.append(stack.enter_context(closing(function.instantiate())))
        yield made


def outcome(instance: LuaInstance, deadline: float | None, *arguments: Value) -> Value:
    try:
        return instance.call(arguments, CallContext("app:main", "lua", deadline=deadline))
    except GuestError as error:
        return error.message


CLASSES = ["a", "b", "%a", ".", "[ab]", "[^a]", "%s", "[^,]", ",", "%W", "[^%s=]", "=", "\n", "(", "%)", "%%", "[]x-]"]
REPETITIONS = ["", "", "", "*", "+", "-", "?"]
singles = st.builds(
    str.__add__, st.sampled_from([c if c != "(" else "%(" for c in CLASSES]), st.sampled_from(REPETITIONS)
)
items = st.one_of(singles, singles, singles, st.sampled_from(["%b()", "%f[%a]", "%f[^a]", "%bab", "%b,,", "()"]))
groups = st.lists(items, max_size=4).map("".join)
parts = st.lists(st.one_of(groups, groups.map(lambda group: f"({group})")), max_size=4).map("".join)
repeating = st.builds(lambda group, between: f"({group}){between}%1", groups, groups)
patterns = st.builds(
    lambda start, middle, end: start + middle + end,
    st.sampled_from(["", "", "", "^"]),
    st.one_of(parts, parts, parts, repeating),
    st.sampled_from(["", "", "", "$"]),
)
texts = st.one_of(
    st.text("ab,= ()\nx%", max_size=60),
    st.lists(st.sampled_from(["a", "aaaaaaaa", "b", ",", " = ", "(a)", "((", ")", "\n", "ab, "]), max_size=30).map(
        "".join
    ),
)


def bounded(case: tuple[str, str]) -> tuple[str, str]:
    """Cuts the text to what C alone, which nothing stops, searches by the pattern in some milliseconds."""
    text, pattern = case
    loops = sum(pattern.count(sign) for sign in "*+-?")
    return text[: int(1_000_000 ** (1 / (loops + 1)))], pattern


@settings(max_examples=times(400, 100))
@given(case=st.tuples(texts, patterns).map(bounded), most=st.integers(0, 3))
@example(case=("a,b,,a", "[^,]*"), most=2)
@example(case=("  aa bb  ", "^%s*(.-)%s*$"), most=2)
@example(case=("key = value\nother=1\n" * 3, "(%w+)%s*=%s*(%w+)"), most=2)
@example(case=("one\ntwo\n\nthree", "([^\n]*)\n?"), most=2)
@example(case=("one\ntwo\n\nthree", "(.-)\n"), most=9)
@example(case=("(a(b)c)) ((x)", "%b()"), most=2)
@example(case=("=" * 60, ""), most=0)
@example(case=("=" * 60, "a*$"), most=0)
@example(case=("=b" * 30, "b+$"), most=0)
@example(case=("=" * 60, "$"), most=0)
@example(case=("ab=" * 20, "([ab]-%A)"), most=2)
def test_patterns_give_under_a_deadline_what_c_gives(
    instances: Sequence[LuaInstance], case: tuple[str, str], most: int
) -> None:
    text, pattern = case
    expected = outcome(instances[0], None, text, pattern, most)
    for limits, instance in zip(LIMITS, instances[1:], strict=True):
        assert outcome(instance, time.monotonic() + 600, text, pattern, most) == expected, limits


@pytest.mark.parametrize(
    "code",
    [
        "return ('ab'):rep(100000):gsub('.-.-.-x?b', '%2')",
        "return ('ab'):rep(100000):gsub('.-.-.-x?b', '%x')",
        "return ('ab'):rep(100000):gsub('.-.-.-x?b', function() return {} end)",
        *(f"return (('c'):rep({count}) .. ('b'):rep(300000)):find(('c?'):rep({count}) .. 'b')" for count in (199, 200)),
        "return ('b'):rep(300000):find(('c?'):rep(300) .. 'b')",
    ],
)
def test_long_texts_fail_under_a_deadline_as_in_c(code: str) -> None:
    with closing(prepare(program(body(code))).instantiate()) as instance:
        expected = outcome(instance, None)
        assert outcome(instance, time.monotonic() + 600) == expected
