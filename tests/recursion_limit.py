"""A process of its own that calls guests from every depth near Python's recursion limit.

A callback of the engine's that cannot begin there would be taken for success, or would miss a deadline. For each way
into the engine it writes a line of JSON: its name, and what came of the calls, by depth.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from hosted import Hosted, link  # noqa: E402 - after the path to it is set
from polycall.interop.context import CallContext  # noqa: E402 - likewise
from polycall.wasm_runtime.component.linked_plan import LinkedPlan  # noqa: E402
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine  # noqa: E402
from wasm_guests import BUMP_ALLOCATOR  # noqa: E402

__all__ = ["WAYS", "Way"]

_LOWERED = """(component (import "f" (func $f (param "v" u32) (result u32))) (core func $f (canon lower (func $f)))
  (core module $m (import "" "f" (func $f (param i32) (result i32)))
    (func $go (param i32) (result i32) @) (func (export "g") (param i32) (result i32) (call $go (local.get 0)))
    START)
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
  (func (export "g") (param "v" u32) (result u32) (canon lift (core func $i "g"))))"""
_BARE = """(component (import "f" (func $f (result u32))) (core func $f (canon lower (func $f)))
  (core module $m (import "" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
  (func (export "g") (result u32) (canon lift (core func $i "g"))))"""
_RESOURCE = """(component (core module $d (func (export "d") (param i32))) (core instance $d (instantiate $d))
  (type $r (resource (rep i32) (dtor (core func $d "d"))))
  (core func $new (canon resource.new $r)) (core func $drop (canon resource.drop $r))
  (core func $rep (canon resource.rep $r))
  (core module $m (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (func (export "g") (param i32) (result i32) (local $h i32) (local.set $h (call $new (local.get 0)))
      (i32.add (call $rep (local.get $h)) (local.get $h)) (call $drop (local.get $h))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))
    (export "rep" (func $rep))))))
  (func (export "g") (param "v" u32) (result u32) (canon lift (core func $i "g"))))"""
_STRINGS = f"""(component
  (import "f" (func $f (param "v" (list string)) (result (list string))))
  (core module $memory (memory (export "memory") 4) {BUMP_ALLOCATOR}) (core instance $memory (instantiate $memory))
  (core func $f (canon lower (func $f) (memory (core memory $memory "memory"))
    (realloc (core func $memory "cabi_realloc"))))
  (core module $m (import "" "f" (func $f (param i32 i32 i32))) (import "m" "memory" (memory 1))
    (func (export "g") (param i32 i32) (result i32) (call $f (local.get 0) (local.get 1) (i32.const 8)) (i32.const 8))
    (func (export "post") (param i32)))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $f)))) (with "m" (instance $memory))))
  (func (export "g") (param "v" (list string)) (result (list string)) (canon lift (core func $i "g")
    (memory (core memory $memory "memory")) (realloc (core func $memory "cabi_realloc"))
    (post-return (core func $i "post")))))"""
_LINK = """(component $other (import "f" (func $f (param "v" u32) (result u32))) (core func $f (canon lower (func $f)))
  (core module $m (import "" "f" (func $f (param i32) (result i32)))
    (func (export "g") (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0)))))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
  (func (export "g") (param "v" u32) (result u32) (canon lift (core func $i "g"))))"""
_LINKS = "".join(f'(instance $c{n} (instantiate $other (with "f" (func $c{n - 1} "g"))))' for n in range(1, 20))
_CHAIN = f"""(component (import "f" (func $f (param "v" u32) (result u32))) {_LINK}
  (instance $c0 (instantiate $other (with "f" (func $f)))) {_LINKS} (export "g" (func $c19 "g")))"""
_LOOP = "(loop $again (br $again)) unreachable"
_SECONDS = 0.02
_FEW, _EACH = 50, 10
"""How many of the last depths below the limit are tried: for each way, and for each call within others."""


class Way(NamedTuple):
    """A way into the engine.

    Attributes:
        name: What is called.
        text: The component.
        arguments: Of its `g`.
        value: What that gives.
        is_endless: Whether only a deadline ends it.
        calls: How many calls lie within each other.
    """

    name: str
    text: str
    arguments: tuple[Any, ...]
    value: Any
    is_endless: bool = False
    calls: int = 1


def _calling(body: str, start: str = "") -> str:
    return _LOWERED.replace("@", body).replace("START", start)


_WORDS = [f"word {number}" for number in range(12)]
WAYS = (
    Way("a host function", _calling("(call $f (local.get 0))"), (5,), 6),
    Way("a host function without arguments", _BARE, (), 6),
    Way("built-in functions of resources, and a destructor", _RESOURCE, (5,), 6),
    Way("an allocator, for few pieces", _STRINGS, (["a", "b"],), ["b", "a"]),
    Way("an allocator, for many pieces", _STRINGS, (_WORDS,), _WORDS[::-1]),
    Way("twenty components in a row", _CHAIN, (5,), 26, calls=20),
    Way(
        "a host function when it starts",
        _calling(
            "(local.get 0)",
            "(func $start (if (i32.ne (call $f (i32.const 7)) (i32.const 8)) (then unreachable))) (start $start)",
        ),
        (5,),
        5,
    ),
    Way("a loop without end", _calling(_LOOP), (5,), None, True),
    Way(
        "a loop without end behind a host function",
        _calling(f"(drop (call $f (local.get 0))) {_LOOP}"),
        (5,),
        None,
        True,
    ),
)


def _answer(value: Any = 5) -> Any:
    return value + 1 if isinstance(value, int) else value[::-1]


def _within(depth: int, action: Callable[[], Any]) -> Any:
    return _within(depth - 1, action) if depth else action()


def _call(instance: Hosted, way: Way) -> Any:
    deadline = monotonic() + _SECONDS if way.is_endless else None
    instance.store.begin(CallContext("app:guest", "wasm", None, deadline=deadline))
    try:
        return instance.guest.call(instance.function("g"), way.arguments)
    finally:
        instance.store.end()


def _outcome(linked: LinkedPlan, way: Way, depth: int, *, is_warm: bool) -> str:
    instances: list[Hosted] = []

    def run() -> Any:
        if not instances:
            instances.append(Hosted(linked))
        return _call(instances[0], way)

    try:
        if is_warm:  # later calls do not go as deep before they come to the engine
            instances.append(Hosted(linked))
            if not way.is_endless:
                run()
        value = _within(depth, run)
    except Exception as error:  # noqa: BLE001 - its class is what is asked for
        return type(error).__name__
    finally:
        for instance in instances:
            instance.close()
    return "its value" if value == way.value else f"{value!r}"


def main() -> None:
    """Tries all."""
    unraisable: list[str] = []
    sys.unraisablehook = lambda found: unraisable.append(repr(found.exc_value))
    engine = WasmEngine()
    limit = sys.getrecursionlimit()
    for way in WAYS:
        linked = link(engine, way.text, {"f": _answer})
        assert _outcome(linked, way, 0, is_warm=True) in ("its value", "DeadlineError")
        depths = range(limit - (_FEW + _EACH * way.calls), limit)
        found = Counter(_outcome(linked, way, depth, is_warm=warm) for depth in depths for warm in (False, True))
        print(json.dumps([way.name, dict(found), unraisable]), flush=True)


if __name__ == "__main__":
    main()
