"""The project whose entries are measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polycall

__all__ = ["BUILT", "GUESTS", "opened"]

GUESTS = Path(__file__).parent / "guests"

_INDEX = """
namespace: bench
entries:
  - {name: same, kind: function.lua, method: same, source: "return { same = function(n) return n end }"}
  - {name: fresh, kind: function.lua, method: same, source: "return { same = function(n) return n end }",
     pool: {type: inline}}
  - name: isolated
    kind: function.lua
    isolation: process
    source: "return { same = function(n) return n end }"
    method: same
  - name: loop
    kind: function.lua
    modules: [funcs]
    source: |
      local call = require("funcs").call
      return { loop = function(target, count, ...)
        for _ = 1, count do
          local _, err = call(target, ...)
          if err then error(err) end
        end
      end }
    method: loop
  - name: empty
    kind: function.lua
    source: |
      local function same(n) return n end
      return { empty = function(_, count) for n = 1, count do same(n) end end }
    method: empty
  - name: bounce
    kind: function.lua
    modules: [funcs]
    source: |
      local call = require("funcs").call
      return { bounce = function(text) return call("bench:echo_text", text) end }
    method: bounce
  - {name: answer, kind: function.lua, method: answer, source: "return { answer = function(text) return text end }"}
  - {name: hops, kind: function.wat, source: file://hops.wat, method: hops, imports: [funcs]}
  - {name: relay, kind: function.wat, source: file://relay.wat, method: relay, imports: [funcs]}
  - {name: add, kind: function.wat, source: file://add.wat, method: add}
  - {name: add_fresh, kind: function.wat, source: file://add.wat, method: add, pool: {type: inline}}
  - {name: add_isolated, kind: function.wat, source: file://add.wat, method: add, isolation: process}
  - {name: add_core, kind: function.wat, source: file://add_core.wat, method: add,
     wit: "add: func(a: s32, b: s32) -> s32"}
  - {name: echo_text, kind: function.wat, source: file://echo.wat, method: echo-text}
  - {name: echo_bytes, kind: function.wat, source: file://echo.wat, method: echo-bytes}
  - {name: echo_numbers, kind: function.wat, source: file://echo.wat, method: echo-numbers}
  - {name: echo_rows, kind: function.wat, source: file://echo.wat, method: echo-rows}
  - {name: echo_core, kind: function.wat, source: file://echo_core.wat, method: echo,
     wit: "echo: func(bytes: list<u8>) -> list<u8>"}
  - {name: spin, kind: function.wat, source: file://spin.wat, method: spin, wit: "spin: func(rounds: u32) -> u32"}
  - {name: spin_lua, kind: function.lua, source: file://spin.lua, method: spin}
  - name: total
    kind: function.lua
    source: |
      return { total = function(order)
        local total = 0
        for _, item in ipairs(order.items) do total = total + item.price * item.count end
        return { id = order.id, total = total }
      end }
    method: total
  - {name: words, kind: function.lua, source: file://words.lua, method: words}
  - {name: spaces, kind: function.lua, source: file://words.lua, method: spaces}
  - {name: pairs, kind: function.lua, source: file://words.lua, method: pairs}
  - {name: sorted, kind: function.lua, source: file://words.lua, method: sorted}
  - {name: guests, kind: fs.directory, directory: guests}
  - {name: c_fresh, kind: function.wasm, fs: guests, path: caller.wasm, hash: "HASH OF caller.wasm",
     method: "test:caller/math@1.0.0#add", pool: {type: inline}}
  - {name: js_fresh, kind: function.wasm, fs: guests, path: js-caller.wasm, hash: "HASH OF js-caller.wasm",
     method: "test:caller/math@1.0.0#add", pool: {type: inline}}
"""
BUILT = Path(__file__).parents[1] / "tests" / "guests" / "bin"
_BUILT = ("caller.wasm", "js-caller.wasm")


@contextmanager
def opened() -> Iterator[tuple[polycall.Registry, Path]]:
    """Opens the project in a folder of its own.

    Yields:
        The registry, and the folder.
    """
    with TemporaryDirectory() as place:
        folder = Path(place)
        for guest in GUESTS.iterdir():
            (folder / guest.name).write_bytes(guest.read_bytes())
        index = _INDEX
        (folder / "guests").mkdir()
        for name in _BUILT:
            binary = (BUILT / name).read_bytes()
            (folder / "guests" / name).write_bytes(binary)
            index = index.replace(f"HASH OF {name}", f"sha256:{hashlib.sha256(binary).hexdigest()}")
        (folder / "_index.yaml").write_text(index, encoding="utf-8")
        with polycall.load(folder) as registry:
            yield registry, folder
