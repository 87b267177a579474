"""A process of its own for the test of native stack use: were the bound wrong, it would die of a segmentation fault.

Each guest uses as much of the stack as one hop may and makes the next call from down there, until the chain has the
greatest depth that is allowed. A guest of WebAssembly whose call fails recurses without end. Arguments: a cache folder;
where the calls are made: `main`, `async`, `thread`, or a thread's stack in KiB (or `levels`, which prints how deep one
guest can recurse); and `max_stack_bytes`, if not the default.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import polycall  # noqa: E402 - after the path to it is set
from projects import write_project  # noqa: E402 - likewise

GUEST = """(component
  (import "wippy:runtime/funcs@0.1.0" (instance $funcs (export "call-string"
    (func (param "target" string) (param "input" string) (result (result string (error string)))))))
  (core module $memory (memory (export "memory") 1) (data (i32.const 128) "TARGET") (data (i32.const 144) "PAYLOAD")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core func $call (canon lower (func $funcs "call-string")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $guest
    (import "memory" "memory" (memory 1))
    (import "funcs" "call" (func $call (param i32 i32 i32 i32 i32)))
    (func $dive (export "dive") (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then
        (call $call (i32.const 128) (i32.const 8) (i32.const 144) (i32.const LENGTH) (i32.const 64))
        (if (i32.eqz (i32.load8_u (i32.const 64))) (then (return (i32.const 1))))))
      (i32.add (i32.const 1) (call $dive (i32.sub (local.get 0) (i32.const 1))))))
  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory)) (with "funcs" (instance (export "call" (func $call))))))
  (func (export "dive") (param "levels" u32) (result u32) (canon lift (core func $guest "dive"))))"""

LUA = """
local funcs, json = require("funcs"), require("json")
local reply
local nested = ("["):rep(100000)
local function nest(n)
  if n == 0 then json.decode(nested) reply = { funcs.call("app:dive", LEVELS) } return end
  STEP
end
return {
  echo = function() return "" end,
  next = function()
    for n = 195, 1, -1 do
      reply = nil
      pcall(nest, n)
      if reply then break end
    end
    return ""
  end,
}"""
STEPS = (
    "pcall(nest, n - 1)",
    "coroutine.wrap(nest)(n - 1)",
    "string.gsub('a', 'a', function() nest(n - 1) end)",
)
INDEX = """
namespace: app
entries:
  - {name: dive, kind: function.wat, source: file://dive.wat, method: dive, imports: [funcs], pool: {type: inline}}
  - {name: next, kind: function.lua, source: file://next.lua, method: next, modules: [funcs, json],
     pool: {type: inline}}
  - {name: echo, kind: function.lua, source: file://next.lua, method: echo, modules: [funcs, json]}
"""
SPARE_LEVELS = 8  # frames of the engine's own differ a little from one entry to the next


@contextmanager
def opened(target: str, levels: int = 0, step: str = "") -> Iterator[polycall.Registry]:
    """Opens a project in which a dive to some level calls `target`; Lua calls a dive from the bottom of its nesting."""
    guest = GUEST.replace("TARGET", target).replace("PAYLOAD", str(levels)).replace("LENGTH", str(len(str(levels))))
    settings = f"max_stack_bytes: {sys.argv[3]}" if len(sys.argv) > 3 else ""
    with TemporaryDirectory() as folder:
        lua = LUA.replace("LEVELS", str(levels)).replace("STEP", step)
        write_project(Path(folder), index=INDEX, dive_wat=guest, next_lua=lua, polycall_yaml=settings)
        with polycall.load(folder, cache_directory=sys.argv[1]) as registry:
            yield registry


def deepest_levels() -> int:
    """Returns how deep one guest can recurse and still call out, by bisection."""
    with opened("app:echo") as registry:
        fits, overflows = 0, 1_000_000
        while fits + 1 < overflows:
            middle = (fits + overflows) // 2
            try:
                registry.call("app:dive", middle)
                fits = middle
            except polycall.TrapError:
                overflows = middle
    return fits - SPARE_LEVELS


def run(call: Callable[..., object]) -> None:
    levels = deepest_levels()
    chains: list[tuple[str, list[int], str]] = [("app:dive", [levels], ""), *[("app:next", [], step) for step in STEPS]]
    for start, arguments, step in chains:
        with opened(start, levels, step) as registry:
            with suppress(polycall.TrapError):  # where Lua made the first call, it was told of the failure and goes on
                call(registry, start, *arguments)
            entries = registry.stats().entries.values()
            hops = sum(entry.calls - entry.errors.get("depth", 0) for entry in entries)
            traps = sum(entry.errors.get("trap", 0) for entry in entries)
            print(f"{hops} hops, {'each' if traps == hops else traps} with a trap", flush=True)


if __name__ == "__main__":
    where = sys.argv[2]
    if where == "levels":
        print(deepest_levels())
    elif where == "main":
        run(polycall.Registry.call)
    elif where == "async":
        run(lambda registry, *arguments: asyncio.run(registry.call_async(*arguments)))
    else:
        threading.stack_size(0 if where == "thread" else int(where) * 1024)
        thread = threading.Thread(target=run, args=(polycall.Registry.call,))
        thread.start()
        thread.join()
