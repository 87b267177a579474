"""The project whose entries are measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polycall

__all__ = ["GUESTS", "opened"]

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
  - {name: relay, kind: function.wat, source: file://relay.wat, method: relay, imports: [funcs]}
  - {name: add, kind: function.wat, source: file://add.wat, method: add}
  - {name: add_fresh, kind: function.wat, source: file://add.wat, method: add, pool: {type: inline}}
  - {name: add_isolated, kind: function.wat, source: file://add.wat, method: add, isolation: process}
  - {name: add_core, kind: function.wat, source: file://add_core.wat, method: add,
     wit: "add: func(a: s32, b: s32) -> s32"}
  - {name: echo_text, kind: function.wat, source: file://echo.wat, method: echo-text}
  - {name: echo_bytes, kind: function.wat, source: file://echo.wat, method: echo-bytes}
  - {name: echo_rows, kind: function.wat, source: file://echo.wat, method: echo-rows}
  - {name: echo_core, kind: function.wat, source: file://echo_core.wat, method: echo,
     wit: "echo: func(bytes: list<u8>) -> list<u8>"}
  - {name: spin, kind: function.wat, source: file://spin.wat, method: spin, wit: "spin: func(rounds: u32) -> u32"}
  - {name: spin_lua, kind: function.lua, source: file://spin.lua, method: spin}
  - {name: words, kind: function.lua, source: file://words.lua, method: words}
  - {name: spaces, kind: function.lua, source: file://words.lua, method: spaces}
  - {name: pairs, kind: function.lua, source: file://words.lua, method: pairs}
  - {name: sorted, kind: function.lua, source: file://words.lua, method: sorted}
"""


@contextmanager
def opened() -> Iterator[tuple[polycall.Registry, Path]]:
    """Opens the project in a folder of its own, with an empty compile cache.

    Yields:
        The registry, and the folder.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        for guest in GUESTS.iterdir():
            (folder / guest.name).write_bytes(guest.read_bytes())
        (folder / "_index.yaml").write_text(_INDEX, encoding="utf-8")
        with polycall.load(folder, cache_directory=folder / ".cache") as registry:
            yield registry, folder
