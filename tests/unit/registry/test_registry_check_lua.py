from __future__ import annotations

from pathlib import Path

import polycall
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
    with polycall.load(tmp_path, cache_directory=tmp_path / "cache") as registry:
        registry.function("app:now")(lambda: None)
        found = registry.check()
    warnings = [str(finding) for finding in found if finding.severity == "warning"]
    assert "".join(f"{line}\n" for line in warnings) == FOUND
    errors = [finding.problem.message for finding in found if finding.severity == "error"]
    assert [message.partition(": ")[0] for message in errors] == ["app:broken", "app:failing"]  # and no more of these
