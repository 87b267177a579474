"""A project whose calls go Lua -> WASM -> Lua -> Python, for the tests of everything that observes calls."""

from __future__ import annotations

from pathlib import Path

from projects import GUESTS, hash_of, write_project

__all__ = ["observed_project"]

_INDEX = """
namespace: app
entries:
  - name: guests
    kind: fs.directory
    directory: {guests}
  - {{name: relay, kind: function.wasm, fs: guests, path: caller.wasm, hash: "{hash}", method: relay-string,
      imports: [funcs]}}
  - name: same
    kind: function.lua
    source: "return {{ same = function(n) return n end }}"
    method: same
  - name: fail
    kind: function.lua
    modules: [logger]
    source: |
      local log = require("logger")
      return {{ fail = function(text) log:warn("going to fail") error("refused " .. text, 0) end }}
    method: fail
  - name: ask
    kind: function.lua
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return {{ ask = function(target, ...) return funcs.call(target, ...) end }}
    method: ask
  - name: to-python
    kind: function.lua
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return {{ to_python = function(text) return funcs.call("py:upper", text) end }}
    method: to_python
  - name: add
    kind: function.wat
    source: >
      (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
    method: add
    wit: "add: func(a: s32, b: s32) -> s32"
"""


def observed_project(folder: Path) -> Path:
    """Writes the project; ``py:upper`` is the test's to register."""
    binary = GUESTS / "bin" / "caller.wasm"
    return write_project(folder, index=_INDEX.format(guests=GUESTS / "bin", hash=hash_of(binary)))
