from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pytest

from lua_guests import body, context, prepare, program, run
from polycall.interop.context import CallContext
from polycall.interop.errors import (
    ConversionError,
    DeadlineError,
    GuestError,
    InternalError,
    NotFoundError,
    PolycallError,
    PreparationError,
)
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value

pytestmark = pytest.mark.under_every_limit


def failure(text: str, **options: object) -> GuestError:
    with pytest.raises(GuestError) as caught:
        run(text, **options)  # type: ignore[arg-type]  # passed through
    return caught.value


def test_a_raised_string_is_an_internal_error_in_the_users_file_and_line() -> None:
    error = failure("\nerror('boom')")
    assert (error.message, error.kind, error.entry_id) == ("lua/main.lua:3: boom", "Internal", "app:main")


def test_lines_of_inline_text_are_those_of_the_file_it_stands_in() -> None:
    function = prepare(program(body("error('boom')"), first_line=41))
    with closing(function.instantiate()) as instance, pytest.raises(GuestError, match=r"^lua/main\.lua:42: boom$"):
        instance.call([], context())


def test_the_traceback_names_the_guests_functions_and_nothing_of_the_host() -> None:
    text = """
local function rate(code)
  error("no rate for " .. code)
end
local lib = {}
function lib.apply(code)
  rate(code)
  return 1
end
return { main = function()
  pcall(function() end)
  local r = lib.apply("XX")
  return r
end }"""
    with closing(prepare(program(text)).instantiate()) as instance, pytest.raises(GuestError) as caught:
        instance.call([], context())
    assert caught.value.guest_traceback == (
        "lua/main.lua:3: in function 'rate'\n"
        "lua/main.lua:7: in function 'apply'\n"
        "lua/main.lua:12: in function <lua/main.lua:10>"
    )


def test_errors_of_library_functions_carry_their_name_and_the_guests_line() -> None:
    error = failure("local s = string.find(nil, 'x')\nreturn s")
    assert error.message.startswith("lua/main.lua:2: ")
    assert "'find'" in error.message
    error = failure("local s = table.concat({ 1, {} })\nreturn s")
    assert error.message.startswith("lua/main.lua:2: ")


@pytest.mark.parametrize(("raised", "message"), [("42", "42"), ("nil", "nil"), ("true", "true"), ("2.5", "2.5")])
def test_a_raised_value_that_is_no_text_becomes_its_text(raised: str, message: str) -> None:
    assert failure(f"error({raised})").message == message


def test_a_raised_table_becomes_json_text_and_details() -> None:
    error = failure("error({ code = 5, why = { 'a', 'b' } })")
    assert error.message == '{"code":5,"why":["a","b"]}'
    assert error.details == {"code": 5, "why": ["a", "b"]}
    assert error.guest_traceback == "lua/main.lua:2: in function <lua/main.lua:1>"


def test_a_raised_table_that_cannot_travel_is_still_an_error() -> None:
    assert "neither an error object nor plain values" in failure("error({ print })").message


@pytest.mark.parametrize("end", ["return nil, err", "error(err)", "return 'ignored', err"])
def test_an_error_object_keeps_what_it_says_whether_returned_or_raised(end: str) -> None:
    text = f"""
      local about = {{ message = "no rate", kind = errors.NOT_FOUND, retryable = true, details = {{ id = 7 }} }}
      local err = errors.new(about)
      {end}"""
    error = failure(text)
    assert (error.message, error.kind, error.retryable, error.details) == ("no rate", "NotFound", True, {"id": 7})
    assert error.guest_traceback is not None
    assert "lua/main.lua:" in error.guest_traceback


def test_a_returned_string_is_an_internal_error_as_it_stands() -> None:
    error = failure("return nil, 'bad input'")
    assert (error.message, error.kind) == ("bad input", "Internal")


def test_an_unknown_kind_is_internal_outside() -> None:
    assert failure("return nil, errors.new('x')").kind == "Internal"


def test_false_retryable_is_not_lost() -> None:
    assert failure("return nil, errors.new({ message = 'x', retryable = false })").retryable is False


@pytest.mark.no_cover
def test_an_endless_recursion_is_an_error_with_a_hint() -> None:
    error = failure("local function f() return 1 + f() end return f()")
    assert "calling itself without end" in str(error)
    assert error.guest_traceback is not None
    assert len(error.guest_traceback.splitlines()) < 20


def test_an_endless_recursion_through_callbacks_is_an_error() -> None:
    nested = "local function f() return (string.gsub('a', 'a', f)) end return f()"
    assert "C stack overflow" in failure(nested).message
    sorted_ = "local function f() table.sort({ 1, 2 }, f) end return f()"
    assert "calling itself without end" in str(failure(sorted_))


class Targets:
    """Entries that fail, and the errors they failed with."""

    def __init__(self) -> None:
        self.raised: list[PolycallError] = []

    def deadline(self, _arguments: Sequence[Value], frame: CallContext) -> Value:
        error = DeadlineError("too late", entry_id=frame.entry_id)
        error.frames = frame.frames()
        self.raised.append(error)
        raise error

    def guest(self, _arguments: Sequence[Value], frame: CallContext) -> Value:
        error = GuestError("no rate", kind="NotFound", retryable=True, details={"code": "XX"}, guest_traceback="tax:1")
        error.frames = frame.frames()
        self.raised.append(error)
        raise error

    def table(self) -> dict[str, object]:
        return {"app:late": self.deadline, "app:tax": self.guest}


def passed_on(text: str, targets: Targets) -> PolycallError:
    with pytest.raises(PolycallError) as caught:
        run(f"local funcs = require('funcs')\n{text}", targets=targets.table())  # type: ignore[arg-type]  # our methods
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "return funcs.call('app:late')",
        "local _, err = funcs.call('app:late') error(err)",
        "local _, err = funcs.call('app:late') return nil, err",
        "local ok, err = pcall(function() local _, e = funcs.call('app:late') error(e) end) return nil, err",
    ],
)
def test_a_nested_error_passed_on_comes_out_as_the_same_object(text: str) -> None:
    targets = Targets()
    assert passed_on(text, targets) is targets.raised[0]


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize(
    ("text", "returned"),
    [
        ("return funcs.call('app:tax')", True),
        ("local _, err = funcs.call('app:tax') return nil, errors.wrap(err, 'x')", True),
        ("return nil, 'no'", True),
        ("return 'ignored', errors.new('no')", True),
        ("local _, err = funcs.call('app:tax') error(err)", False),
        ("local _, err = funcs.call('app:tax') error(errors.wrap(err, 'x'))", False),
        ("error('no')", False),
        ("error(errors.new('no'))", False),
        ("error({ code = 1 })", False),
    ],
)
def test_an_error_says_whether_this_guest_returned_it_whatever_the_one_below_did(
    text: str, returned: bool, below: bool
) -> None:
    class Marked(Targets):
        def guest(self, arguments: Sequence[Value], frame: CallContext) -> Value:
            try:
                return super().guest(arguments, frame)
            finally:
                self.raised[-1].returned = below

    assert passed_on(text, Marked()).returned is returned


def test_an_error_that_stops_a_guest_is_not_one_that_it_returned() -> None:
    table = "local t = {} for i = 1, 200000 do t[i] = i end"
    about = 'require("errors").new({ message = "m", details = t })'
    for limit in (4 << 20, 64 << 20):  # the first is too little to bring the details out
        with pytest.raises(PolycallError) as caught:
            run(f"{table} return nil, {about}", limits=LimitsSpec(max_memory_bytes=limit))
        assert (caught.value.code, caught.value.returned) == (
            ("memory", False) if limit < 5 << 20 else ("guest_error", True)
        )


def test_a_wrapped_nested_error_comes_out_with_context_and_with_the_original_as_its_cause() -> None:
    targets = Targets()
    error = passed_on("local _, err = funcs.call('app:tax') return nil, errors.wrap(err, 'checkout')", targets)
    assert isinstance(error, GuestError)
    assert error.message == "checkout: app:tax (lua): no rate"
    assert (error.kind, error.retryable, error.details) == ("NotFound", True, {"code": "XX"})
    assert error.__cause__ is targets.raised[0]


def test_an_error_kept_over_calls_is_no_longer_the_hosts_object() -> None:
    text = """
      local kept
      return { main = function(first)
        if first then kept = select(2, require('funcs').call('app:late')) return 1 end
        require('funcs').call('app:tax')
        return nil, kept
      end }"""
    targets = Targets()
    with closing(prepare(program(text), targets.table()).instantiate()) as instance:  # type: ignore[arg-type]  # ours
        assert instance.call([True], context()) == 1
        with pytest.raises(GuestError, match="too late") as caught:
            instance.call([False], context())
    assert caught.value.kind == "Timeout"


def test_what_a_guest_sees_of_a_nested_error() -> None:
    text = """
      local value, err = require('funcs').call('app:tax')
      local details = err:details()
      return { tostring(value), err:kind(), err:message(), tostring(err:retryable()), details.code, err:stack() }"""
    assert run(text, targets=Targets().table()) == [  # type: ignore[arg-type]  # our methods
        "nil", "NotFound", "app:tax (lua): no rate", "true", "XX", "tax:1",
    ]  # fmt: skip


def test_a_fault_of_the_host_ends_the_guest_and_poisons_its_state() -> None:
    def broken(_arguments: Sequence[Value], _frame: CallContext) -> Value:
        raise ZeroDivisionError("a fault of ours")

    text = "pcall(require('funcs').call, 'app:broken') while true do pcall(error) end"
    with closing(prepare(program(body(text)), {"app:broken": broken}).instantiate()) as instance:
        with pytest.raises(InternalError, match="ZeroDivisionError") as caught:
            instance.call([], context())
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert instance.poisoned


def test_a_keyboard_interrupt_in_a_host_function_unwinds_the_guest_and_is_raised_as_itself() -> None:
    def interrupted(_arguments: Sequence[Value], _frame: CallContext) -> Value:
        raise KeyboardInterrupt

    text = "while true do pcall(require('funcs').call, 'app:wait') end"
    with closing(prepare(program(body(text)), {"app:wait": interrupted}).instantiate()) as instance:
        with pytest.raises(KeyboardInterrupt):
            instance.call([], context())
        assert instance.poisoned


def test_an_error_of_a_call_without_frames_is_told_as_it_is() -> None:
    assert run("return select(2, require('funcs').call('app:nowhere')):message()") == "no entry app:nowhere"
    with pytest.raises(NotFoundError):
        run("return require('funcs').call('app:nowhere')")


def test_details_that_lua_cannot_hold_are_left_out_of_the_error() -> None:
    def huge(_arguments: Sequence[Value], _frame: CallContext) -> Value:
        raise GuestError("x", details={"n": 2**80})

    assert run("return select(2, require('funcs').call('app:x')):details()", targets={"app:x": huge}) is None


def test_a_result_that_lua_cannot_hold_is_an_error_the_guest_sees() -> None:
    text = "local _, err = require('funcs').call('app:big') return { err:kind(), err:message() }"
    result = run(text, targets={"app:big": lambda *_: {"n": 2**64 - 1}})
    assert isinstance(result, list)
    assert result[0] == "Invalid"
    assert "$.result.n: expected an integer of 64 bits" in str(result[1])


def test_arguments_that_cannot_travel_are_an_error_the_guest_sees() -> None:
    text = "local _, err = require('funcs').call('app:x', 1, { f = print }) return { err:kind(), err:message() }"
    assert run(text) == ["Invalid", "$.args[1].f: expected a plain value, got a function"]


def test_a_conversion_error_is_not_a_guest_error() -> None:
    with pytest.raises(ConversionError):
        run("return print")


@pytest.mark.parametrize("text", ["return ('a-b'):match('(%a)-(%a)')", "return 'a', 'b'"])
def test_a_string_after_a_value_is_one_more_result(text: str) -> None:
    assert run(text) == "a"


def test_all_unknown_modules_are_told_at_once() -> None:
    with pytest.raises(PreparationError, match='no module "jsn" or "loger"'):
        run("return 1", modules=["jsn", "loger"])


def test_start_up_code_that_raises_nil_says_so() -> None:
    with pytest.raises(PreparationError, match="its start-up code raised nil"):
        prepare(program("error()"))


def test_an_overflow_in_code_of_ours_has_the_guests_place() -> None:
    error = failure("\nlocal results = table.pack(pcall(table.unpack, {}, 1, 900000)) return results.n")
    assert error.message.startswith("lua/main.lua:3: ")
    assert "calling itself without end" in str(error)


def test_what_an_error_carries_is_bounded() -> None:
    whole = failure("return nil, errors.new({ message = ('x'):rep(65536), kind = ('k'):rep(100) })")
    assert (whole.message, whole.kind) == ("x" * 65536, "k" * 100)
    cut = failure("return nil, errors.new({ message = ('x'):rep(65537), kind = ('k'):rep(101) })")
    assert (cut.message.count("x"), cut.kind) == (65536, "k" * 100)
    assert len(cut.message) < 65536 + 50, "and how much is missing"
    details = "return nil, errors.new({ message = 'x', details = { text = ('x'):rep(n) } })"
    assert failure("local n = 1000000 " + details).details == {"text": "x" * 1_000_000}
    assert failure("local n = 1048577 " + details).details is None


def test_an_error_in_a_coroutine_has_the_guests_place_and_name() -> None:
    text = """
      local function fails() local x = string.rep() return x end
      local _, resumed = coroutine.resume(coroutine.create(fails))
      local _, wrapped = pcall(function() local x = coroutine.wrap(fails)() return x end)
      local dead = coroutine.create(fails)
      coroutine.resume(dead)
      return { resumed, wrapped, (select(2, coroutine.resume(dead))), (select(2, pcall(table.maxn, 1))) }"""
    message = "lua/main.lua:3: bad argument #1 to 'rep' (string expected, got no value)"
    maxn = "bad argument #1 to 'maxn' (table expected, got number)"
    assert run(text) == [message, f"lua/main.lua:5: {message}", "cannot resume dead coroutine", maxn]
