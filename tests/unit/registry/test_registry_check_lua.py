from __future__ import annotations

from pathlib import Path

import pytest

import polycall
from polycall.interop.source import SourceText
from polycall.lua_runtime.compiling import compiled
from polycall.lua_runtime.uses import uses_of
from polycall.registry.isolation.lua_uses import decode_uses, encode_uses
from projects import write_project

INDEX = """namespace: app
entries:
  - name: inline
    kind: function.lua
    source: |
      return { f = function()
          return pritn(1)
      end }
    method: f
  - name: main
    kind: function.lua
    source: file://main.lua
    method: f
    modules: [funcs, json]
  - {name: again, kind: function.lua, source: file://main.lua, method: f, modules: [funcs, json]}
  - {name: library, kind: library.lua, source: "return nothing"}
  - {name: broken, kind: function.lua, source: "return {", method: f}
  - {name: failing, kind: function.lua, source: "local j = require('json') return { f = j }", method: f}
  - name: add
    kind: function.wat
    source: '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
    method: add
    wit: "add: func(a: s32, b: s32) -> s32"
  - {name: table, kind: registry.entry}
"""
MAIN = """local funcs = require("funcs")
local function f(a)
  funcs.call("app:add", 1)
  funcs.call("app:add", 1, 2)
  funcs.call("app:add", table.unpack(a))
  funcs.call("app:ad", 1, 2)
  funcs.try("app:table")
  funcs.call("add", 1, 2)
  funcs.call("app:now")
end
return { f = f }
"""
FOUND = """\
_index.yaml:7:18: warning: app:inline: there is no global "pritn" here (did you mean "print"?)
_index.yaml:14:22: warning: entries[1].modules[1]: app:main: the module "json" is not used (leave it out)
_index.yaml:15:92: warning: entries[2].modules[1]: app:again: the module "json" is not used (leave it out)
_index.yaml:16:56: warning: app:library: there is no global "nothing" here
main.lua:3:15: warning: app:again: it calls app:add with 1 argument; it takes 2 (it is func(a: s32, b: s32) -> s32)
main.lua:6:15: warning: app:again: it calls app:ad: there is no entry app:ad (did you mean "app:add" or "app:main"?)
main.lua:7:14: warning: app:again: it calls app:table, of kind registry.entry, which is not called
main.lua:8:15: warning: app:again: it calls add: there is no entry add (write the namespace as well: app:add)
"""


def test_lua_is_checked_before_it_runs(tmp_path: Path) -> None:
    write_project(tmp_path, index=INDEX, main_lua=MAIN)
    with polycall.load(tmp_path) as registry:
        registry.function("app:now")(lambda: None)
        found = registry.check()
    warnings = [str(finding) for finding in found if finding.severity == "warning"]
    assert "".join(f"{line}\n" for line in warnings) == FOUND
    errors = [finding.problem.message for finding in found if finding.severity == "error"]
    assert [message.partition(": ")[0] for message in errors] == ["app:broken", "app:failing"]  # and no more of these


def test_a_call_that_the_entry_s_list_forbids_is_told(tmp_path: Path) -> None:
    text = "local f = require('funcs') return { f = function() return f.call('app:b'), f.call('app:a') end }"
    entry = f'kind: function.lua, method: f, modules: [funcs], source: "{text}"'
    index = f"namespace: app\nentries:\n  - {{name: a, {entry}}}\n  - {{name: b, {entry}, calls: [a]}}\n"
    write_project(tmp_path, index=index)
    with polycall.load(tmp_path) as registry:
        messages = [finding.problem.message for finding in registry.check()]
    assert messages == ['app:b: it calls app:b, which its calls do not allow: ["app:a"]']


def test_the_text_of_an_isolated_entry_is_not_read_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: SourceText, _entry_id: str) -> bytes:
        raise AssertionError(f"{source.name} was compiled here")

    monkeypatch.setattr("polycall.registry.check_lua.compiled", refuse)
    entry = "name: x, kind: function.lua, isolation: process, source: file://main.lua, method: f"
    index = f"namespace: app\nentries: [{{{entry}}}]\n"
    write_project(tmp_path, index=index, main_lua="local function f() return io.open(pritn) end\nreturn { f = f }\n")
    with polycall.load(tmp_path) as registry:
        assert [(found.problem.line, found.problem.column) for found in registry.check()] == [(1, 27), (1, 35)]


ISOLATED = """namespace: app
entries:
  - {name: theirs, kind: library.lua, source: file://theirs.lua}
  - {name: both, kind: library.lua, source: "return {}"}
  - {name: between, kind: library.lua, source: "return require('both')", imports: {both: app:both}}
  - {name: alone, kind: library.lua, source: "return {}"}
  - name: sandboxed
    kind: function.lua
    isolation: sandbox
    imports: {theirs: app:theirs, both: app:both}
    source: "return { f = function() return require('theirs'), require('both') end }"
    method: f
  - name: hosted
    kind: function.lua
    imports: {between: app:between}
    source: "return { f = function() return require('between') end }"
    method: f
"""


def test_a_library_is_compiled_where_it_would_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here: set[str] = set()

    def recorded(source: SourceText, entry_id: str) -> bytes:
        here.add(entry_id)
        return compiled(source, entry_id)

    for place in ("registry.check_lua", "lua_runtime.runtime"):
        monkeypatch.setattr(f"polycall.{place}.compiled", recorded)
    write_project(tmp_path, index=ISOLATED, theirs_lua="return {\n")
    with polycall.load(tmp_path) as registry:
        found = [str(finding) for finding in registry.check()]
    assert here == {"app:both", "app:between", "app:alone", "app:hosted"}
    assert ["theirs.lua:2: unexpected symbol near <eof>" in message for message in found] == [True, True]


def test_what_the_process_of_an_isolated_text_says_is_checked() -> None:
    uses = uses_of(compiled(SourceText("x = y.z require('a') require('funcs').call('b', 1)", "a.lua"), "a:a"))
    back = decode_uses(encode_uses(uses))
    assert back is not None
    assert vars(back) == vars(uses)
    for wrong in (
        b"",
        b"{}",
        b"[1,2,3,4,5]",
        b'[0,[["x",-1,""]],[],[],[]]',
        b"[0,[],[[]],[],[]]",
        b'[0,[],[],[["x"]],[]]',
    ):
        assert decode_uses(wrong) is None
