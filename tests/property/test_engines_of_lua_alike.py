"""Generated programs, the same results and messages from both engines of Lua."""

from __future__ import annotations

import os
import random
import re
from contextlib import closing

import pytest

import lua_guests
from lua_guests import CONDITIONS, context, prepare, program
from polycall.interop.values import Value

PROGRAMS_IN_ONE = 50
BATCHES = int(os.environ.get("POLYCALL_LUA_BATCHES", "8"))

NUMBERS = ("0", "1", "-1", "7", "255", "1 << 31", "math.maxinteger", "math.mininteger", "0.5", "-2.5", "1e300", "0x10")
TEXTS = ("''", "'a'", "'hello world'", "'10'", "' 0x1p4 '", "'%d+'", "'\\0\\xff'", "('ab'):rep(20)", "'k=v, x=y'")
TABLES = ("{}", "{ 1, 2, 3 }", "{ 'b', 'a' }", "{ x = 1 }", "{ 3, 1, 2, n = 3 }", "{ { 1 }, { 2 } }", "{ nil, 2 }")
OTHER = (
    *(
        "nil",
        "true",
        "false",
        "print",
        "setmetatable({}, { __tostring = function() return 'T' end })",
        "errors.new('e')",
    ),
    "setmetatable({}, { __index = function(_, key) return key end, __len = function() return 5 end })",
    "setmetatable({}, { __call = function(_, x) return x, x end, __concat = function() return 'c' end })",
    "setmetatable({}, { __close = function() end, __lt = function() return true end, __eq = function() return 1 end })",
)
NAMES = ("a", "b", "c")
UNARY = ("- ", "#", "not ", "~")
BINARY = ("+", "-", "*", "/", "//", "%", "^", "..", "==", "~=", "<", "<=", "and", "or", "&", "|", "~", "<<", ">>")
CALLS = (  # not math.fmod: C compilers differ in which of its arguments is looked at first
    *("tostring", "tonumber", "type", "rawequal", "select", "next", "ipairs", "pairs", "getmetatable"),
    *("string.len", "string.sub", "string.upper", "string.rep", "string.byte", "string.char", "string.reverse"),
    *("string.find", "string.match", "string.gsub", "string.format", "string.pack", "string.unpack", "string.packsize"),
    *("table.concat", "table.unpack", "table.pack", "table.insert", "table.remove", "table.sort", "table.move"),
    *("math.floor", "math.ceil", "math.max", "math.min", "math.tointeger", "math.abs", "math.ult"),
    *("utf8.char", "utf8.len", "utf8.codepoint", "utf8.offset", "assert", "error", "pcall", "unpack", "rawset"),
    *("string.gmatch", "string.lower", "math.type", "math.modf", "rawget", "setmetatable", "table.maxn", "xpcall"),
    *("coroutine.wrap", "coroutine.status", "coroutine.close", "errors.new", "errors.wrap", "errors.is", "utf8.codes"),
)
METHODS = ("upper", "rep", "find", "gsub", "format", "len", "byte", "message", "kind")


STATEMENTS = (
    "if {value} then {name} = {other} end",
    "for i = 1, 3 do {name} = {value} end",
    "for k, v in pairs({value}) do {name} = v break end",
    "for k, v in ipairs({value}) do {name} = v if k > 3 then break end end",
    "local ok, problem = pcall(function() return {value} end) {name} = problem",
    "do local x <close> = {value} {name} = {other} end",
    "{name} = ({value}):{method}({other})",
    "{name} = table.pack(pcall({value}, {other}))",
    "{name} = (function(...) local x, y = ... return {other} end)({value}, {other})",
    "{name} = table.pack(coroutine.resume(coroutine.create(function() local x = {value} return {other} end)))",
    "{name} = coroutine.wrap(function() {name} = coroutine.yield({value}) return {other} end)()",
    "do local i = 0 while i < 3 do i = i + 1 if {value} then goto out end {name} = i end ::out:: end",
)


class Writer:
    """Writes programs that end: loops are counted."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def expression(self, depth: int = 0) -> str:
        choose, kind = self._random.choice, self._random.random()
        if depth >= 3 or kind < 0.3:
            return choose(self._random.choice((NUMBERS, TEXTS, TABLES, OTHER, NAMES)))
        if kind < 0.4:
            return f"({choose(UNARY)}{self.expression(depth + 1)})"
        if kind < 0.65:
            return f"({self.expression(depth + 1)} {choose(BINARY)} {self.expression(depth + 1)})"
        if kind < 0.72:
            return f"({self.expression(depth + 1)})[{self.expression(depth + 1)}]"
        arguments = ", ".join(self.expression(depth + 1) for _ in range(self._random.randrange(4)))
        return f"{choose(CALLS)}({arguments})"

    def statement(self) -> str:
        kind, name = self._random.random(), self._random.choice(NAMES)
        value = self.expression()
        if kind < 0.4:
            return f"{name} = {value}"
        return self._random.choice(STATEMENTS).format(
            name=name, value=value, other=self.expression(), method=self._random.choice(METHODS)
        )

    def program(self) -> str:
        body = " ".join(self.statement() for _ in range(self._random.randrange(1, 4)))
        return f"function() local a, b, c = 1, 'x', {{}} {body} return show(a), show(b), show(c) end"


SHOW = """
local function show(value)
  local kind = type(value)
  if kind == "string" then return #value > 1000 and #value or value end
  if kind == "number" then return string.format("%q", value) end
  if kind ~= "table" then return kind == "function" and kind or tostring(value) end
  local shown = {}
  for at = 1, math.min(#value, 50) do shown[at] = type(value[at]) == "table" and "table" or show(value[at]) end
  return shown
end
"""


# Where an argument is missing, functions that stand for C's own outside of the sandbox are told nil, and are Lua.
_PLACE = re.compile(r"^(?:lua/main\.lua:\d+: )+")
_ADDRESS = re.compile(r": 0x[0-9a-f]+")
_ARGUMENT = re.compile(r"#\d+ to '(?:\w+\.)?[\w?]+'")

_TOO_LARGE = ("resulting string too large", "string.rep: the result would be larger than 64 MiB")


def same_words(outcome: Value) -> Value:
    """Returns an outcome without what the two may say differently."""
    if isinstance(outcome, str):
        if outcome.endswith(_TOO_LARGE):
            return "too large"
        return _ARGUMENT.sub("", _PLACE.sub("", _ADDRESS.sub("", outcome))).replace("got no value", "got nil")
    return [same_words(each) for each in outcome] if isinstance(outcome, list) else outcome


def outcomes(text: str, conditions: str) -> Value:
    before, lua_guests.current[0] = lua_guests.current[0], CONDITIONS[conditions]
    try:
        with closing(prepare(program(text)).instantiate()) as instance:
            return instance.call([], context())
    finally:
        lua_guests.current[0] = before


@pytest.mark.parametrize("batch", range(BATCHES))
def test_generated_programs_have_the_same_outcome(batch: int) -> None:
    writer = Writer(batch)
    programs = [writer.program() for _ in range(PROGRAMS_IN_ONE)]
    listed = ",\n".join(programs)
    text = f"""{SHOW}
      local function told(ok, ...)
        local all = table.pack(...)
        local count = all.n
        all.n = nil
        for at = 1, count do all[at] = show(all[at]) end
        return {{ ok, all }}
      end
      local programs = {{
{listed} }}
      return {{ main = function()
        local outcomes = {{}}
        for at = 1, #programs do outcomes[at] = told(pcall(programs[at])) end
        return outcomes
      end }}"""
    plain, sandboxed = outcomes(text, "unlimited"), outcomes(text, "sandbox")
    assert isinstance(plain, list)
    assert isinstance(sandboxed, list)
    for source, one, other in zip(programs, plain, sandboxed, strict=True):
        assert same_words(one) == same_words(other), source
