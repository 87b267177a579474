"""Every function of the libraries gives what plain Lua gives, under every combination of limits, to the count of results.

One piece of Lua runs in both: it calls each function with every choice of up to three arguments out of a few, and writes
down what came. What a message says of a position or a name is not compared; that there is one is.
"""

# ruff: noqa: E501  # cases are Lua code, one a line

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from lupa.lua54 import LuaRuntime

from effort import times
from lua_guests import context, prepare, program, run

pytestmark = pytest.mark.under_every_limit

HARNESS = r"""
local choices = {
  function() return nil end, function() return true end, function() return 0 end, function() return 3 end,
  function() return -2 end, function() return 2.5 end, function() return "2" end, function() return "%d" end,
  function() return "a%-.b" end, function() return "hello 12 world" end, function() return { 3, 1, 2 } end,
  function() return setmetatable({ 5, 4 }, { __tostring = function() return "shown" end, __index = { 1, 2, 3 } }) end,
  function() return function(a) return a end end,
}
local skipped = {
  ["os.clock"] = true, ["os.time"] = true, ["os.date"] = true, ["math.random"] = true, ["math.randomseed"] = true,
  ["table.maxn"] = true, ["coroutine.running"] = true, ["coroutine.yield"] = true, ["coroutine.isyieldable"] = true,
}
local tostring, type, pack, concat = tostring, type, table.pack, table.concat
local function shown(value, depth)
  if type(value) == "table" and not getmetatable(value) and depth < 2 then
    local parts = {}
    for at = 1, 4 do parts[at] = shown(value[at], depth + 1) end
    return "{" .. concat(parts, ",") .. ",n=" .. tostring(value.n) .. "}"
  end
  if type(value) == "string" then return "'" .. value:gsub("0x%x+", "0x") .. "'" end
  return (tostring(value):gsub(": 0x%x+", ""):gsub("builtin", "function"):gsub("^function.*", "function"))
end
local function noted(ok, ...)
  local results = pack(...)
  if not ok then return "error" end
  for at = 1, results.n do results[at] = shown(results[at], 0) end
  return results.n .. " " .. concat(results, " ")
end
local lines = {}
local function try(name, plain, count, chosen)
  local given, labels = { n = count }, {}
  for at = 1, count do given[at] = choices[chosen[at]]() labels[at] = chosen[at] end
  local line = noted(pcall(plain, table.unpack(given, 1, count)))
  for at = 1, count do labels[at] = shown(given[at], 0) end
  lines[#lines + 1] = name .. "(" .. concat(labels, ", ") .. ") " .. line
end
local function try_all(name, plain)
  try(name, plain, 0, {})
  for first = 1, #choices do
    try(name, plain, 1, { first })
    for second = 1, #choices do
      try(name, plain, 2, { first, second })
      if name:find("^string") or name:find("^table") or name:find("^utf8") then
        for third = 1, #choices, STEP do try(name, plain, 3, { first, second, third }) end
      end
    end
  end
end
local names = {}
for _, library in ipairs({ "string", "table", "math", "utf8", "coroutine", "os" }) do
  for name, value in pairs(LIBRARIES[library]) do
    if type(value) == "function" then names[#names + 1] = library .. "." .. name end
  end
end
for _, name in ipairs({ "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
  "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall" }) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  if not skipped[name] then
    local library, own = name:match("(%w+)%.(%w+)")
    try_all(name, library and LIBRARIES[library][own] or LIBRARIES[name])
  end
end
return concat(lines, "\n")
"""
ALLOWED = (
    "local allowed = { string = 'byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper', "
    "table = 'concat insert move pack remove sort unpack', os = 'difftime', coroutine = 'close create resume status wrap', "
    "utf8 = 'char codepoint codes len offset', math = 'abs ceil floor fmod max min modf sqrt tointeger type ult exp log' } "
    "LIBRARIES = setmetatable({}, { __index = _G }) for library, names in pairs(allowed) do local own = {} "
    "for name in names:gmatch('%w+') do own[name] = _G[library][name] end LIBRARIES[library] = own end "
)
STEP = f"local STEP = {times(1, 5)} "  # of the third argument
WANTED = "getmetatable('"  # the metatable of strings is the host's


@cache
def plain_lua() -> list[str]:
    lua: Any = LuaRuntime(encoding=None)
    return lines(lua.execute((ALLOWED + STEP + HARNESS).encode()))


def lines(text: object) -> list[str]:
    return (text if isinstance(text, bytes) else str(text).encode()).decode("latin1").split("\n")


@pytest.mark.no_cover
def test_every_function_gives_what_plain_lua_gives() -> None:
    function = prepare(program("return { main = function() " + ALLOWED + STEP + HARNESS + " end }"))
    ours = lines(function.instantiate().call([], context()))
    theirs = plain_lua()
    assert len(ours) == len(theirs) > times(20_000, 8_000)
    assert [
        pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1] and not pair[1].startswith(WANTED)
    ] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local t = {} table.insert(t, string.format('%d', 1)) return t", ["1"]),
        ("local t = {} table.insert(t, ('A'):lower()) table.insert(t, ('a'):upper()) table.insert(t, ('ab'):reverse()) return t", ["a", "A", "ba"]),
        ("return select('#', table.concat({ 1 })) + select('#', ('ab'):rep(5000)) + select('#', ('a'):gsub('a', 'b'))", 4),
        (
            "local n = 0 local t = setmetatable({}, { __tostring = function() n = n + 1 error('x') end }) "
            "pcall(string.format, '%s', t) pcall(tostring, t) return n",
            2,
        ),
        ("local t = setmetatable({}, { __tostring = function() return 'T' end }) return ('%s %5s %q'):format(t, t, 'q')", 'T     T "q"'),
        ("return pcall(string.format, '%d', {}) == false and pcall(string.format, '%s') == false", True),
        ("return os.time({ year = 2020, month = 14, day = 1, hour = 12 }) == os.time({ year = 2021, month = 2, day = 1, hour = '12' })", True),
        ("local t = { year = 2020, month = 14, day = 1, hour = 12 } os.time(t) return { t.year, t.month, t.yday, t.isdst }", [2021, 2, 32, False]),
        ("return os.date('!%Y-%m-%d', 0)", "1970-01-01"),
        ("local n = 0 for p, c in utf8.codes('aé') do n = n * 1000 + c end return n", 97233),
    ],
)  # fmt: skip
def test_what_a_function_gives_is_what_lua_gives(text: str, expected: object) -> None:
    assert run(text) == expected
