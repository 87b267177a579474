"""Resources of a soak: carts that Python and Lua use, keep over calls, give away, forget, and lose with their instance.

Each cart has as many things in it as the tag of its call, so that no two are alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from resource_guests import carts_wat, entry

__all__ = ["HELD", "KINDS", "LUA_MODES", "Kept", "content", "entries", "returned", "source"]

Kept = list[tuple[Any, int]]
"""Carts that a thread keeps over calls, and how much must be in them."""


HELD = ("kept over calls", "forgotten")
"""Kinds that hold an instance when their call is over: in a small pool, threads would wait for each other."""

_MOST_KEPT = 4
_TRAPS_IN_DESTRUCTOR = 666

LUA_MODES = ("close", "drop", "forget", "give", "return", "keep")
"""What Lua does with a cart that it has got."""

# "keep" has it in a global over calls, where it is good for nothing, and must not harm either.
_LUA = """
local funcs = require("funcs")
local kept
local modes = {}
function modes.close(open, count) local cart <close> = open() cart:add("x", count) return cart:total() end
function modes.drop(open, count)
  local cart = open()
  local total = cart:add("x", count)
  cart:drop()
  return total
end
function modes.forget(open, count) local cart = open() return (cart:add("x", count)) end
function modes.give(open, count, id)
  local cart, other = open(), nil
  cart:add("x", count + 5) other = cart:split_off(count)
  return (funcs.call((id:gsub("cart", "checkout", 1)), other))
end
modes["return"] = function(open, count) local cart = open() cart:add("x", count) return cart end
function modes.keep(open, count)
  local total = kept and kept:total()
  kept = open()
  return total and error("a cart of another call was used", 0) or kept:add("x", count)
end
local function run(mode, id, count) return modes[mode](function() return assert(funcs.call(id)) end, count, id) end
return { run = run }
"""


def content(tag: int) -> int:
    """Returns how much is in the cart of a call; few things mean something to the component."""
    return 1_000 + tag % 2**30


def source(version: str) -> str:
    """Returns the component; its versions do the same, and are other programs."""
    return f"{carts_wat()}\n;; {version}"


def entries(pools: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the entries: the component's in each pool, and Lua that uses them."""
    found = []
    for name, pool in pools.items():
        found += [
            entry(f"cart-{name}", "[constructor]cart", pool=pool),
            entry(f"checkout-{name}", "checkout", pool=pool),
            {"name": f"shopper-{name}", "kind": "function.lua", "modules": ["funcs"], "source": _LUA, "method": "run"}
            | {"pool": pool},
        ]
    result: list[dict[str, Any]] = json.loads(json.dumps(found))
    return result


def _filled(cart: Any, tag: int) -> int:
    total: int = cart.add("x", tag)
    return total


def _used(cart: Any, tag: int, _kept: Kept) -> Any:
    with cart:
        _filled(cart, tag)
        return cart.total()


def _forgotten(cart: Any, tag: int, _kept: Kept) -> Any:
    return _filled(cart, tag)


def _split(cart: Any, tag: int, _kept: Kept) -> Any:
    with cart:
        _filled(cart, tag + 7)
        with cart.split_off(tag) as other:
            return other.total() if cart.total() == 7 else -1


def _dropped(cart: Any, _tag: int, _kept: Kept) -> Any:
    cart.drop()
    return cart.total()


def _trapped(cart: Any, tag: int, _kept: Kept) -> Any:
    _filled(cart, tag)
    return cart.fail()


def _spinning(cart: Any, _tag: int, _kept: Kept) -> Any:
    return cart.spin(timeout=0.05)


def _trapped_at_its_end(cart: Any, _tag: int, _kept: Kept) -> Any:
    _filled(cart, _TRAPS_IN_DESTRUCTOR)
    return cart.drop()


def returned(cart: Any, _tag: int, _kept: Kept) -> Any:
    """Uses a cart that Lua has filled."""
    with cart:
        return cart.total()


def _kept_over_calls(cart: Any, tag: int, kept: Kept) -> Any:
    """Keeps it, uses one that was kept before, and drops the eldest when there are many."""
    _filled(cart, tag)
    kept.append((cart, tag))
    if len(kept) > _MOST_KEPT:
        eldest, count = kept.pop(0)
        with eldest:
            if eldest.total() != count:
                return -1
    other, count = kept[tag % len(kept)]
    return tag if other.total() == count else -2


KINDS: dict[str, tuple[Callable[[Any, int, Kept], Any], tuple[str, ...], float]] = {
    "used": (_used, (), 10),
    "forgotten": (_forgotten, (), 3),
    "split": (_split, (), 3),
    "kept over calls": (_kept_over_calls, (), 5),
    "dropped": (_dropped, ("conversion",), 2),
    "trapped": (_trapped, ("trap",), 2),
    "timed out": (_spinning, ("deadline",), 0.3),
    "trapped at its end": (_trapped_at_its_end, ("trap",), 1),
}
"""What Python does with a cart: how, the codes that it may fail with (none: it gives the tag), and how often."""
