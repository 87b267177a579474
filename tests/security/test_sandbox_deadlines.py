"""Each case keeps a guest inside of one function or instruction of C, where the sandbox ends it as it ends all else.

The guest first makes what it needs, then says so; it is told to end a moment later. The tests allow far more time than
it takes, some milliseconds, for machines under load.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

import lua_guests
import polycall
from attacks import Attack, attacks, outcome
from effort import times
from lua_guests import CONDITIONS, context, run
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError
from polycall.interop.values import Value
from projects import write_project

TOLD_AFTER_SECONDS = 0.03
MOST_OVER_SECONDS = 1.0


class Case(NamedTuple):
    """What is made first, what is then done for ever, and an honest use of the same functions with its result."""

    made: str
    done: str
    control: str
    expected: Value


LONG = "local s = ('a'):rep(16 << 20) "
NUMBERS = "local t = {} for i = 1, 1000000 do t[i] = math.random(1 << 40) end "

CASES = {
    "string.rep of 16 MiB": Case("", "('x'):rep(16 << 20)", "return ('ab'):rep(2, '-')", "ab-ab"),
    "find of plain text": Case(LONG, "s:find('b', 1, true)", "return ('aab'):find('b', 1, true)", 3),
    "find of a long periodic text": Case(
        LONG + "local w = ('a'):rep(1 << 20) .. 'b'", "s:find(w, 1, true)", "return ('abab'):find('ba', 1, true)", 2
    ),
    "lower of 60 MiB": Case(LONG.replace("16", "60"), "s:lower()", "return ('AB'):lower()", "ab"),
    "upper of 16 MiB": Case(LONG, "s:upper()", "return ('ab'):upper()", "AB"),
    "reverse of 16 MiB": Case(LONG, "s:reverse()", "return ('ab'):reverse()", "ba"),
    "format of 16 MiB": Case(LONG, "('%s'):format(s)", "return ('%s!'):format('a')", "a!"),
    "byte": Case(LONG, "s:byte(1, 100000)", "return ('ab'):byte(2)", 98),
    "a pattern of 20 repetitions": Case(
        "local s, p = ('a'):rep(30000), ('a*'):rep(20) .. 'b'",
        "s:find(p)",
        "return ('aab'):find(('a*'):rep(20) .. 'b')",
        1,
    ),
    "three lazy captures": Case(
        LONG, "s:find('(.-)(.-)(.-)x')", "return (('aax'):gsub('(.-)(.-)(.-)x', '<%1%2%3>'))", "<aa>"
    ),
    "four lazy dots": Case(LONG, "s:match('.-.-.-.-b')", "return ('aab'):match('.-.-.-.-b')", "aab"),
    "two greedy dots": Case(LONG, "s:match('.*.*b')", "return ('aab'):match('.*.*b')", "aab"),
    "a long back reference": Case(
        "local s = ('a'):rep(8 << 20)", "s:find('(a*)%1b')", "return ('aab'):match('(a*)%1b')", "a"
    ),
    "a balanced text without end": Case(
        "local s = ('('):rep(16 << 20)", "s:find('%b()')", "return ('f(a(b))'):match('%b()')", "(a(b))"
    ),
    "a frontier": Case(LONG, "s:find('%f[%W]%w+b')", "return ('a b'):match('%f[%w]%w+$')", "b"),
    "gmatch that finds nothing": Case(
        "local s = ('a '):rep(2 << 20)", "s:gmatch('%a*b')()", "return ('a ab'):gmatch('%a*b')()", "ab"
    ),
    "gsub of 10 MiB": Case(
        "local s = ('a '):rep(2 << 20)", "s:gsub('%s+', '')", "return (('a b'):gsub('%s+', ''))", "ab"
    ),
    "optional items": Case(
        "local s, p = ('a'):rep(60), ('a?'):rep(60) .. ('a'):rep(61)",
        "s:match(p)",
        "return ('ab'):match('a?a?b')",
        "ab",
    ),
    "table.concat": Case(
        "local t = {} for i = 1, 250 do t[i] = ('x'):rep(65536) end",
        "table.concat(t)",
        "return table.concat({ 1, 2 })",
        "12",
    ),
    "table.sort of a million": Case(
        NUMBERS, "table.sort(t) t[1], t[2] = t[2], t[1]", "local t = { 2, 1 } table.sort(t) return t", [1, 2]
    ),
    "table.sort by a C function": Case(
        NUMBERS, "table.sort(t, math.ult)", "local t = { -1, 1 } table.sort(t, math.ult) return t", [1, -1]
    ),
    "table.move": Case(NUMBERS, "table.move(t, 1, #t, 2) t[#t] = nil", "return table.move({ 1 }, 1, 1, 2)[2]", 1),
    "table.unpack": Case(
        NUMBERS, "select('#', table.unpack(t, 1, 200000))", "return select('#', table.unpack({ 1, 2 }))", 2
    ),
    "table.insert at 1": Case(
        NUMBERS, "table.insert(t, 1, 0)", "local t = { 1 } table.insert(t, 1, 0) return t", [0, 1]
    ),
    "# of a big table": Case(NUMBERS, "local n = #t", "return #{ 1, 2 }", 2),
    "pairs over a big table": Case(
        NUMBERS, "for _ in pairs(t) do end", "for k in pairs({ a = 1 }) do return k end", "a"
    ),
    "utf8.len": Case(LONG, "utf8.len(s)", "return utf8.len('aé')", 2),
    "tostring and tonumber": Case(
        "local s = (' '):rep(16 << 20)", "tonumber(tostring(s))", "return tonumber(tostring('12'))", 12
    ),
    "joining huge strings": Case(LONG, "local x = s .. s", "return 'a' .. 'b'", "ab"),
    "tables as garbage": Case(
        "",
        "local t = {} for i = 1, 100000 do t[i] = { i } end",
        "local t = {} for i = 1, 9 do t[i] = { i } end return #t",
        9,
    ),
}

NUMERAL = "local s = (' '):rep(8 << 20) .. '1' "
MAP = "local t, n = {}, 1 << SIZE for i = 1, n do t[-i] = true end local i = 0 "
REHASH = "i = i + 1 t[-i] = nil t[-n - i] = true"

LAZY = "local n, p = 1111111111111111111, ('1-'):rep(40) .. 'x' "

CASES |= {
    "table.sort of long strings and one table": Case(
        "local a, b, t = ('a'):rep(1 << 20), ('a'):rep(1 << 20), {} "
        "for i = 1, 60000 do t[i] = i % 2 == 0 and a or b end "
        "t[30000] = setmetatable({}, { __lt = function() return false end })",
        "table.sort(t)",
        "local o = setmetatable({}, { __lt = function(l) return l == 'a' end }) local t = { o, 'a' } table.sort(t) "
        "return t[1]",
        "a",
    ),
    "table.sort of what an order puts long strings into": Case(
        "local a, b, t = ('a'):rep(1 << 20), ('a'):rep(1 << 20), {} local mt = { __lt = function() "
        "for i = 1, 900 do t[i] = i % 2 == 0 and a or b end return false end }",
        "for i = 1, 900 do t[i] = setmetatable({}, mt) end table.sort(t)",
        "local mt = { __lt = function(l, r) return l.n < r.n end } "
        "local t = { setmetatable({ n = 2 }, mt), setmetatable({ n = 1 }, mt) } table.sort(t) return t[1].n",
        1,
    ),
    "find in a number": Case(LAZY, "string.find(n, p)", "return string.find(123, '2-3')", 2),
    "match in a number": Case(LAZY, "string.match(n, p)", "return string.match(1.5, '%.%d')", ".5"),
    "gmatch in a number": Case(LAZY, "string.gmatch(n, p)()", "return string.gmatch(123, '2-3')()", "23"),
    "gsub in a number": Case(LAZY, "string.gsub(n, p, '')", "return (string.gsub(123, 2, 4))", "143"),
    "a long class that a run takes": Case(
        "local s, p = ('c'):rep(1 << 20), '[' .. ('a'):rep(10000) .. ']+z'",
        "for _ in s:gmatch(p) do end",
        "return ('cabz'):match('[' .. ('ab'):rep(5000) .. ']+z')",
        "abz",
    ),
    "a long class in a quick pattern": Case(
        "local s, p = ('c'):rep(254) .. 'a' .. ('c'):rep(1 << 20), '[' .. ('b'):rep(15000) .. 'a]'",
        "s:find(p, 1)",
        "return ('cab'):find('[' .. ('b'):rep(15000) .. 'a]', 1)",
        2,
    ),
    "a pattern of 8 MiB": Case(
        "local p = ('*'):rep(8 << 20)", "pcall(string.find, 'a', p)", "return ('a*'):find('*', 1, true)", 2
    ),
    "utf8.codes over continuation bytes up to the end": Case(
        "local s = 'a' .. ('\\x80'):rep(8 << 20) local step = utf8.codes(s, true)",
        "step(s, 1)",
        "local step = utf8.codes('') return select('#', step('a', 1))",
        0,
    ),
    "utf8.codes over continuation bytes": Case(
        "local s = 'a' .. ('\\x80'):rep(8 << 20) .. 'b' local step = utf8.codes(s)",
        "step(s, 1)",
        "local n = 0 for _, code in utf8.codes('aéb') do n = n + code end return n",
        97 + 233 + 98,
    ),
}

WEAK = """
    local mt, keys, p, chain = { __mode = 'k' }, {}, {}, {}
    for i = 0, 60000 do keys[i] = {} end
    for i = 0, 59999 do p[(i % 2 == 0) and (i + 1) or (i - 1)] = i end
    for at = 0, 59999 do
      local i = p[at]
      if i then chain[#chain + 1] = setmetatable({ [keys[i]] = keys[i + 1] }, mt) end
    end
    local first = keys[0] keys, p = nil, nil LATER"""

CASES |= {
    "keys that collide": Case(
        "local t = {} for i = 1, 100000 do t[i * 0x7FFFFFFF] = i end",
        "local u = {} for k in pairs(t) do u[k] = 1 end",
        "local t = {} t[0x7FFFFFFF] = 2 return t[0x7FFFFFFF]",
        2,
    ),
    "a finalizer": Case(
        "",
        "setmetatable({}, { __gc = function() while true do end end })",
        "return getmetatable(setmetatable({}, { __gc = print })) ~= nil",
        True,
    ),
    "weak keys in a chain": Case(
        WEAK.replace("LATER", ""), "local t = {}", "return getmetatable(setmetatable({}, { __mode = 'k' })).__mode", "k"
    ),
    "weak keys in a chain, put in later": Case(
        WEAK.replace("mt = { __mode = 'k' }", "mt = {}").replace("LATER", "mt.__mode = 'k'"),
        "local t = {}",
        "local mt = {} setmetatable({}, mt) mt.__mode = 'k' return mt.__mode",
        "k",
    ),
    "a catastrophic pattern": Case(
        "", "return ('a'):rep(40):find(('a*'):rep(30) .. 'b')", "return ('aab'):find('a*a*b')", 1
    ),
    "== on 8 MiB": Case(
        "local s, b = ('a'):rep(8 << 20), ('a'):rep(8 << 20)", "local x = s == b", "return 'a' == 'a'", True
    ),
    "< on 8 MiB": Case(
        "local s, b = ('a'):rep(8 << 20), ('a'):rep(8 << 20)", "local x = s < b", "return 'a' < 'b'", True
    ),
    "< on zero bytes": Case(
        "local s, b = ('\\0'):rep(1 << 20), ('\\0'):rep(1 << 20)", "local x = s < b", "return '\\0' < 'b'", True
    ),
    "a new key in a full table": Case(MAP.replace("SIZE", "20"), REHASH, "local t = {} t[1] = 2 return t[1]", 2),
    "a new key in a full small table": Case(MAP.replace("SIZE", "15"), REHASH, "local t = {} t[1] = 2 return t[1]", 2),
    "a new key in a full table, in coroutines": Case(
        MAP.replace("SIZE", "20"),
        f"coroutine.wrap(function() {REHASH} end)()",
        "return coroutine.wrap(function() return 2 end)()",
        2,
    ),
    "the first key of an emptied table": Case(
        "local t = {} for i = 1, 1000000 do t[i] = 1 end for i = 1, 1000000 do t[i] = nil end",
        "next(t)",
        "return next({ 5 })",
        1,
    ),
    "a long numeral as a number": Case(NUMERAL, "math.floor(s)", "return math.floor('2.5')", 2),
    "a long numeral many times": Case(
        NUMERAL, "pcall(math.max, " + ", ".join(["s"] * 200) + ")", "return math.max(1, 2)", 2
    ),
    "select of a long numeral": Case(NUMERAL, "select(s, 1)", "return select('2', 1, 5)", 5),
    "characters from long numerals": Case(
        NUMERAL, "pcall(string.char, " + ", ".join(["s"] * 200) + ")", "return string.char('65')", "A"
    ),
    "utf8 from long numerals": Case(NUMERAL, "pcall(utf8.char, s, s, s, s)", "return utf8.char('65')", "A"),
    "a date of long numerals": Case(
        NUMERAL,
        "pcall(os.time, { year = s, month = s, day = s, hour = s, min = s })",
        "return os.date('!%Y', os.time({ year = '2020', month = 6, day = '2' }))",
        "2020",
    ),
    "a long date format": Case(
        "local f = ('%c'):rep(1 << 20)", "pcall(os.date, f, 0)", "return os.date('!%d', 0)", "01"
    ),
    "a long layout to pack": Case(
        "local f = (' '):rep(8 << 20)",
        "pcall(string.packsize, f) pcall(string.unpack, f, '')",
        "return string.packsize('i4')",
        4,
    ),
    "padding to pack": Case("", "pcall(string.pack, 'c1000000000', '')", "return string.pack('c2', 'a')", "a\0"),
    "wide numbers to format": Case(
        "local t = {} for i = 1, 20000 do t[i] = 1e308 end local f = ('%99.99f'):rep(20000)",
        "pcall(string.format, f, table.unpack(t))",
        "return ('%5.1f'):format(1)",
        "  1.0",
    ),
    "the iterator of utf8.codes by hand": Case(
        "local s, f = 'a' .. ('\\x80'):rep(8 << 20), utf8.codes('a')",
        "pcall(f, s, 1)",
        "for _, c in utf8.codes('A') do return c end",
        65,
    ),
    "200,000 arguments": Case(
        "local t = {} for i = 1, 200000 do t[i] = i end local function f(...) local a = { ... } end",
        "f(table.unpack(t))",
        "return select('#', table.unpack({ 1, 2 }))",
        2,
    ),
    "errors and nothing else": Case("", "pcall(error, 'x')", "return pcall(error, 'x')", False),
}


class Bell:
    """Cancels a call a moment after its guest rings, and knows when."""

    def __init__(self) -> None:
        self.cancellation = Cancellation()
        self.rung_at: float | None = None

    def ring(self, _arguments: Sequence[Value], _frame: CallContext) -> Value:
        threading.Timer(TOLD_AFTER_SECONDS, self._cancel).start()
        return None

    def _cancel(self) -> None:
        self.rung_at = time.monotonic()
        self.cancellation.cancel()


@pytest.fixture(autouse=True)
def _in_the_sandbox() -> Iterator[None]:
    before, lua_guests.current[0] = lua_guests.current[0], CONDITIONS["sandbox"]
    yield
    lua_guests.current[0] = before


def rows() -> Iterator[Attack]:
    for attempt, case in CASES.items():
        control = f"`{case.control}` {outcome(case.expected)}"
        yield Attack(f"{attempt}, for ever", "Lua, sandboxed", "stopped in time", control)


@attacks(*rows())
@pytest.mark.parametrize("attempt", list(CASES)[:: times(1, 2)])
def test_what_stays_inside_c_is_stopped_and_the_control_works(attempt: str) -> None:
    case = CASES[attempt]
    inner = f"while true do pcall(function() {case.done} end) end"
    done = f"while true do pcall(coroutine.wrap(function() {inner} end)) end"
    bell = Bell()
    with pytest.raises(CancelledError):
        run(
            f"{case.made} require('funcs').call('app:bell') {done}",
            targets={"app:bell": bell.ring},
            frame=context(cancellation=bell.cancellation),
        )
    assert bell.rung_at is not None
    assert time.monotonic() - bell.rung_at < MOST_OVER_SECONDS
    assert run(case.control, frame=context(cancellation=Cancellation())) == case.expected


INDEX = """
namespace: app
entries:
  - name: find
    kind: function.lua
    method: find
    isolation: process
    source: "return { find = function(text, pattern) return text:find(pattern) end }"
"""


@attacks(
    Attack(
        "a pattern that backtracks for ever, in a worker",
        "Lua, isolated",
        "DeadlineError in time, the worker is killed",
        "the next call is answered by another one",
    )
)
def test_a_worker_whose_guest_stays_inside_c_is_killed(tmp_path: Path) -> None:
    with polycall.load(write_project(tmp_path, index=INDEX), cache_directory=tmp_path / "c") as registry:
        assert registry.call("app:find", "ab", "b") == 2
        start = time.monotonic()
        with pytest.raises(DeadlineError):
            registry.call("app:find", "a" * 40, "a*" * 30 + "b", timeout=TOLD_AFTER_SECONDS)
        assert time.monotonic() - start < MOST_OVER_SECONDS
        assert registry.call("app:find", "ab", "b") == 2
