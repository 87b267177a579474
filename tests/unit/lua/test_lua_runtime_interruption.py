from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any, cast

import pytest

import lua_guests
from lua_guests import MODULES, FakeInvoker, body, context, prepare, program, run, runtime
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, GuestError, LimitError, MemoryLimitError
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value
from polycall.lua_runtime.runtime import LuaFunction

pytestmark = pytest.mark.alike_in_the_sandbox

# Each is a way of keeping control that a guest might try; "FOREVER" stands for a loop without end.
STUBBORN = {
    "a plain loop": "FOREVER",
    "pcall around the loop": "while true do pcall(function() FOREVER end) end",
    "xpcall whose handler loops": "return xpcall(function() FOREVER end, function() FOREVER end)",
    "xpcall in a loop": "while true do xpcall(function() FOREVER end, print) end",
    "a __close handler": "local x <close> = setmetatable({}, { __close = function() FOREVER end }) FOREVER",
    "nested __close handlers": """
        local closing = { __close = function() local y <close> = setmetatable({}, { __close = function() FOREVER end })
        FOREVER end }
        local x <close>, z = setmetatable({}, closing), 1
        FOREVER""",
    "a coroutine": "coroutine.wrap(function() FOREVER end)() return 1",
    "a coroutine under pcall": "pcall(coroutine.wrap(function() FOREVER end)) return 1",
    "coroutine.resume": "coroutine.resume(coroutine.create(function() FOREVER end)) return 1",
    "a coroutine in a coroutine": """
        local inner = coroutine.create(function() FOREVER end)
        coroutine.resume(coroutine.create(function() coroutine.resume(inner) end)) return 1""",
    "a coroutine with __close under wrap": """
        pcall(coroutine.wrap(function()
          local x <close> = setmetatable({}, { __close = function() FOREVER end }) FOREVER
        end)) return 1""",
    "coroutine.close of a stopped coroutine": """
        local co = coroutine.create(function()
          local x <close> = setmetatable({}, { __close = function() FOREVER end }) coroutine.yield() end)
        coroutine.resume(co) coroutine.close(co) return 1""",
    "xpcall in a coroutine": """
        pcall(coroutine.wrap(function() xpcall(function() FOREVER end, function() FOREVER end) end)) return 1""",
    "a comparator": "pcall(table.sort, { 1, 2, 3 }, function() FOREVER end) return 1",
    "a gsub callback": "pcall(string.gsub, 'aaa', 'a', function() FOREVER end) return 1",
    "an __index function": "return setmetatable({}, { __index = function() FOREVER end }).x",
    "an __eq function": "local m = { __eq = function() FOREVER end } return setmetatable({}, m) == setmetatable({}, m)",
    "a __tostring function": "print(setmetatable({}, { __tostring = function() FOREVER end })) return 1",
    "an iterator": "for _ in function() FOREVER end do end return 1",
    "a __concat of two": "return setmetatable({}, { __concat = function() FOREVER end }) .. 'x'",
    "a result without end": "local t = {} for _ = 1, 50 do t = { t, t } end return t",
    "an argument without end": "local t = {} for _ = 1, 50 do t = { t, t } end require('funcs').call('app:x', t)",
    "json without end": "local t = {} for _ = 1, 50 do t = { t, t } end return require('json').encode(t)",
    "a loop where the C stack leaves the hook no room": """
        local function sink(n)
          if n == 0 then FOREVER end
          return setmetatable({}, { __index = function() return sink(n - 1) end }).x
        end
        while true do for n = 195, 199 do pcall(sink, n) end end""",
    "recursion under pcall": "local function f() pcall(f) f() end while true do pcall(f) end",
}


@pytest.mark.parametrize("text", STUBBORN.values(), ids=STUBBORN.keys())
def test_no_guest_outlives_its_deadline(text: str) -> None:
    chunk = body(text.replace("FOREVER", "while true do end"))
    with closing(prepare(program(chunk)).instantiate()) as instance:
        start = time.monotonic()
        with pytest.raises(DeadlineError) as caught:
            instance.call([], context(deadline=start + 0.03))
        assert time.monotonic() - start < 2
        assert instance.poisoned
        assert caught.value.entry_id == "app:main"


# Each spends its time inside C functions, where no hook fires.
BUSY_IN_C = {
    "string.rep": "while true do ('x'):rep(60 * 1024 * 1024) end",
    "gsub": "local s = ('x'):rep(1 << 20) while true do s:gsub('x', 'yy') end",
    "find of plain text": "local s = ('x'):rep(60 << 20) while true do s:find('y', 1, true) end",
    "upper": "local s = ('x'):rep(1 << 20) while true do s:upper() end",
    "format": "local s = ('x'):rep(1 << 20) while true do string.format('%s', s) end",
    "sub": "local s = ('x'):rep(1 << 20) while true do s:sub(2) end",
    "tonumber": "local s = (' '):rep(1 << 20) while true do tonumber(s) end",
    "table.sort": "local t = {} for i = 1, 3000 do t[i] = -i end while true do "
    "table.sort(t) table.sort(t, math.ult) end",
    "table.concat": "local t = {} for i = 1, 100000 do t[i] = 'x' end while true do table.concat(t, ',') end",
    "table.insert at the front": "local t = {} for i = 1, 100000 do t[i] = i end "
    "while true do table.insert(t, 1, 0) end",
    "table.remove at the front": "local t = table.move({}, 1, 1, 1) while true do t[#t + 1] = 1 t[#t + 1] = 1 "
    "table.remove(t, 1) end",
    "table.unpack": "local t = {} for i = 1, 5000 do t[i] = i end while true do select('#', table.unpack(t)) end",
}


@pytest.mark.parametrize("text", BUSY_IN_C.values(), ids=BUSY_IN_C.keys())
def test_c_functions_do_not_outlive_the_deadline(text: str) -> None:
    with closing(prepare(program(body(text))).instantiate()) as instance:
        start = time.monotonic()
        with pytest.raises(DeadlineError):
            instance.call([], context(deadline=start + 0.05))
        assert time.monotonic() - start < 2


def test_a_result_that_comes_after_the_deadline_is_none() -> None:
    late = "local t = {} for i = 1, 200000 do t[i] = -i end table.sort(t) return 1"
    with closing(prepare(program(body(late))).instantiate()) as instance:
        with pytest.raises(DeadlineError):
            instance.call([], context(deadline=time.monotonic() - 1))
        assert instance.poisoned


def test_an_error_that_comes_long_after_the_deadline_says_what_would_have_come_in_time() -> None:
    with pytest.raises(DeadlineError) as caught:
        run("while true do end", frame=context(deadline=time.monotonic() - 5))
    assert ("isolation: sandbox" in str(caught.value)) is not lua_guests.current[0].sandbox


def test_a_guest_that_ends_in_time_is_not_disturbed() -> None:
    text = "local n = 0 for i = 1, 200000 do n = n + 1 end local ok, e = pcall(error, 'x') return { n, ok, e }"
    with closing(prepare(program(body(text))).instantiate()) as instance:
        for _ in range(3):
            assert instance.call([], context(deadline=time.monotonic() + 60)) == [200000, False, "x"]
        assert not instance.poisoned


def test_cancelling_from_another_thread_stops_the_guest() -> None:
    cancellation = Cancellation()
    reached = threading.Event()

    def reach(_arguments: Sequence[Value], _frame: CallContext) -> Value:
        reached.set()
        return None

    def cancel() -> None:
        assert reached.wait(10)
        cancellation.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(CancelledError):
        run(
            "require('funcs').call('app:reach') while true do pcall(function() while true do end end) end",
            targets={"app:reach": reach},
            frame=context(cancellation=cancellation),
        )
    canceller.join()


def test_a_keyboard_interrupt_ends_a_guarded_loop() -> None:
    def interrupt_soon(_arguments: Sequence[Value], _frame: CallContext) -> Value:
        threading.Thread(target=_thread.interrupt_main).start()
        return None

    text = "require('funcs').call('app:soon') while true do pcall(function() while true do end end) end"
    with closing(prepare(program(body(text)), {"app:soon": interrupt_soon}).instantiate()) as instance:
        with pytest.raises(KeyboardInterrupt):
            instance.call([], context(cancellation=Cancellation()))
        assert instance.poisoned


def test_a_nested_deadline_cannot_be_swallowed_once_the_callers_own_has_passed() -> None:
    nested: list[DeadlineError] = []

    def late(_arguments: Sequence[Value], frame: CallContext) -> Value:
        assert frame.deadline is not None
        while time.monotonic() < frame.deadline:
            pass
        nested.append(DeadlineError("the callee was late", entry_id=frame.entry_id))
        raise nested[0]

    text = "local v, err = require('funcs').call('app:late') return 'swallowed'"
    for seconds in (0.02, 0.2, 2.0):  # on a busy machine that may be over before there is a nested call
        with pytest.raises(DeadlineError) as caught:
            run(text, targets={"app:late": late}, frame=context(deadline=time.monotonic() + seconds))
        if nested:
            assert caught.value is nested[0]
            return
    pytest.fail("there was no nested call")


def test_a_nested_deadline_of_the_callee_alone_can_be_handled() -> None:
    def late(_arguments: Sequence[Value], frame: CallContext) -> Value:
        raise DeadlineError("the callee had less time", entry_id=frame.entry_id)

    text = "local v, err = require('funcs').call('app:late') return err:kind()"
    assert run(text, targets={"app:late": late}, frame=context(deadline=time.monotonic() + 60)) == "Timeout"


def test_a_coroutine_made_in_an_unguarded_call_is_interrupted_in_a_guarded_one() -> None:
    text = """
      local co
      return { main = function(first)
        if first then
          co = coroutine.create(function() coroutine.yield() while true do end end)
          coroutine.resume(co)
          return "made"
        end
        coroutine.resume(co)
        return "swallowed"
      end }"""
    with closing(prepare(program(text)).instantiate()) as instance:
        assert instance.call([True], context()) == "made"
        with pytest.raises(DeadlineError):
            instance.call([False], context(deadline=time.monotonic() + 0.03))


def test_a_coroutine_made_in_a_guarded_call_is_not_stopped_by_the_old_deadline() -> None:
    text = """
      local co
      return { main = function(first)
        if first then
          co = coroutine.wrap(function() coroutine.yield() for _ = 1, 300000 do end return "done" end)
          co()
          return "made"
        end
        return co()
      end }"""
    with closing(prepare(program(text)).instantiate()) as instance:
        deadline = time.monotonic() + 0.2
        assert instance.call([True], context(deadline=deadline)) == "made"
        while time.monotonic() < deadline:
            pass
        assert instance.call([False], context()) == "done"


@pytest.mark.parametrize(
    "text",
    [
        "string.rep('x', 1 << 40)",
        "string.rep('x', 1e12)",
        "string.rep('x', '1000000000000')",
        "string.rep(5, 1 << 40)",
        "string.rep('', 1 << 40, '-')",
        "('x'):rep(1 << 40)",
        "string.rep('x', 1 << 30, 'separator')",
        "table.unpack({}, 1, 1 << 30)",
        "table.concat(setmetatable({}, { __len = function() return 1 << 60 end }))",
        "table.sort(setmetatable({}, { __len = function() return 1 << 60 end }))",
    ],
)
def test_sizes_that_no_mistake_can_mean_are_errors_at_once(text: str) -> None:
    with pytest.raises(GuestError, match=r"^lua/main\.lua:2: "):
        run(f"local r = {text} return 'returned'")


@pytest.mark.parametrize(
    ("call", "most"),
    [
        ("string.unpack((' '):rep(n), '')", 16384),
        ("string.packsize((' '):rep(n))", 16384),
        ("string.pack((' '):rep(n))", 16384),
        ("math.max(('0'):rep(n), '1', '2')", 1024),
        ("math.min(('0'):rep(n), '1', '2')", 1024),
        ("string.char(65, 66, ('0'):rep(n))", 1024),
        ("utf8.char(65, 66, ('0'):rep(n))", 1024),
    ],
)
def test_what_one_function_of_c_would_be_long_at_is_refused(call: str, most: int) -> None:
    text = f"local function call(n) return {call} end return {{ pcall(call, {most}) or 0, pcall(call, {most + 1}) }}"
    fits, refused, message = cast("list[Any]", run(text))
    assert (fits, refused) == (True, False)
    assert f"of more than {most} bytes" in message


MEMORY = LimitsSpec(max_memory_bytes=3_000_000)
HUNGRY = {
    "a table that grows": "EAT",
    "a table that grows under pcall": "while true do pcall(function() EAT end) end",
    "in a coroutine": "coroutine.resume(coroutine.create(function() EAT end)) return 1",
    "under xpcall": "return xpcall(function() EAT end, function() return 'swallowed' end)",
    "one string": "return pcall(string.rep, 'x', 10000000)",
    "doubling a string": "local s = 'x' while true do s = s .. s end",
    "keys": "local t = {} for i = 1, math.huge do t['k' .. i] = i end",
    "closures": "local t = {} for i = 1, math.huge do t[i] = function() return i end end",
    "the result": "local t, u = {}, {} for i = 1, 60000 do t[i] = i end for i = 1, 50 do u[i] = t end return u",
    "decoded json": "local t = {} for i = 1, math.huge do t[i] = require('json').decode('[[1],[2],[3],[4],[5]]') end",
}


@pytest.mark.parametrize("text", HUNGRY.values(), ids=HUNGRY.keys())
def test_no_guest_gets_more_memory_than_its_limit(text: str) -> None:
    chunk = body(text.replace("EAT", "local t = {} while true do t[#t + 1] = { #t } end"))
    with closing(prepare(program(chunk, limits=MEMORY)).instantiate()) as instance:
        with pytest.raises(MemoryLimitError, match=r"3000000 bytes of memory \(limits\.max_memory_bytes allows more\)"):
            instance.call([], context())
        assert instance.poisoned


@pytest.mark.parametrize(
    "forgery",
    [
        "local ok, e = pcall(error, TEXT, 0) return e",
        "local ok, e = pcall(assert, false, TEXT) return e",
        "local ok, e = coroutine.resume(coroutine.create(function() error(TEXT, 0) end)) return e",
        "local ok, e = pcall(string.pack, 'i', {}) ok, e = pcall(error, TEXT, 0) return e",
        "return select(2, xpcall(error, function(e) return e end, TEXT, 0))",
    ],
)
def test_the_text_of_a_memory_error_is_a_text_like_any_other_without_a_memory_limit(forgery: str) -> None:
    assert run(forgery.replace("TEXT", "'not enough memory'")) == "not enough memory"


def test_a_guest_that_says_that_memory_ran_out_ends_its_own_call() -> None:
    with pytest.raises(MemoryLimitError):
        run("return pcall(error, 'not enough memory', 0)", limits=MEMORY)


@pytest.mark.parametrize(
    "hungry",
    [
        "('x'):rep(10000000)",
        "string.pack('c10000000', '')",
        "table.concat({ ('x'):rep(1000000) }, '', 1, 1):rep(4)",
        "(('x'):rep(300000):gsub('x', { x = ('y'):rep(30) }))",
    ],
)
def test_a_buffer_that_finds_no_memory_is_a_memory_error(hungry: str) -> None:
    with pytest.raises(MemoryLimitError):
        run(f"pcall(function() return {hungry} end) return 'swallowed'", limits=MEMORY)


@pytest.mark.parametrize(
    "made",
    ["('x'):rep(900000)", "s:upper()", "s:reverse()", "s:gsub('x', 'z')", "('%s'):format(s)", "table.concat({ s, s })"],
)
def test_garbage_makes_room_for_what_c_makes(made: str) -> None:
    assert run(f"local s = ('x'):rep(500000) for i = 1, 30 do local t = {made} end return #s", limits=MEMORY) == 500_000


def test_memory_is_used_up_to_the_limit_without_harm() -> None:
    text = "local t = {} for i = 1, 20000 do t[i] = { i } end return #t"
    assert run(text, limits=MEMORY) == 20000


def test_garbage_does_not_count() -> None:
    with closing(
        prepare(program(body("return #(('x'):rep(1000000) .. ...)"), limits=MEMORY)).instantiate()
    ) as instance:
        for _ in range(20):
            assert instance.call(["y"], context()) == 1_000_001


def test_arguments_larger_than_the_limit_are_refused_and_leave_the_instance_whole() -> None:
    with closing(prepare(program(body("return #(...)"), limits=MEMORY)).instantiate()) as instance:
        too_large: list[Value] = ["x" * 4_000_000, b"x" * 4_000_000, ["x" * 2_000_000, "y" * 2_000_000]]
        for argument in too_large:
            with pytest.raises(MemoryLimitError):
                instance.call([argument], context())
            assert not instance.poisoned
        assert instance.call(["x" * 1_000_000], context()) == 1_000_000


def test_a_host_value_that_fills_the_state_ends_the_guest_and_not_the_process() -> None:
    for size in (2_900_000, 3_000_000, 30_000_000):
        with pytest.raises(MemoryLimitError):
            run(
                "local t = { require('funcs').call('app:big') } return #t[1] .. t[1]",
                targets={"app:big": lambda *_, size=size: "x" * size},
                limits=MEMORY,
            )


@pytest.mark.parametrize("kind", range(1, 8))
def test_calls_of_the_host_near_the_memory_limit_never_end_the_process(kind: int) -> None:
    """An allocation that fails while the host pushes a value would abort; so every distance to the limit is tried."""
    text = """
      local funcs, json, logger, ctx = require('funcs'), require('json'), require('logger'), require('ctx')
      return { main = function(fill, kind)
        local kept = {}
        for i = 1, fill do kept[i] = { i } end
        for i = 1, 40 do
          local r
          if kind == 1 then r = funcs.call('app:echo', 'str' .. i .. ('y'):rep(i * 20))
          elseif kind == 2 then r = funcs.call('app:echo', { a = i, b = { ('z'):rep(i) } })
          elseif kind == 3 then r = json.decode('{"a":[1,2,"' .. ('w'):rep(i * 10) .. '"]}')
          elseif kind == 4 then r = json.encode({ i, ('q'):rep(i) })
          elseif kind == 5 then r = select(2, funcs.call('nocolon' .. i))
          elseif kind == 6 then logger:debug('x' .. i, { a = i })
          else r = ctx.all() end
          kept[#kept + 1] = r or 0
        end
        return #kept
      end }"""
    limit = 150_000
    lua = program(text, modules=MODULES, limits=LimitsSpec(max_memory_bytes=limit))
    function = prepare(lua, {"app:echo": lambda given, _frame: given[0]})
    outcomes = set()
    for fill in [*range(0, limit // 70, 60), *range(limit // 90, limit // 72, 7)]:
        with closing(function.instantiate()) as instance:
            try:
                instance.call([fill, kind], context(values={"key": "v" * 100}))
                outcomes.add("fits")
            except LimitError:
                outcomes.add("full")
    assert outcomes == {"fits", "full"}


def test_a_memory_limit_and_a_deadline_apply_together() -> None:
    with pytest.raises(DeadlineError):
        run("while true do end", limits=MEMORY, frame=context(deadline=time.monotonic() + 0.02))
    with pytest.raises(MemoryLimitError):
        run(
            "local t = {} while true do t[#t + 1] = {} end",
            limits=MEMORY,
            frame=context(deadline=time.monotonic() + 60),
        )


def test_deep_callbacks_in_a_long_chain_of_calls_do_not_overflow_the_native_stack() -> None:
    """Each hop fills as much of the native stack as Lua allows before it makes the next call."""
    text = """
      local funcs = require('funcs')
      local reply
      local function nest(n)
        if n == 0 then reply = { funcs.call('app:main') } return end
        STEP
      end
      return { main = function()
        for n = 195, 1, -1 do
          reply = nil
          pcall(nest, n)
          if reply then break end
        end
        return reply[1], reply[2]
      end }"""
    for step in (
        "pcall(nest, n - 1)",
        "coroutine.wrap(nest)(n - 1)",
        "table.sort({ 1, 2 }, function() nest(n - 1) end)",
        "string.format('%s', setmetatable({}, { __tostring = function() nest(n - 1) return '' end }))",
        "local _ = setmetatable({}, { __index = function() nest(n - 1) end }).x",
    ):
        invoker = FakeInvoker()
        function = runtime(invoker).prepare(program(text.replace("STEP", step)))

        def again(arguments: Sequence[Value], frame: CallContext, function: LuaFunction = function) -> Value:
            with closing(function.instantiate()) as instance:
                result: Value = instance.call(arguments, frame)
                return result

        invoker.targets["app:main"] = again
        with closing(function.instantiate()) as instance, pytest.raises(LimitError, match="deeper than 32"):
            instance.call([], context())


def test_a_wait_for_the_compiler_is_told_in_a_sentence() -> None:
    long = body("x = 1\n" * 50_000)  # it is not compiled before anybody looks
    with closing(runtime()) as lua, pytest.raises(DeadlineError, match=r"while it waited for .* to be compiled"):
        lua.prepare(program(long), context(deadline=0.0))
