"""A process of its own for the test of native stack use: were the bound wrong, it would die of a segmentation fault.

Each guest recurses as deep as one entry may and calls the next guest from down there, until the chain has the greatest
depth that is allowed; the last one recurses without end. Arguments: a cache folder; `main` or `thread`.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from polycall.interop.context import DEFAULT_MAX_DEPTH, CallContext  # noqa: E402 - likewise
from polycall.interop.errors import TrapError  # noqa: E402 - likewise
from polycall.interop.values import Value  # noqa: E402 - likewise
from polycall.wasm_runtime.function import WasmFunction  # noqa: E402 - likewise
from wasm_guests import FakeInvoker, open_runtime, prepare  # noqa: E402 - after the path to it is set

GUEST = """(component
  (import "wippy:runtime/funcs@0.1.0" (instance $funcs (export "call-string"
    (func (param "target" string) (param "input" string) (result (result string (error string)))))))
  (core module $memory (memory (export "memory") 1) (data (i32.const 128) "app:next")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core func $call (canon lower (func $funcs "call-string")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $guest (import "funcs" "call" (func $call (param i32 i32 i32 i32 i32)))
    (func $dive (export "dive") (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then
        (call $call (i32.const 128) (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 64)) (return (i32.const 1))))
      (i32.add (i32.const 1) (call $dive (i32.sub (local.get 0) (i32.const 1))))))
  (core instance $guest (instantiate $guest (with "funcs" (instance (export "call" (func $call))))))
  (func (export "dive") (param "levels" u32) (result u32) (canon lift (core func $guest "dive"))))"""

ENDLESS = 2**32 - 1


def dive(function: WasmFunction, levels: int, caller: CallContext | None) -> Value:
    return function.instantiate().call([levels], CallContext("app:guest", "wasm", caller))


def deepest_levels(function: WasmFunction) -> int:
    """Returns how deep one entry can recurse and still call out, by bisection."""
    fits, overflows = 0, 1_000_000
    while fits + 1 < overflows:
        middle = (fits + overflows) // 2
        try:
            dive(function, middle, None)
            fits = middle
        except TrapError:
            overflows = middle
    return fits


def run(cache: Path) -> None:
    invoker = FakeInvoker(next=lambda _payload, _caller: "")
    with open_runtime(cache, invoker) as runtime:
        function = prepare(runtime, GUEST, "dive", grants=("funcs",))
        levels = deepest_levels(function)

        def next_hop(_payload: str | bytes, caller: CallContext) -> Value:
            if caller.depth + 1 < DEFAULT_MAX_DEPTH:
                return dive(function, levels, caller)
            try:
                return dive(function, ENDLESS, caller)
            except TrapError as error:
                print(f"{caller.depth + 1} hops, then {type(error).__name__}")
                return ""

        invoker.answers = {"next": next_hop}
        dive(function, levels, None)


if __name__ == "__main__":
    if sys.argv[2] == "main":
        run(Path(sys.argv[1]))
    else:
        thread = threading.Thread(target=run, args=(Path(sys.argv[1]),))
        thread.start()
        thread.join()
