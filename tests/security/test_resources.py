"""Resources used where they must not be: each attempt gets an error that says so, and what is sound stays sound."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import polycall
from attacks import Attack, attacks
from resource_guests import entry, load_shop, lua

KEEPER = """
local funcs = require("funcs")
local kept, method
local ways = {
    keep = function(cart) kept, method = cart, cart.total end,
    use = function() return kept:total() end,
    by_method = function() return method(kept) end,
    pass = function() return funcs.call("shop:peek", kept) end,
    give_back = function() return kept end,
    in_a_list = function() return { kept } end,
    drop = function() return kept:drop() end,
    close = function() local closed <close> = kept end,
    show = function() return tostring(kept) end,
}
return { main = function(way, ...) return ways[way](...) end }
"""
FORGER = """
local funcs = require("funcs")
return { main = function(way)
    local cart = assert(funcs.call("shop:cart"))
    cart:add("pear", 3)
    local method = cart.total
    local ways = {
        honest = function() return method(cart) end,
        table = function() return method({ number = 1, text = "<resource cart>" }) end,
        number = function() return method(1) end,
        nothing = function() return method() end,
        metatable = function() return method(setmetatable({}, getmetatable(cart) or nil)) end,
        argument = function() return funcs.call("shop:peek", 1) end,
        record = function() return funcs.call("shop:peek", { resource = 1 }) end,
        text = function() return funcs.call("shop:peek", tostring(cart)) end,
        field = function() cart.total = function() return 1 end return cart:total() end,
        rawset = function() rawset(cart, "number", 2) return cart:total() end,
        setmetatable = function() setmetatable(cart, {}) return cart:total() end,
        long_name = function() return cart[("x"):rep(2000)](cart) end,
        dots = function() return cart["1.total"](cart) end,
        private = function() return cart.__index(cart) end,
        inner = function() return cart["[method]cart.total"](cart) end,
    }
    return ways[way]()
end }
"""


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Iterator[Any]:
    # One instance, which keeps its globals.
    keeper = lua("keeper", KEEPER, pool={"type": "static", "size": 1})
    forger = lua("forger", FORGER)
    poor = entry("poor", "peek", imports=[])
    slow = entry("slow", "peek", limits={"max_execution_ms": 1000})
    flood = lua(
        "flood", "local funcs = require('funcs') return { main = function(...) return #assert(funcs.call(...)) end }"
    )
    hoard = lua(
        "hoard",
        """local funcs = require("funcs") return { main = function(count)
            local kept = {}
            for at = 1, count do kept[at] = assert(funcs.call("shop:inline")) end
            return #kept
        end }""",
    )
    inline = entry("inline", "[constructor]cart", pool={"type": "inline"})
    with load_shop(tmp_path / "shop", keeper, forger, poor, slow, flood, hoard, inline) as registry:
        yield registry


def in_use(shop: Any) -> dict[str, int]:
    return {name: stats.pool.in_use for name, stats in shop.stats().entries.items() if stats.pool.in_use}


Misuse: TypeAlias = Callable[[Any, Any], None]


def other_instance(shop: Any, cart: Any) -> None:
    with shop.call("shop:cart") as other:
        cart.likes(other)


def other_grants(shop: Any, cart: Any) -> None:
    shop.call("shop:poor", cart)


def other_limits(shop: Any, cart: Any) -> None:
    shop.call("shop:slow", cart)


def of_two(shop: Any, cart: Any) -> None:
    with shop.call("shop:cart") as other:
        shop.call("shop:both", cart, other)


def twice(shop: Any, cart: Any) -> None:
    shop.call("shop:both", cart, cart)


def twice_in_a_list(shop: Any, cart: Any) -> None:
    shop.call("shop:one_of", [cart, cart])


def given_and_lent(_shop: Any, cart: Any) -> None:
    cart.take(cart)


def other_type(shop: Any, cart: Any) -> None:
    shop.call("shop:close_box", cart)


def dropped(_shop: Any, cart: Any) -> None:
    part = cart.split_off(0)
    part.drop()
    cart.likes(part)


def given_away(_shop: Any, cart: Any) -> None:
    part = cart.split_off(0)
    cart.take(part)
    cart.take(part)


def dropped_twice(_shop: Any, cart: Any) -> None:
    part = cart.split_off(0)
    part.drop()
    part.drop()


def as_a_value(shop: Any, cart: Any) -> None:
    shop.call("shop:keeper", "show", values={"cart": cart})


def of_another_registry(shop: Any, cart: Any) -> None:
    with load_shop(shop.root.parent / "other") as other:
        other.call("shop:peek", cart)


def from_the_same_call(shop: Any, cart: Any) -> None:
    failures: list[polycall.PolycallError] = []

    def again(_text: str) -> int:
        try:
            total: int = cart.total()
        except polycall.PolycallError as error:
            failures.append(error)
            return 0
        return total

    shop.function("shop:again")(again)
    cart.tell("shop:again")
    raise failures[0]


MISUSES: dict[Misuse, tuple[type[polycall.PolycallError], str]] = {
    other_instance: (polycall.ConversionError, "a cart of another instance"),
    other_grants: (polycall.ConversionError, "granted the same"),
    other_limits: (polycall.ConversionError, "a cart of another instance"),
    of_two: (polycall.ConversionError, "a cart of another instance"),
    twice: (polycall.ConversionError, "the same cart again"),
    twice_in_a_list: (polycall.ConversionError, "the same cart again"),
    given_and_lent: (polycall.ConversionError, "the same cart again"),
    other_type: (polycall.ConversionError, r"expected own<box>, got a cart"),
    dropped: (polycall.ConversionError, "gone: it was dropped"),
    given_away: (polycall.ConversionError, "gone: it was given away"),
    dropped_twice: (polycall.CallError, "gone: it was dropped"),
    as_a_value: (polycall.ConversionError, "expected a plain value, got a resource"),
    of_another_registry: (polycall.ConversionError, "a cart of another registry"),
    from_the_same_call: (polycall.CallError, "in use by another call"),
}


@pytest.mark.parametrize("misuse", MISUSES, ids=lambda each: each.__name__)
@attacks(
    *(
        Attack(
            f"a resource: {misuse.__name__.replace('_', ' ')}", "Python", error.__name__, "it can be used afterwards"
        )
        for misuse, (error, _) in MISUSES.items()
    )
)
def test_a_resource_used_wrongly_is_refused_and_stays_good(shop: Any, misuse: Misuse) -> None:
    error, why = MISUSES[misuse]
    with shop.call("shop:cart") as cart:
        cart.add("pear", 2)
        with pytest.raises(error, match=why):
            misuse(shop, cart)
        assert cart.total() == 2
        assert shop.call("shop:peek", cart) == 2
    assert not in_use(shop)


USES = ("use", "by_method", "pass", "give_back", "in_a_list", "drop", "close")


@pytest.mark.parametrize("use", USES)
@attacks(
    *(
        Attack(
            f"a resource kept: {use.replace('_', ' ')}",
            "Lua",
            "an error, or nothing",
            "it can be used in its call",
        )
        for use in USES
    )
)
def test_a_resource_that_lua_keeps_is_of_no_use_later(shop: Any, use: str) -> None:
    with shop.call("shop:cart") as cart:
        cart.add("pear", 2)
        shop.call("shop:keeper", "keep", cart)
        assert shop.call("shop:keeper", "show") == "<resource cart>"
        if use == "close":
            assert shop.call("shop:keeper", use) is None
        else:
            with pytest.raises(polycall.PolycallError, match="the call that got it has ended"):
                shop.call("shop:keeper", use)
        assert cart.total() == 2
    # Another one gets no number that was given before.
    with shop.call("shop:cart") as cart:
        cart.add("pear", 1)
        if use != "close":
            with pytest.raises(polycall.PolycallError, match="the call that got it has ended"):
                shop.call("shop:keeper", use)
        shop.call("shop:keeper", "keep", cart)
        assert cart.total() == 1


FORGERIES = {
    "table": "expected a resource",
    "number": "expected a resource",
    "nothing": "expected a resource",
    "metatable": "expected a resource",
    "argument": r"expected borrow<cart>, got 1",
    "record": r"expected borrow<cart>, got a record",
    "text": r'expected borrow<cart>, got "<resource cart>"',
    "field": "cannot be changed",
    "rawset": "cannot be changed",
    "setmetatable": "protected metatable",
    "long_name": "attempt to call a nil value",
    "dots": "has no method",
    "private": "has no method",
    "inner": "has no method",
}


@pytest.mark.parametrize("forgery", FORGERIES)
@attacks(
    *(Attack(f"a forged resource: {each.replace('_', ' ')}", "Lua", "an error", "gives `3`") for each in FORGERIES)
)
def test_a_resource_cannot_be_forged(shop: Any, forgery: str) -> None:
    with pytest.raises(polycall.PolycallError, match=FORGERIES[forgery]):
        shop.call("shop:forger", forgery)
    assert shop.call("shop:forger", "honest") == 3
    assert not in_use(shop)


@attacks(Attack("a resource of a chain, from another thread", "Python", "CallError", "it can be used in the chain"))
def test_a_resource_of_a_chain_is_of_no_use_outside_of_it(shop: Any) -> None:
    failures: list[polycall.PolycallError] = []

    def outside(cart: Any) -> None:
        try:
            cart.total()
        except polycall.PolycallError as error:
            failures.append(error)

    def inside() -> int:
        with shop.call("shop:cart") as cart:
            thread = threading.Thread(target=outside, args=(cart,))
            thread.start()
            thread.join()
            total: int = cart.add("pear", 2)
            return total

    shop.function("shop:inside")(inside)
    assert shop.call("shop:inside") == 2
    assert "belongs to another chain of calls" in str(failures[0])


@attacks(Attack("a resource used by two threads at once", "Python", "CallError for one", "one after the other"))
def test_two_threads_cannot_use_an_instance_at_once(shop: Any) -> None:
    began, done = threading.Event(), threading.Event()

    def wait(_text: str) -> str:
        began.set()
        done.wait(30)
        return ""

    shop.function("shop:wait")(wait)
    with shop.call("shop:cart") as cart:
        part = cart.split_off(0)
        thread = threading.Thread(target=cart.tell, args=("shop:wait",))
        thread.start()
        assert began.wait(30)
        for use in (cart.total, part.total, part.drop):
            with pytest.raises(polycall.CallError, match="in use by another call"):
                use()
        done.set()
        thread.join()
        assert part.total() == 0
        part.drop()


@attacks(
    Attack("10,001 resources in one call", "Lua", "LimitError", "100 pass"),
    Attack("1,001 instances kept by one chain", "Lua", "LimitError", "100 pass"),
)
def test_resources_are_bounded(shop: Any) -> None:
    assert shop.call("shop:flood", "shop:many", 100) == 100
    with pytest.raises(polycall.LimitError, match="the call has 10000 resources"):
        shop.call("shop:flood", "shop:many", 10_001)
    assert shop.call("shop:hoard", 100) == 100
    with pytest.raises(polycall.LimitError, match="more than 1000 instances"):
        shop.call("shop:hoard", 1_001)
    assert not in_use(shop)


@attacks(Attack("copying a resource", "Python", "TypeError", "the one there is works"))
def test_a_resource_cannot_be_copied(shop: Any) -> None:
    with shop.call("shop:cart") as cart:
        for copied in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot be copied"):
                copied(cart)
        assert cart.total() == 0
