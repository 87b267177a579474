"""Each case is one attempt to get out, and a control: honest code of the same shape that must work.

An attempt succeeds if it returns "ESCAPED". Each case says how it ends instead: in an error, or in the value given.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from attacks import Attack, attacks, outcome
from lua_guests import body, context, prepare, program, run
from polycall.interop.context import CallContext
from polycall.interop.errors import DeadlineError, GuestError, InternalError, PolycallError
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value
from polycall.lua_runtime.failure import conclude


class Case(NamedTuple):
    attempt: str
    control: str
    expected: Value
    result: type[PolycallError] | Value = GuestError


CASES = {
    "os.execute": Case("if os.execute then return 'ESCAPED' end", "return type(os.time())", "number", None),
    "os.getenv": Case("return os.getenv('PATH') and 'ESCAPED'", "return type(os.clock())", "number"),
    "os.exit and files": Case(
        "if os.exit or os.remove or os.rename or os.tmpname or os.setlocale then return 'ESCAPED' end",
        "return os.date('!%Y', 0)",
        "1970", None,
    ),
    "io": Case("return io.open('/etc/passwd') and 'ESCAPED'", "return io == nil", True),
    "load": Case("return load('return \"ESCAPED\"')()", "return (function() return 'ok' end)()", "ok"),
    "loadstring, loadfile, dofile": Case(
        "if loadstring or loadfile or dofile then return 'ESCAPED' end", "return type(require)", "function", None
    ),
    "debug": Case("if debug then return 'ESCAPED' end", "return type(errors.new('x'):stack())", "string", None),
    "debug by require": Case("return require('debug') and 'ESCAPED'", "return require('string') == string", True),
    "package": Case(
        "if package and package.loaded then return 'ESCAPED' end", "return type(require('json'))", "table", None
    ),
    "native modules by require": Case(
        "for _, n in ipairs({ 'io', 'package', 'python', '_G', 'debug', 'lupa' }) do "
        "if pcall(require, n) then return 'ESCAPED' end end",
        "return pcall(require, 'json')",
        True, None,
    ),
    "a module by its path": Case(
        "return require('../lua/guard') and 'ESCAPED'", "return type(require('ctx'))", "table"
    ),
    "the python bridge": Case(
        "if python or _G.python then return 'ESCAPED' end", "return _G.string == string", True, None
    ),
    "collectgarbage": Case("if collectgarbage then return 'ESCAPED' end", "return #('x'):rep(1000)", 1000, None),
    "string.dump": Case(
        "return string.dump(function() end) and 'ESCAPED'", "return string.pack('>I2', 65)", "\x00A"
    ),
    "string.dump as a method": Case("return ('').dump(function() end) and 'ESCAPED'", "return ('a'):upper()", "A"),
    "the string metatable": Case(
        "local m = getmetatable('') if type(m) == 'table' then m.__index = nil return 'ESCAPED' end",
        "return getmetatable(setmetatable({}, { __metatable = 'mine' }))",
        "mine", None,
    ),
    "the string metatable by setmetatable": Case(
        "setmetatable('', {}) return 'ESCAPED'", "return getmetatable(setmetatable({}, {})) ~= nil", True
    ),
    "writing into string": Case(
        "string.upper = function() end return 'ESCAPED'", "local s = { upper = 1 } s.upper = 2 return s.upper", 2
    ),
    "rawset into string": Case(
        "rawset(string, 'upper', 1) return 'ESCAPED'", "local t = {} rawset(t, 'a', 1) return t.a", 1
    ),
    "table.insert into a library": Case(
        "table.insert(math, 1) return 'ESCAPED'", "local t = {} table.insert(t, 1) return t[1]", 1
    ),
    "table.move into a library": Case(
        "table.move({ 1 }, 1, 1, 1, table) return 'ESCAPED'", "return table.move({ 1 }, 1, 1, 2)[2]", 1
    ),
    "the hidden table behind a library, by pairs": Case(
        "local _, hidden = pairs(string) hidden.upper = function() return 'ESCAPED' end return ('a'):upper()",
        "local n = 0 for name, f in pairs(string) do if f == string[name] then n = n + 1 end end return n > 10",
        True,
    ),
    "the hidden table behind a library, by its metatable": Case(
        "local m = getmetatable(string) m.__index.upper = nil return 'ESCAPED'",
        "return getmetatable(string)",
        False,
    ),
    "a new metatable for a library": Case(
        "setmetatable(math, { __index = {} }) return 'ESCAPED'", "return math.floor(2.5)", 2
    ),
    "writing into a module": Case(
        "local json = require('json') json.encode = print return 'ESCAPED'",
        "local json = setmetatable({}, { __index = require('json') }) json.extra = 1 return json.encode({})",
        "[]",
    ),
    "a global of another chunk": Case(
        "if type(_ENV.require('json')._ENV) == 'table' then return 'ESCAPED' end",
        "local _ENV = { tostring = tostring } return tostring(1)",
        "1", None,
    ),
    "a finalizer": Case(
        "setmetatable({}, { __gc = function() while true do end end }) return 'ESCAPED'",
        "return getmetatable(setmetatable({}, { __mode = 'v' })).__mode",
        "v",
    ),
    "python objects behind host functions": Case(
        "local f = require('funcs').call if type(f) ~= 'function' or pcall(function() return f.__class__ end) "
        "then return 'ESCAPED' end",
        "return type(require('json').encode)",
        "function", None,
    ),
    "python objects in raised errors": Case(
        "local _, e = pcall(require('json').decode, setmetatable({}, { __index = error })) "
        "if type(e) == 'userdata' then return 'ESCAPED' end",
        "local _, e = pcall(error, { a = 1 }) return e.a",
        1, None,
    ),
    "userdata anywhere in reach": Case(
        """
        local seen = {}
        local function walk(v)
          if type(v) == 'userdata' then error('FOUND', 0) end
          if type(v) ~= 'table' or seen[v] then return end
          seen[v] = true
          walk(getmetatable(v))
          for k, item in pairs(v) do walk(k) walk(item) end
        end
        for _, n in ipairs({ 'funcs', 'json', 'logger', 'ctx' }) do walk(require(n)) end
        local ok, why = pcall(walk, _G)
        if not ok and why == 'FOUND' then return 'ESCAPED' end""",
        "local n = 0 for k in pairs(_G) do n = n + 1 end return n > 20",
        True, None,
    ),
    "forging an error object": Case(
        "local real = errors.new('x') local fake = setmetatable({}, getmetatable(real) or nil) "
        "if fake.kind then return 'ESCAPED' end",
        "return errors.new({ message = 'x', kind = 'Invalid' }):kind()",
        "Invalid", None,
    ),
    "writing into an error object": Case(
        "local e = errors.new('x') rawset(e, 'kind', function() return 'ESCAPED' end) return e:kind()",
        "return errors.new('x'):message()",
        "x",
    ),
    "the host's coroutine as one's own": Case(
        "local main = coroutine.running() coroutine.close(main) return 'ESCAPED'",
        "local co = coroutine.create(print) coroutine.close(co) return coroutine.status(co)",
        "dead",
    ),
    "yielding out of the call": Case(
        "coroutine.yield('ESCAPED') return 'ESCAPED'",
        "return coroutine.wrap(function() coroutine.yield('in') end)()",
        "in",
    ),
    "levels of error into the host": Case(
        "for level = 1, 30 do local _, e = pcall(error, 'x', level) if e:find('polycall') or e:find('%.py') "
        "then return 'ESCAPED' end end",
        "local _, e = pcall(function() error('x') end) return (e:gsub('^.*/', ''))",
        "main.lua:2: x", None,
    ),
    "bytecode as source": Case(
        "return require('bytecode') and 'ESCAPED'", "return #string.pack('s1', 'abc')", 4
    ),
    "a word of the host as a result": Case(
        "return 'stopped'", "return 'memory'", "memory", 'stopped'
    ),
    "a long format": Case("return string.format('%1000d', 1) and 'ESCAPED'", "return #string.format('%99d', 1)", 99),
    "the environment of a function": Case(
        "if getfenv or setfenv then return 'ESCAPED' end", "x = 1 return _ENV.x", 1, None
    ),
    "the real globals by _G of a library": Case(
        "local seen = _G._G._G if seen.load or seen.debug or seen ~= _ENV then return 'ESCAPED' end",
        "_G.mine = 5 return mine",
        5, None,
    ),
}  # fmt: skip


def rows() -> Iterator[Attack]:
    for attempt, case in CASES.items():
        yield Attack(attempt, "Lua", outcome(case.result), f"`{case.control}` {outcome(case.expected)}")


@attacks(*rows())
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_attempt_fails_and_the_control_works(case: Case) -> None:
    if isinstance(case.result, type):
        with pytest.raises(case.result):
            run(case.attempt)
    else:
        assert run(case.attempt) == case.result
    assert run(case.control) == case.expected


def test_the_globals_are_those_of_the_allow_list_and_no_others() -> None:
    names = run("local n = {} for name in pairs(_G) do n[#n + 1] = name end table.sort(n) return n")
    assert names == sorted(
        [
            "_G",
            "_VERSION",
            "assert",
            "coroutine",
            "error",
            "errors",
            "getmetatable",
            "ipairs",
            "math",
            "next",
            "os",
            "pairs",
            "pcall",
            "print",
            "rawequal",
            "rawget",
            "rawset",
            "require",
            "select",
            "setmetatable",
            "string",
            "table",
            "tonumber",
            "tostring",
            "type",
            "unpack",
            "utf8",
            "xpcall",
        ]
    )


@pytest.mark.parametrize(
    ("library", "names"),
    [
        ("os", "clock date difftime platform time"),
        ("coroutine", "close create isyieldable resume running status wrap yield"),
        ("table", "concat insert maxn move pack remove sort unpack"),
        (
            "string",
            "byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper",
        ),
        ("utf8", "char charpattern codepoint codes len offset"),
    ],
)
def test_a_library_holds_what_the_allow_list_says(library: str, names: str) -> None:
    text = f"local n = {{}} for name in pairs({library}) do n[#n + 1] = name end table.sort(n) return n"
    assert run(text) == names.split()
    assert all(run(f"return {library}.{name} ~= nil") for name in names.split())


def test_methods_of_strings_are_only_the_safe_ones() -> None:
    assert run("local s = '' return s.dump == nil and s.upper ~= nil and s.format ~= nil") is True


@attacks(
    Attack(
        "leaving a trace in another instance", "Lua", "the other instance counts from 1", "the same instance counts on"
    )
)
def test_a_guest_cannot_leave_a_trace_in_another_instance() -> None:
    text = "shared = (shared or 0) + 1 local ok = pcall(function() string.x = 1 end) return { shared, ok }"
    function = prepare(program(body(text)))
    with closing(function.instantiate()) as first, closing(function.instantiate()) as second:
        assert first.call([], context()) == [1, False]
        assert first.call([], context()) == [2, False]
        assert second.call([], context()) == [1, False]


@attacks(
    Attack(
        "the host's paths in a traceback",
        "Lua",
        "GuestError without them",
        "an error of the guest's own has its file and line",
    )
)
def test_nothing_of_the_host_shows_in_a_traceback() -> None:
    text = "local _ = pcall(error)\nlocal t = table.concat({ {} })\nreturn t"
    with pytest.raises(GuestError) as caught:
        run(text)
    shown = f"{caught.value} {caught.value.guest_traceback}"
    assert str(Path(__file__).parents[2]) not in shown
    assert "calls" not in shown
    assert "[C]" not in shown


@attacks(Attack("bytecode in a source file", "Lua", "PreparationError", "every other case runs from text"))
def test_a_bytecode_file_is_not_accepted_as_source() -> None:
    with pytest.raises(PolycallError, match=r"^lua/main\.lua: "):
        prepare(program("\x1bLua\x54\x00"))


@attacks(
    Attack(
        "the environment, through everything in reach",
        "Lua",
        "neither it nor the host's paths show",
        "the names of the libraries show",
    )
)
def test_environment_variables_and_the_working_directory_are_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYCALL_SECRET", "hunter2")
    assert os.environ["POLYCALL_SECRET"] == "hunter2"
    text = """
      local function show(v, depth)
        if type(v) ~= 'table' or depth > 3 then return tostring(v) end
        local parts = {}
        for k, item in pairs(v) do parts[#parts + 1] = tostring(k) .. show(item, depth + 1) end
        return table.concat(parts)
      end
      return show(_G, 0)"""
    shown = str(run(text))
    assert "platform" in shown
    assert "hunter2" not in shown
    assert sys.prefix not in shown


@attacks(
    Attack(
        "an endless loop in an endless loop of pcall", "Lua", "DeadlineError", "an honest guest answers right after it"
    )
)
def test_a_hostile_guest_leaves_the_next_call_of_others_untouched() -> None:
    hostile = prepare(program(body("while true do pcall(function() while true do end end) end")))
    honest = prepare(program(body("return 'fine'"), limits=LimitsSpec(max_memory_bytes=1_000_000)))
    for _ in range(3):
        with closing(hostile.instantiate()) as bad, closing(honest.instantiate()) as good:
            frame = CallContext("app:main", "lua", deadline=time.monotonic() + 0.01)
            with pytest.raises(DeadlineError):
                bad.call([], frame)
            assert good.call([], context()) == "fine"


def test_an_error_object_reads_what_it_is_made_from_once() -> None:
    text = """
        local n, endless = 0, setmetatable({}, { __index = function() while true do end end })
        local about = setmetatable({}, { __index = function(_, key)
          if key ~= 'message' then return nil end
          n = n + 1
          if n == 1 then return 'first' end
          return endless
        end })
        return nil, errors.new(about)"""
    with pytest.raises(GuestError) as caught:
        run(text)
    assert caught.value.message == "first"


def test_the_host_never_touches_a_table_where_it_expects_text() -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Value:
            raise AssertionError(f"{name} of a guest's table was looked up")

    session = prepare(program(body("return 1"))).instantiate()._kernel.session  # type: ignore[union-attr]  # started
    with pytest.raises(InternalError, match="gave a Proxy where it gives text"):
        conclude((b"raised", Proxy(), b"", None, None, None, None, 0), session)
