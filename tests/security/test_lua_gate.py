"""What stops a guest reaches none of its code: no exception of Python's, no handler after the end, no swallowing.

Host functions raise here as nothing of ours does: where lupa pushes results onto a full stack, and where a signal's handler
raises in the middle of one.
"""

# ruff: noqa: E501  # cases are Lua code, one a line

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from attacks import Attack, attacks
from effort import times
from lua_guests import body, context, prepare, program, run
from lua_guests import runtime as lua_runtime
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import (
    CancelledError,
    DeadlineError,
    GuestError,
    InternalError,
    LimitError,
    MemoryLimitError,
    PreparationError,
)
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value
from polycall.lua_runtime import modules
from polycall.lua_runtime.session import Session

MEMORY = LimitsSpec(max_memory_bytes=8 << 20)


class Timeout(Exception):  # noqa: N818  # as embedders call it
    """What the handler of an embedder's own signal raises."""


def raising(error: Callable[[], BaseException]) -> Callable[[Session], tuple[Callable[..., Any], ...]]:
    def host_functions(_session: Session) -> tuple[Callable[..., Any], ...]:
        def boom(*_arguments: object) -> None:
            raise error()

        return boom, boom

    return host_functions


def _have_ctx_raise(error: Callable[[], BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "MODULES", MappingProxyType({**modules.MODULES, "ctx": raising(error)}))


# Each tries to see what a host function raised, and to go on; `HOST()` raises.
SWALLOWING = {
    "pcall": "pcall(HOST)",
    "xpcall": "xpcall(HOST, saw)",
    "a handler of a variable to be closed": "pcall(function() local c <close> = closing HOST() end)",
    "a handler that raises something else": """pcall(function()
        local c <close> = setmetatable({}, { __close = function(_, e) saw(e) error('swallowed', 0) end }) HOST() end)""",
    "a handler of a loop": "pcall(function() for _ in next, {}, nil, closing do end "
    "for _ in function() HOST() end, nil, nil, closing do end end)",
    "a coroutine": "coroutine.resume(coroutine.create(HOST))",
    "closing a coroutine that failed": """local co = coroutine.create(function() local c <close> = closing HOST() end)
        coroutine.resume(co) coroutine.close(co)""",
    "coroutine.wrap": "pcall(coroutine.wrap(function() local c <close> = closing HOST() end))",
    "a callback of gsub": "pcall(string.gsub, 'a', 'a', function() local c <close> = closing HOST() end)",
    "a comparator": "pcall(table.sort, { 3, 2, 1 }, function() local c <close> = closing HOST() end)",
    "a metamethod": "pcall(function() return setmetatable({}, { __index = function() HOST() end }).x end)",
    "a handler that is a host function": """pcall(function()
        local c <close> = setmetatable({}, { __close = function() return HOST() end }) HOST() end)""",
}
RAISED: dict[str, tuple[Callable[[], BaseException], type[BaseException]]] = {
    "KeyboardInterrupt": (KeyboardInterrupt, KeyboardInterrupt),
    "SystemExit": (lambda: SystemExit(3), SystemExit),
    "MemoryError": (MemoryError, InternalError),
    "a fault of the host": (lambda: ValueError("x"), InternalError),
}


def swallowing(attempt: str, host: str = "require('ctx').all") -> str:
    return f"""
        local HOST = {host}
        local seen = {{}}
        local function saw(e) seen[#seen + 1] = type(e) .. tostring(getmetatable(e)) return 'swallowed' end
        local closing = setmetatable({{}}, {{ __close = function(_, e) saw(e) end }})
        {attempt}
        HOST = nil
        return seen"""


@attacks(
    *(
        Attack(f"seeing a Python exception: {name}", "Lua", "the exception ends the call, in Python", "it sees a text")
        for name in SWALLOWING
    )
)
@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("limits", [LimitsSpec(), MEMORY], ids=["unlimited", "limited"])
@pytest.mark.parametrize("raised", RAISED.values(), ids=RAISED.keys())
@pytest.mark.parametrize("attempt", SWALLOWING.values(), ids=SWALLOWING.keys())
def test_an_exception_of_pythons_meets_nothing_of_the_guest_and_ends_the_call(
    attempt: str,
    raised: tuple[Callable[[], BaseException], type[BaseException]],
    limits: LimitsSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(swallowing(attempt, "function() error('text', 0) end"), limits=limits) is not None  # control
    error, expected = raised
    _have_ctx_raise(error, monkeypatch)
    function = prepare(program(body("kept = (kept or 0) + 1 " + swallowing(attempt)), limits=limits))
    with closing(function.instantiate()) as instance:
        with pytest.raises(expected) as caught:
            instance.call([], context())
        assert instance.poisoned
        if expected is InternalError:
            assert type(caught.value.__cause__) is type(error())
        with pytest.raises(InternalError, match="after its end"):
            instance.call([], context())


def test_a_handler_sees_the_errors_of_its_own_side() -> None:
    assert run(swallowing(SWALLOWING["a handler of a variable to be closed"], "function() error('x', 0) end")) == [
        "stringfalse"
    ]


DEEP = """
  local text = '[' .. ('1,'):rep(6999) .. '1]'
  local function deep(n, f) if n == 0 then f() return end deep(n - 1, f) return nil end
  local seen = {}
  local function see(e) if type(e) == 'userdata' or type(e) == 'table' then seen[#seen + 1] = type(e) end end
  local function probe()
    local c <close> = setmetatable({}, { __close = function(_, e) see(e) error('swallowed', 0) end })
    require('json').decode(text)
  end
  local n = ...
  TRY
  return seen"""


@attacks(
    Attack("7,000 results on a full stack, in pcall", "Lua", "stopped", "the same depth without the host goes on"),
    Attack("7,000 results on a full stack, in xpcall", "Lua", "stopped", "the same depth without the host goes on"),
    Attack(
        "7,000 results on a full stack, in a coroutine", "Lua", "stopped", "the same depth without the host goes on"
    ),
)
@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("depth", [332900, 332500, 331500, 330800][:: times(1, 3)])  # of 333,320 that there are
@pytest.mark.parametrize(
    "attempt",
    [
        "pcall(deep, n, probe)",
        "xpcall(deep, function(e) see(e) end, n, probe)",
        "local co = coroutine.create(deep) see(select(2, coroutine.resume(co, n, probe))) coroutine.close(co)",
    ],
    ids=["pcall", "xpcall", "coroutine"],
)
def test_results_for_which_the_stack_has_no_room_give_the_guest_no_object_of_pythons(attempt: str, depth: int) -> None:
    text = DEEP.replace("TRY", attempt)
    assert run(text.replace("require('json').decode(text)", "local x = #text"), depth) == []
    with contextlib.suppress(InternalError, MemoryLimitError):  # what lupa raised, if it came to that
        assert run(text, depth) == []


def swallow_signals(work: str, raised: type[BaseException]) -> None:
    """What a process of its own does: a guest swallows all that it can while signals come."""

    def handler(_number: int, _frame: object) -> None:
        raise raised("of the embedder")

    text = f"""
        local json, t = require('json'), {{}}
        for i = 1, 2000 do t[i] = i end
        local function go()
          local c <close> = setmetatable({{}}, {{ __close = function() error('swallowed', 0) end }})
          while true do {work} end
        end
        while true do pcall(go) end"""
    function = prepare(program(body(text)))
    signal.signal(signal.SIGALRM, handler)
    for turn in range(5):
        with closing(function.instantiate()) as instance:
            signal.setitimer(signal.ITIMER_REAL, 0.01 + 0.0007 * turn)
            frame = CallContext("app:main", "lua", deadline=time.monotonic() + 5)
            with pytest.raises(raised, match="of the embedder"):
                instance.call([], frame)
            assert instance.poisoned
    assert run("return 1") == 1


@attacks(
    Attack("swallowing the exception of a signal's handler", "Lua", "it comes out of the call", "the next call works"),
    Attack("swallowing it in a handler, in the hook", "Lua", "it comes out of the call", "the next call works"),
)
def test_the_exception_of_a_signals_handler_comes_out_of_the_call() -> None:
    # In a process of its own: what measures the coverage of this one has locks of its own, which such a handler leaves locked.
    here = Path(__file__)
    code = "from test_lua_gate import *\n"
    for work in ("json.encode(t)", "for i = 1, 1000 do end"):  # in a host function, and in the hook
        for raised in ("Timeout", "KeyboardInterrupt"):
            code += f"print({work!r}, {raised!r}, flush=True)\nswallow_signals({work!r}, {raised})\n"
    code += "print('all came out')"
    path = os.pathsep.join(str(folder) for folder in (here.parent, here.parents[1], here.parents[2]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:], done.stderr) == (0, ["all came out"], ""), done.stdout


class Ending(NamedTuple):
    """How a call is ended from outside or by itself, and the error that must come out."""

    frame: Callable[[], CallContext]
    limits: LimitsSpec
    work: str
    expected: type[LimitError]


def cancelled() -> CallContext:
    switch = Cancellation()
    threading.Timer(0.05, switch.cancel).start()
    return context(cancellation=switch)


ENDINGS = {
    "a deadline": Ending(
        lambda: context(deadline=time.monotonic() + 0.05), LimitsSpec(), "while true do end", DeadlineError
    ),
    "a cancellation": Ending(cancelled, LimitsSpec(), "while true do end", CancelledError),
    "want of memory": Ending(context, MEMORY, "local t = {} while true do t[#t + 1] = { {} } end", MemoryLimitError),
    "want of memory for a buffer": Ending(context, MEMORY, "local s = ('x'):rep(16 << 20)", MemoryLimitError),
}
GOING_ON = {
    "raising in a handler": """
        local function go() local c <close> = setmetatable({}, { __close = function() error('swallowed', 0) end }) WORK end
        pcall(go) return 'went on'""",
    "returning from a handler": """
        local function go() local c <close> = setmetatable({}, { __close = function() end }) WORK end
        pcall(go) return 'went on'""",
    "a handler that works on": """
        local function go() local c <close> = setmetatable({}, { __close = function() while true do end end }) WORK end
        pcall(go) return 'went on'""",
    "a handler in a coroutine": """
        local co = coroutine.create(function()
          local c <close> = setmetatable({}, { __close = function() error('swallowed', 0) end }) WORK end)
        coroutine.resume(co) coroutine.close(co) return 'went on'""",
    "closing a stopped coroutine in a handler": """
        local co = coroutine.create(function()
          local c <close> = setmetatable({}, { __close = function() while true do end end }) WORK end)
        local c <close> = setmetatable({}, { __close = function() coroutine.close(co) end })
        pcall(coroutine.resume, co) return 'went on'""",
    "wrapping all of it": """
        local w = coroutine.wrap(function() pcall(function() WORK end) coroutine.yield('went on') end)
        return select(2, pcall(w))""",
    "a message handler": "return select(2, xpcall(function() WORK end, function() while true do end end))",
    "handlers put in later": """
        local mt = {} local function go() local c <close> = setmetatable({}, { __close = 1 }) WORK end
        pcall(function() mt.__close = function() end end) pcall(go) return 'went on'""",
}


@attacks(
    *(
        Attack(
            f"going on after {ending}: {name}", "Lua", ENDINGS[ending].expected.__name__, "it goes on after an error"
        )
        for ending in ENDINGS
        for name in GOING_ON
    )
)
@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("attempt", GOING_ON.values(), ids=GOING_ON.keys())
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_stopped_guest_does_not_go_on_and_its_instance_serves_no_other_call(ending: Ending, attempt: str) -> None:
    if "while true" not in attempt:
        assert run(attempt.replace("WORK", "error('x', 0)"), limits=ending.limits) is not None
    function = prepare(program(body(attempt.replace("WORK", ending.work)), limits=ending.limits))
    with closing(function.instantiate()) as instance:
        start = time.monotonic()
        with pytest.raises(ending.expected):
            instance.call([], ending.frame())
        assert time.monotonic() - start < 2
        assert instance.poisoned


HANDLERS = """
    local mt = { __close = function() for i = 1, 1000 do end end }
    local function nest(n) local c <close> = setmetatable({}, mt) if n > 0 then nest(n - 1) else while true do end end end
"""


@attacks(
    Attack("150,000 pending handlers, in a call", "Lua", "passed over", "100 handlers of a call that ends run"),
    Attack("150,000 pending handlers, at start-up", "Lua", "passed over", "100 handlers of a call that ends run"),
    Attack("150,000 pending handlers, in a coroutine", "Lua", "passed over", "100 handlers of a call that ends run"),
)
@pytest.mark.parametrize("work", ["nest(150000)", "coroutine.wrap(nest)(150000)"], ids=["plain", "coroutine"])
def test_pending_handlers_are_passed_over(work: str) -> None:
    control = "local n = 0 local mt = { __close = function() n = n + 1 end } local function nest(m) "
    control += "local c <close> = setmetatable({}, mt) if m > 0 then nest(m - 1) end end nest(99) return n"
    assert run(control) == 100
    start = time.monotonic()
    with pytest.raises(DeadlineError):
        run(f"{HANDLERS} pcall(function() {work} end) return 1", frame=context(deadline=start + 0.3))
    assert time.monotonic() - start < 1.3
    start = time.monotonic()
    with pytest.raises(DeadlineError):
        prepare(program(f"{HANDLERS} {work}", limits=LimitsSpec(max_execution_ms=300)))
    assert time.monotonic() - start < 1.5


LATER = """
    local ran, mt = 0, { __close = print }
    local c = setmetatable({}, mt)
    mt.__close = function() ran = ran + 1 for i = 1, 1000 do end end
    local function nest(n) local x <close> = c if n > 0 then nest(n - 1) else WORK end end
    pcall(nest, DEPTH) return ran"""


@attacks(
    *(
        Attack(f"handlers put into a metatable in use, after {ending}", "Lua", "none begins", "100 of them run")
        for ending in ("a deadline", "an exception of Python's")
    )
)
@pytest.mark.alike_in_the_sandbox
def test_handlers_that_were_put_in_later_do_not_begin_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(LATER.replace("WORK", "error('x')").replace("DEPTH", "99")) == 100
    many = LATER.replace("DEPTH", "100000")
    start = time.monotonic()
    with pytest.raises(DeadlineError):
        run(many.replace("WORK", "while true do end"), frame=context(deadline=start + 0.3))
    assert time.monotonic() - start < 1.3
    _have_ctx_raise(KeyboardInterrupt, monkeypatch)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(many.replace("WORK", "require('ctx').all()"))
    assert time.monotonic() - start < 1


@attacks(
    Attack("a library that catches what ends its importer", "Lua", "it ends all the same", "its own errors it catches"),
    Attack("start-up code that catches what ends it", "Lua", "PreparationError or the exception", "it starts"),
)
def test_a_library_holds_nothing_of_what_ends_its_importer(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = "local c <close> = setmetatable({}, { __close = function(_, e) taken = e end }) FAIL return {}"
    text = "local ok = pcall(require, 'lib') return { main = function() return ok end }"

    def start(failing: str) -> Value:
        library = program(lib.replace("FAIL", failing), entry_id="app:lib", method=None)
        function = prepare(program(text, imports={"lib": library}))
        with closing(function.instantiate()) as instance:
            return instance.call([], context())

    assert start("error('x')") is False
    _have_ctx_raise(KeyboardInterrupt, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        start("require('ctx').all()")


# The collector and the metatables ------------------------------------------------------------------------------------

CHAIN = """
    local mt, keys, p, chain = {}, {}, {}, {}
    for i = 0, N do keys[i] = {} end
    for i = 0, N - 1 do p[(i % 2 == 0) and (i + 1) or (i - 1)] = i end
    MAKE
    local first = keys[0] keys, p = nil, nil
    local g = {} for round = 1, ROUNDS do g[round % 1000 + 1] = {} end
    return #chain + (first and 0 or 1)"""
LINKS = "for at = 0, N - 1 do local i = p[at] if i then LINK end end"
MAKES = {
    "weak keys": "mt.__mode = 'k' "
    + LINKS.replace("LINK", "chain[#chain + 1] = setmetatable({ [keys[i]] = keys[i + 1] }, mt)"),
    "weak keys and values": "mt.__mode = 'kv' "
    + LINKS.replace("LINK", "chain[#chain + 1] = setmetatable({ [keys[i]] = keys[i + 1] }, mt)"),
    "in one table": "mt.__mode = 'k' local all = setmetatable({}, mt) "
    + LINKS.replace("LINK", "all[keys[i]] = keys[i + 1] chain[#chain + 1] = 1"),
    "error objects that hold each other": "local last for i = 0, N - 1 do "
    "last = errors.new({ message = 'x', details = { last } }) chain[#chain + 1] = 1 end keys.last = last",
}


@attacks(*(Attack(f"a chain of {name}", "Lua", "DeadlineError in time", "a short one") for name in MAKES))
@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES.keys())
def test_no_chain_of_a_guest_costs_the_collector_the_square_of_its_length(make: str) -> None:
    text = CHAIN.replace("MAKE", make)
    assert run(text.replace("ROUNDS", "100").replace("N", "100"), frame=context(cancellation=Cancellation())) == 100
    start = time.monotonic()
    with pytest.raises(DeadlineError):
        run(text.replace("ROUNDS", "math.huge").replace("N", "60000"), frame=context(deadline=start + 0.4))
    assert time.monotonic() - start < 2.3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local t = setmetatable({}, { __mode = 'v' }) return getmetatable(t).__mode", "v"),
        ("local mt = {} local t = setmetatable({}, mt) mt.__index = { x = 5 } return t.x", 5),
        ("local mt = {} local t = setmetatable({}, mt) function mt.__call() return 6 end return t()", 6),
        ("local C = {} C.__index = C local o = setmetatable({}, C) function C:f() return 7 end return o:f()", 7),
        (
            "local A = {} A.__index = A function A:f() return 8 end local B = setmetatable({}, A) B.__index = B "
            "local o = setmetatable({}, B) function A:g() return self:f() end return o:g()",
            8,
        ),
        ("local t = {} t.__call = function() return 9 end setmetatable(t, t) return t() == 9 and getmetatable(t) == t", True),
        ("local mt = {} setmetatable({}, mt) return getmetatable(mt) == nil and next(mt) == nil", True),
        ("local mt = {} setmetatable({}, mt) setmetatable(mt, { __index = { z = 1 } }) return mt.z", 1),
        ("local mt = { __index = { z = 1 } } setmetatable({}, mt) setmetatable(mt, mt) setmetatable(mt, nil) return mt.z", None),
        (
            "local log = {} local mt = setmetatable({}, { __newindex = function(t, k, v) log[1] = k rawset(t, k, v) end }) "
            "setmetatable({}, mt) mt.a = 1 return { log[1], mt.a }",
            ["a", 1],
        ),
        ("local t = setmetatable({}, { __mode = 'v' }) t[1] = {} for i = 1, 1000000 do local x = {} end return t[1] == nil", True),
        ("local ran local c = { __close = function(_, e) ran = e == nil end } do local x <close> = setmetatable({}, c) end return ran", True),
        (
            "local ran local mt = { __close = print } local c = setmetatable({}, mt) function mt.__close() ran = true end "
            "do local x <close> = c end return ran",
            True,
        ),
        (
            "local ran local mt = {} local t = setmetatable({}, mt) function mt.__gc() ran = true end "
            "t = nil for i = 1, 300000 do local x = {} end return ran",
            None,
        ),
        ("return getmetatable(setmetatable({}, { __metatable = 'mine' }))", "mine"),
        ("return pcall(setmetatable, setmetatable({}, { __metatable = 1 }), {})", False),
        ("return pcall(setmetatable, {})", False),
    ],
)  # fmt: skip
def test_metatables_work_as_in_lua(text: str, expected: Value) -> None:
    for limits in (LimitsSpec(), MEMORY):
        assert run(text, limits=limits) == expected


# Addresses -----------------------------------------------------------------------------------------------------------

SHOWN = {
    "tostring of a table": "return tostring({})",
    "tostring of a function": "return tostring(print)",
    "tostring of a coroutine": "return tostring(coroutine.create(print))",
    "tostring with __name": "return tostring(setmetatable({}, { __name = 'Thing' }))",
    "%s": "return string.format('%s', {})",
    "%s with a width": "return string.format('%40s|', print)",
    "%p": "return string.format('%p', {})",
    "%p of a text": "return string.format('%p', ('x'):rep(100))",
    "the seed": "local a, b = math.randomseed() return a .. ' ' .. b",
    "a raised function": "error(print)",
    "a raised table": "error({ print })",
}


@attacks(*(Attack(f"an address by {name}", "Lua", "none shows", "it tells two objects apart") for name in SHOWN))
@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN.keys())
def test_no_address_of_the_process_shows(text: str) -> None:
    with open("/proc/self/maps") if os.path.exists("/proc/self/maps") else open(os.devnull) as maps:  # noqa: PTH123, PTH110
        ranges = [tuple(int(each, 16) for each in line.split()[0].split("-")) for line in maps]
    try:
        shown = str(run(text))
    except GuestError as error:
        shown = str(error)
    for word in shown.replace("|", " ").replace(":", " ").replace(")", " ").split():
        number = int(word, 16) if word.startswith("0x") else int(word) if word.lstrip("-").isdigit() else 0
        assert not any(low <= number < high for low, high in ranges)
    assert ranges


def test_names_of_objects_tell_them_apart() -> None:
    text = """
        local a, b = {}, {}
        assert(tostring(a) == tostring(a) and tostring(a) ~= tostring(b))
        assert(('%s'):format(a) == tostring(a) and ('%p'):format(a) == tostring(a):match('0x%x+'))
        assert(('%5.2s|%%|%d|%s'):format('abc', 7, a) == '   ab|%|7|' .. tostring(a))
        return tostring(a):match('^table: 0x%x+$') ~= nil"""
    assert run(text) is True


def test_random_numbers_of_two_states_differ() -> None:
    text = "return math.random(0)"
    assert run(text) != run(text)
    assert run("math.randomseed(5) local a = math.random(0) math.randomseed(5) return a == math.random(0)") is True


# Compiling -----------------------------------------------------------------------------------------------------------


@attacks(
    Attack("a long chain of elseif", "Lua", "its caller's deadline holds", "a short one compiles"),
    Attack("a source without end", "Lua", "PreparationError", "a short one compiles"),
)
def test_a_compilation_does_not_outlast_the_deadline_of_the_call_that_waits() -> None:
    def source(length: int) -> str:
        return "return {main=function(x) if x then " + "elseif x then " * length + "end return 1 end}"

    runtime = lua_runtime()
    start = time.monotonic()
    with pytest.raises(DeadlineError, match="the deadline of the call passed"):
        runtime.prepare(program(source(30000)), context(deadline=start + 0.2))
    assert time.monotonic() - start < 1
    with pytest.raises(PreparationError, match="more than 524288 bytes"):
        runtime.prepare(program(source(40000)))
    with pytest.raises(PreparationError, match="more than 524288 bytes"):
        runtime.prepare(program("return {}" + " " * (1 << 20)))
    frame = context(deadline=time.monotonic() + 5)
    with closing(runtime.prepare(program(source(10)), frame).instantiate()) as instance:
        assert instance.call([], frame) == 1


def test_a_first_line_for_the_shell_is_skipped() -> None:
    with pytest.raises(GuestError, match=r"main\.lua:3: here"):
        prepare_and_call("#!/usr/bin/env lua\nreturn { main = function()\nerror('here') end }")
    assert prepare_and_call("#!/usr/bin/env lua\nreturn { main = function() return 1 end }") == 1
    with pytest.raises(PreparationError, match=r"main\.lua:2: "):
        prepare_and_call("#!lua\n#!lua")
    with pytest.raises(PreparationError):
        prepare_and_call("#!lua")


def prepare_and_call(text: str) -> Value:
    with closing(prepare(program(text)).instantiate()) as instance:
        return instance.call([], context())


FINALIZERS = {
    "by assignment": "mt.__gc = finalizer",
    "by rawset": "rawset(mt, '__gc', finalizer)",
    "into one that is its own": "setmetatable(mt, mt) mt.__gc = finalizer",
    "into one whose own is taken off": "setmetatable(mt, {}) setmetatable(mt, nil) mt.__gc = finalizer",
    "into one that has a __newindex": "setmetatable(mt, { __newindex = rawset }) mt.__gc = finalizer",
    "through one that hands on": "setmetatable({}, { __newindex = mt }).__gc = finalizer",
    "into one that the engine has a copy of": "mt = { __mode = 'v' } setmetatable({}, mt) mt.__gc = finalizer",
    "before it is set": "mt = { __gc = finalizer }",
    "in place of nothing": "mt = { __gc = false } setmetatable({}, mt) mt.__gc = finalizer",
}


@attacks(*(Attack(f"a finalizer: {name}", "Lua", "refused", "other metamethods may come later") for name in FINALIZERS))
@pytest.mark.parametrize("how", FINALIZERS.values(), ids=FINALIZERS.keys())
def test_a_metatable_gets_no_finalizer(how: str) -> None:
    """Finalizers run with hooks off: one without an end would never be stopped."""
    text = f"""local ran, mt = false, {{}}
        local function finalizer() ran = true end
        setmetatable({{}}, mt)
        local ok, problem = pcall(function() {how} setmetatable({{}}, mt) end)
        for i = 1, 300000 do local t = {{}} end
        return {{ ok, problem:match('__gc is not available'), ran }}"""
    assert run(text) == [False, "__gc is not available", False]
    assert (
        run("local mt = {} setmetatable({}, mt) mt.__len = function() return 7 end return #setmetatable({}, mt)") == 7
    )


REFUSED = {
    "a replacement": "(('a'):rep(3 << 20)):gsub('a', 'bbbb')",
    "a replacement by a function": "(('a'):rep(3 << 20)):gsub('a', function() return 'bbbb' end)",
    "a format": "('%s%s%s'):format(big, big, big)",
    "a format with an object": "('%s%s%s%s'):format(big, big, big, {})",
    "a format with an object that shows itself":
        "('%s%s%s%s'):format(big, big, big, setmetatable({}, { __tostring = function() return big end }))",
    "a pack": "string.pack('zzz', big, big, big)",
}  # fmt: skip


@attacks(*(Attack(f"{name} for which C has no room, caught", "Lua", "MemoryLimitError", "short ones work") for name in REFUSED))  # fmt: skip
@pytest.mark.parametrize("seconds", [None, 60], ids=["free", "deadline"])
@pytest.mark.parametrize("work", REFUSED.values(), ids=REFUSED.keys())
def test_a_buffer_that_c_is_refused_ends_the_call(work: str, seconds: float | None) -> None:
    limits, frame = LimitsSpec(max_memory_bytes=8 << 20), context(deadline=seconds and time.monotonic() + seconds)
    text = "local big = ('q'):rep(SIZE) pcall(function() return WORK end) return 'went on'"
    with pytest.raises(MemoryLimitError):
        run(text.replace("SIZE", "3 << 20").replace("WORK", work), limits=limits, frame=frame)
    small = work.replace("3 << 20", "3")
    assert run(text.replace("SIZE", "3").replace("WORK", small), limits=limits) == "went on"
