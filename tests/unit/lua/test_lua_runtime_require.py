from __future__ import annotations

from contextlib import closing

import pytest

from lua_guests import body, context, prepare, program, run
from polycall.interop.errors import GuestError, PreparationError
from polycall.interop.values import Value
from polycall.lua_runtime import LuaProgram

pytestmark = pytest.mark.under_every_limit


def call(lua: LuaProgram, *arguments: Value) -> Value:
    with closing(prepare(lua).instantiate()) as instance:
        return instance.call(arguments, context())


def library(text: str, name: str = "lib", **options: object) -> LuaProgram:
    return program(text, entry_id=f"app:{name}", method=None, **options)  # type: ignore[arg-type]  # passed through


def test_a_declared_module_can_be_required() -> None:
    assert run("return require('json').encode({ 1 })", modules=["json"]) == "[1]"


def test_an_undeclared_module_is_not_found_and_the_error_says_what_is_declared() -> None:
    with pytest.raises(GuestError) as caught:
        run("local json = require('json')", modules=["ctx"])
    assert caught.value.message == (
        "lua/main.lua:2: module 'json' not found (app:main declares: ctx); add to the entry: modules: [json]"
    )


def test_what_is_no_module_of_the_host_may_be_a_library_to_import() -> None:
    with pytest.raises(GuestError) as caught:
        run("local tax = require('tax')", modules=[])
    assert caught.value.message == (
        "lua/main.lua:2: module 'tax' not found (app:main declares none); "
        "a module of the host is declared under modules:, a library under imports:"
    )


def test_a_message_shows_the_beginning_of_a_long_name() -> None:
    assert len(str(run("return select(2, pcall(require, ('x'):rep(1 << 20)))"))) < 300


def test_a_module_that_the_state_has_but_the_entry_does_not_declare_is_hinted_at() -> None:
    lib = library("return { has_json = pcall(require, 'json') }", modules=["funcs"])
    lua = program(body("require('lib') return require('funcs')"), modules=["json"], imports={"lib": lib})
    with pytest.raises(GuestError, match=r"'funcs' not found .*: json, lib\); add to the entry: modules: \[funcs\]"):
        call(lua)


def test_a_library_sees_only_its_own_declarations() -> None:
    text = "return { json = pcall(require, 'json'), lib = pcall(require, 'lib'), ctx = pcall(require, 'ctx') }"
    lib = library(text, modules=["ctx"])
    lua = program(body("return require('lib')"), modules=["json"], imports={"lib": lib})
    assert call(lua) == {"ctx": True, "json": False, "lib": False}


@pytest.mark.parametrize("name", ["string", "table", "math", "coroutine", "utf8", "os", "errors"])
def test_what_is_always_there_can_be_required_and_declared(name: str) -> None:
    assert run(f"return require('{name}') == {name}", modules=[]) is True
    assert run(f"return require('{name}') == {name}", modules=[name]) is True


def test_json_is_no_global() -> None:
    assert run("return json == nil and funcs == nil and logger == nil") is True


def test_a_library_is_what_its_chunk_returns_and_is_run_once_per_state() -> None:
    lib = library("runs = (runs or 0) + 1 local me = { runs = runs } return me")
    other = library("return { lib = require('inner') }", "other", imports={"inner": lib})
    text = "local a, b, c = require('lib'), require('lib'), require('other').lib return { a == b, a == c, a.runs }"
    assert call(program(body(text), imports={"lib": lib, "other": other})) == [True, True, 1]


def test_a_library_that_returns_nothing_is_true() -> None:
    assert call(program(body("return require('lib')"), imports={"lib": library("local x = 1")})) is True


def test_globals_of_a_library_are_its_own() -> None:
    lib = library("secret = 1 return { get = function() return shared end }")
    text = "shared = 5 local lib = require('lib') return { tostring(secret), tostring(lib.get()) }"
    assert call(program(body(text), imports={"lib": lib})) == ["nil", "nil"]


def test_a_function_entry_can_be_imported_as_a_module() -> None:
    other = program("return { main = function() return 3 end }", entry_id="app:other")
    assert call(program(body("return require('other').main()"), imports={"other": other})) == 3


def test_an_error_of_a_library_names_its_own_file() -> None:
    lib = library("local lib = {}\nfunction lib.fail() error('in lib') end\nreturn lib")
    with pytest.raises(GuestError) as caught:
        call(program(body("local r = require('lib').fail()\nreturn r"), imports={"lib": lib}))
    assert caught.value.message == "lua/lib.lua:2: in lib"
    assert caught.value.guest_traceback == (
        "lua/lib.lua:2: in function 'fail'\nlua/main.lua:2: in function <lua/main.lua:1>"
    )


def test_a_syntax_error_of_a_library_is_found_when_its_user_is_prepared() -> None:
    with pytest.raises(PreparationError, match=r"^lua/lib\.lua:1: "):
        prepare(program(body(""), imports={"lib": library("return {")}))


def test_a_library_that_fails_to_load_can_be_tried_again() -> None:
    lib = library("error('not yet')")
    text = "local a, b = pcall(require, 'lib') local c, d = pcall(require, 'lib') return { a, c, b == d, b }"
    assert call(program(body(text), imports={"lib": lib})) == [False, False, True, "lua/lib.lua:1: not yet"]


def test_require_wants_a_name() -> None:
    with pytest.raises(GuestError, match="require expects the name of a module, got a nil"):
        run("local m = require()")
