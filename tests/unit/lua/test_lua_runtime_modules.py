from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing

import pytest

from lua_guests import MODULES, context, prepare, program, run
from polycall.interop.context import CallContext
from polycall.interop.errors import GuestError
from polycall.interop.values import Value

pytestmark = pytest.mark.under_every_limit


class TestFuncs:
    def test_a_call_gives_the_value_of_the_target_in_a_frame_below_the_callers(self) -> None:
        frames: list[CallContext] = []

        def tax(arguments: Sequence[Value], frame: CallContext) -> Value:
            frames.append(frame)
            return [*arguments]

        outer = context(values={"user": "ann"})
        text = "return require('funcs').call('app:tax', 1, 'x', { a = {} })"
        assert run(text, targets={"app:tax": tax}, frame=outer) == [1, "x", {"a": []}]
        assert frames[0].parent is outer
        assert frames[0].values == {"user": "ann"}

    @pytest.mark.parametrize(
        "arguments", [[], [1], [None], [1, None], [None, None, None], ["a", b"\xff", 2.5], [[1], None], [{"k": [True]}]]
    )
    def test_the_target_gets_the_arguments_as_they_were_given(self, arguments: list[Value]) -> None:
        seen: list[list[Value]] = []

        def target(given: Sequence[Value], _frame: CallContext) -> Value:
            seen.append(list(given))
            return len(given)

        assert run("return require('funcs').call('app:x', ...)", *arguments, targets={"app:x": target}) == len(
            arguments
        )
        assert seen == [arguments]

    @pytest.mark.parametrize("value", [None, True, 5, 2.5, "é", b"\xff", [1, [2]], {"a": {"b": 1}}])
    def test_the_value_of_the_target_arrives_as_it_is(self, value: Value) -> None:
        assert run("return require('funcs').call('app:x')", targets={"app:x": lambda *_: value}) == value

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ("''", "function ID required"),
            ("nil", "function ID required"),
            ("{}", "function ID required"),
            ("'tax'", "namespace required in function ID"),
            ("':tax'", "namespace required in function ID"),
            ("'app:'", "name required in function ID"),
            ("'\\xff:x'", "the function ID is not UTF-8"),
        ],
    )
    def test_a_target_that_is_no_id_is_invalid(self, target: str, message: str) -> None:
        result = run(f"local v, err = require('funcs').call({target}) return {{ err:kind(), err:message(), v == nil }}")
        assert isinstance(result, list)
        assert result[0] == "Invalid"
        assert str(result[1]).startswith(message)

    def test_an_unknown_target_is_not_found(self) -> None:
        assert run("return select(2, require('funcs').call('app:nope')):kind()") == "NotFound"

    def test_calls_at_start_up_are_refused(self) -> None:
        text = "local _, err = require('funcs').call('app:x') return { main = function() return err:message() end }"
        with closing(prepare(program(text), {"app:x": lambda *_: 1}).instantiate()) as instance:
            assert "not at start-up" in str(instance.call([], context()))

    def test_lua_calls_lua_through_the_registry(self) -> None:
        with closing(prepare(program("return function(x) return x + 1 end")).instantiate()) as add:
            text = "local v = 0 for _ = 1, 100 do v = require('funcs').call('app:add', v) end return v"
            assert run(text, targets={"app:add": add.call}) == 100

    def test_a_call_may_be_made_from_a_coroutine(self) -> None:
        text = """
          local co = coroutine.wrap(function() coroutine.yield(require('funcs').call('app:x', { 1 })) end)
          return co()"""
        assert run(text, targets={"app:x": lambda given, _frame: given[0]}) == [1]


class TestJson:
    @pytest.mark.parametrize(
        ("expression", "text"),
        [
            ("nil", "null"),
            ("{}", "[]"),
            ("{ 1, 2 }", "[1,2]"),
            ("{ b = 1, a = 'é' }", '{"a":"é","b":1}'),
            ("0 / 0", "null"),
            ("1 / 0", "null"),
            ("2.0", "2.0"),
            ("7", "7"),
            ("'a\"b'", '"a\\"b"'),
            ("true", "true"),
        ],
    )
    def test_encode(self, expression: str, text: str) -> None:
        assert run(f"return require('json').encode({expression})") == text

    @pytest.mark.parametrize(
        "expression",
        ["{ 1, a = 2 }", "{ [1] = 1, [3] = 3 }", "print", "{ print }", "'\\xff'", "errors.new('x')", "DEEP", "CYCLE"],
    )
    def test_what_cannot_be_written_is_an_internal_error(self, expression: str) -> None:
        text = f"""
          CYCLE = {{}} CYCLE.me = CYCLE
          DEEP = {{}} for _ = 1, 128 do DEEP = {{ DEEP }} end
          local text, err = require('json').encode({expression})
          return {{ text == nil, err:kind() }}"""
        assert run(text) == [True, "Internal"]

    @pytest.mark.parametrize(
        ("text", "value"),
        [("null", None), ("[]", []), ("{}", {}), ("[1,2.5]", [1, 2.5]), ('{"a":{"b":"é"}}', {"a": {"b": "é"}})],
    )
    def test_decode(self, text: str, value: Value) -> None:
        assert run("return require('json').decode(...)", text) == value

    def test_decoded_nulls_are_nil(self) -> None:
        text = "local t = require('json').decode(...) return { t.a == nil, t.b[2] == nil, t.b[3] }"
        assert run(text, '{"a":null,"b":[1,null,3]}') == [True, True, 3]

    @pytest.mark.parametrize(("argument", "kind"), [("nil", "Invalid"), ("''", "Invalid"), ("5", "Invalid")])
    def test_decode_wants_text(self, argument: str, kind: str) -> None:
        assert run(f"return select(2, require('json').decode({argument})):kind()") == kind

    @pytest.mark.parametrize("text", ["{", "[1,]", "nope", "NaN", "[" * 200, '"\\ud800"', "18446744073709551615"])
    def test_text_that_is_no_json_for_lua_is_an_internal_error(self, text: str) -> None:
        assert run("return select(2, require('json').decode(...)):kind()", text) == "Internal"


class TestCtx:
    def test_get_and_all(self) -> None:
        frame = context(values={"user": "ann", "limits": {"n": [1, 2]}})
        assert run("return require('ctx').get('user')", frame=frame) == "ann"
        assert run("return require('ctx').get('limits').n", frame=frame) == [1, 2]
        assert run("return require('ctx').all()", frame=frame) == {"user": "ann", "limits": {"n": [1, 2]}}
        assert run("return require('ctx').all()") == {}

    @pytest.mark.parametrize(("key", "kind"), [("''", "Invalid"), ("nil", "Invalid"), ("'users'", "NotFound")])
    def test_a_missing_value_is_an_error(self, key: str, kind: str) -> None:
        frame = context(values={"user": "ann"})
        assert run(f"return select(2, require('ctx').get({key})):kind()", frame=frame) == kind

    def test_a_near_name_is_suggested(self) -> None:
        frame = context(values={"user": "ann"})
        assert 'did you mean "user"?' in str(
            run("return select(2, require('ctx').get('users')):message()", frame=frame)
        )

    def test_nothing_is_there_at_start_up(self) -> None:
        text = "local _, err = require('ctx').get('x') return function() return err:kind() end"
        with closing(prepare(program(text)).instantiate()) as instance:
            assert instance.call([], context()) == "NotFound"

    def test_a_guest_cannot_change_what_others_see(self) -> None:
        frame = context(values={"list": [1]})
        assert run("require('ctx').get('list')[1] = 2 return require('ctx').get('list')", frame=frame) == [1]


class TestLogger:
    @pytest.mark.parametrize(
        ("level", "number"),
        [("debug", logging.DEBUG), ("info", logging.INFO), ("warn", logging.WARNING), ("error", logging.ERROR)],
    )
    def test_a_line_goes_to_the_log_of_the_entry_with_its_fields(
        self, level: str, number: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG, "polycall.entry.app:main"):
            run(f"require('logger'):{level}('paid 100%', {{ amount = 5, items = {{ 'a' }} }})")
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("polycall.entry.app:main", number)
        assert record.getMessage() == 'paid 100% amount=5 items=["a"]'
        assert vars(record)["fields"] == {"amount": 5, "items": ["a"]}

    def test_with_and_named_make_new_loggers(self, caplog: pytest.LogCaptureFixture) -> None:
        text = """
          local logger = require('logger')
          local child = logger:with({ request = 1, user = 'a' }):named('db')
          child:named('pool'):info('x', { user = 'b' })
          logger:info('y')"""
        with caplog.at_level(logging.INFO, "polycall.entry.app:main"):
            run(text)
        first, second = caplog.records
        assert (vars(first)["logger_name"], first.getMessage()) == ("db.pool", "db.pool: x request=1 user=b")
        assert (vars(second)["logger_name"], second.getMessage()) == ("", "y")
        assert first.name == second.name == "polycall.entry.app:main"  # Python's logging keeps each name for ever

    def test_an_empty_name_is_invalid(self) -> None:
        assert run("return select(2, require('logger'):named('')):kind()") == "Invalid"

    def test_fields_that_cannot_travel_are_shown_as_text(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "polycall.entry.app:main"):
            run("require('logger'):info('x', { err = errors.new('bad'), raw = '\\xff' })")
        assert caplog.records[0].getMessage() == "x err=bad raw=\\xff"

    def test_fields_must_be_a_table(self) -> None:
        with pytest.raises(GuestError, match=r"lua/main\.lua:2: the fields of a log line are a table"):
            run("require('logger'):info('x', 'y')\nreturn 1")


class TestPrint:
    def test_print_goes_to_the_log_of_the_entry(self, caplog: pytest.LogCaptureFixture) -> None:
        text = """
          local shown = setmetatable({}, { __tostring = function() return 'shown' end })
          print('a', 1, 2.0, nil, true, shown, errors.new('e'))"""
        with caplog.at_level(logging.INFO, "polycall.entry.app:main"):
            run(text)
        (record,) = caplog.records
        assert record.levelno == logging.INFO
        assert record.getMessage() == "a\t1\t2.0\tnil\ttrue\tshown\te"

    def test_print_of_a_library_goes_to_the_log_of_the_entry_that_runs(self, caplog: pytest.LogCaptureFixture) -> None:
        library = program("print('loading') return {}", entry_id="app:lib", method=None)
        with caplog.at_level(logging.INFO, "polycall.entry"):
            prepare(program("require('lib') return function() end", imports={"lib": library})).instantiate().close()
        assert [record.name for record in caplog.records] == ["polycall.entry.app:main"]


class TestErrors:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("errors.new('m'):message()", "m"),
            ("errors.new('m'):kind()", ""),
            ("errors.new('m'):retryable()", None),
            ("errors.new('m'):details()", None),
            ("errors.new({ message = 'm', kind = errors.CONFLICT }):kind()", "Conflict"),
            ("errors.new({ message = 'm', retryable = true }):retryable()", True),
            ("errors.new({ message = 'm', details = { a = 1 } }):details()", {"a": 1}),
            ("tostring(errors.new('m'))", "m"),
            ("errors.new('m') .. '!'", "m!"),
            ("'! ' .. errors.new('m')", "! m"),
            ("errors.new('a') .. errors.new('b')", "ab"),
            ("errors.wrap(errors.new({ message = 'm', kind = 'Timeout' }), 'c'):kind()", "Timeout"),
            ("errors.wrap(errors.new('m'), 'c'):message()", "m"),
            ("tostring(errors.wrap(errors.wrap(errors.new('m'), 'c'), 'd'))", "d: c: m"),
            ("errors.wrap('text', 'c'):message()", "text"),
            ("tostring(errors.wrap('text', 'c'))", "c: text"),
            (
                "errors.wrap(errors.new({ message = 'm', details = { a = 1 }, retryable = false }), 'c'):retryable()",
                False,
            ),
            ("errors.is(errors.new({ message = 'm', kind = 'NotFound' }), errors.NOT_FOUND)", True),
            ("errors.is(errors.new('m'), errors.NOT_FOUND)", False),
            ("errors.is('NotFound', errors.NOT_FOUND)", False),
            ("errors.is(nil, errors.UNKNOWN)", False),
            ("errors.new('m'):stack()", "lua/main.lua:2: in function <lua/main.lua:1>"),
            ("errors.call_stack(errors.new('m')).frames[1].line", 2),
            ("errors.call_stack(errors.new('m')).frames[1].source", "lua/main.lua"),
            ("string.find(errors.new('not found'), 'found')", 5),
            ("string.match(errors.new('id 42'), '%d+')", "42"),
            ("string.len(errors.new('four'))", 4),
            ("string.upper(errors.new('x'))", "X"),
            ("string.rep(errors.new('x'), 3)", "xxx"),
            ("string.format('%s', errors.new('x'))", "x"),
            ("(string.gsub(errors.new('aXa'), 'a', 'b'))", "bXb"),
            ("string.gmatch(errors.new('a b'), '%a')()", "a"),
        ],
    )
    def test_specified_behaviour(self, expression: str, value: Value) -> None:
        assert run(f"local result = {expression} return result") == value

    def test_the_kinds(self) -> None:
        names = [
            "UNKNOWN",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "INVALID",
            "PERMISSION_DENIED",
            "UNAVAILABLE",
            "INTERNAL",
            "CANCELED",
            "CONFLICT",
            "TIMEOUT",
            "RATE_LIMITED",
        ]
        assert run("local r = {} for i, n in ipairs(...) do r[i] = errors[n] end return r", list(names)) == [
            "", "NotFound", "AlreadyExists", "Invalid", "PermissionDenied", "Unavailable", "Internal", "Canceled",
            "Conflict", "Timeout", "RateLimited",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("errors.new()", "errors.new expects a message"),
            ("errors.new({ kind = 'NotFound' })", "errors.new expects a message"),
            ("errors.new({ message = 'm', kind = 5 })", "kind must be a string, got number"),
            ("errors.new({ message = 'm', retryable = 'yes' })", "retryable must be a boolean, got string"),
            ("errors.wrap(nil, 'c')", "errors.wrap expects"),
            ("errors.wrap('m')", "errors.wrap expects"),
            ("errors.new('m').kind()", "write err:kind(), not err.kind()"),
            ("errors.new('m').kind = 5", "an error object cannot be changed"),
        ],
    )
    def test_wrong_use_is_an_error_at_the_users_line(self, statement: str, message: str) -> None:
        with pytest.raises(GuestError) as caught:
            run(f"{statement}\nreturn 1")
        assert caught.value.message.startswith("lua/main.lua:2: ")
        assert message in caught.value.message

    def test_an_error_object_passes_through_pcall_as_itself(self) -> None:
        assert run("local e = errors.new('x') local ok, caught = pcall(error, e) return { ok, caught == e }") == [
            False,
            True,
        ]


def test_every_module_can_be_required_at_once() -> None:
    assert run("for _, name in ipairs(...) do require(name) end return 'ok'", list(MODULES)) == "ok"
