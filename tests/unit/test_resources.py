"""Resources of components in Python and Lua: methods, arguments, results, and when they end."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from polycall.interop.resources import ResourceHandle
from resource_guests import entry, load_shop, lua


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Iterator[Any]:
    with load_shop(tmp_path / "shop", *GUESTS) as registry:
        yield registry


def function(name: str, body: str, **more: Any) -> dict[str, Any]:
    """Returns a Lua entry of one function."""
    source = f'local funcs, json = require("funcs"), require("json")\nreturn {{ main = function(...)\n{body}\nend }}'
    return lua(name, source, **more)


GUESTS = (
    function("fill", "local cart = funcs.call('shop:cart') cart:add('pear', ...) return cart"),
    function("total", "local cart = ... return cart:total()"),
    function("hand_on", "return ..."),
    function(
        "several",
        """
        local carts = funcs.call("shop:many", 3)
        carts[1]:add("pear", 5)
        carts[2]:add("fig", 2)
        return { carts[1]:take(carts[2]), carts[1]:likes(carts[3]), carts[1]:total() }
        """,
    ),
    function(
        "closing",
        """
        local cart = funcs.call("shop:cart")
        do
            local part <close> = cart:split_off(1)
        end
        return cart:dropped()
        """,
    ),
    function(
        "dropping",
        """
        local cart = funcs.call("shop:cart")
        local part = cart["split-off"](cart, 1)
        local first, second = part:drop(), select(2, part:drop())
        return { first, tostring(second), cart:dropped(), tostring(select(2, part:total())) }
        """,
    ),
    function(
        "same",
        """
        local cart = funcs.call("shop:cart")
        local again = funcs.call("shop:hand_on", cart)
        return { cart == again, tostring(cart), type(cart), #cart, next(cart) == nil, getmetatable(cart) }
        """,
    ),
    function("wrong", "local cart = funcs.call('shop:cart') return tostring(select(2, cart:totals()))"),
    function("without_self", "local cart = funcs.call('shop:cart') return cart.total()"),
    function("texts", "local cart = funcs.call('shop:cart') return tostring(select(2, json.encode({ cart })))"),
    function(
        "greedy", "local kept = {} for at = 1, ... do kept[at] = assert(funcs.call('shop:cart')) end return #kept"
    ),
    entry("one", "[constructor]cart", pool={"type": "static", "size": 1}),
    entry("two", "[constructor]cart", pool={"max_size": 2}),
    function("one_twice", "local a = assert(funcs.call('shop:one')) return funcs.call('shop:one')"),
    function("one_after", "do local a <close> = funcs.call('shop:one') end return funcs.call('shop:one'):total()"),
    entry("limited", "[constructor]cart", limits={"max_execution_ms": 50}),
)


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for what another thread is about to do."""
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        threading.Event().wait(0.005)


def in_use(registry: Any, name: str = "cart") -> int:
    found: int = registry.stats().entries[f"shop:{name}"].pool.in_use
    return found


class TestPython:
    def test_methods_are_calls_on_the_instance_that_made_it(self, shop: Any) -> None:
        with shop.call("shop:cart") as cart:
            assert repr(cart) == "<resource cart>"
            assert cart.add("pear", 2) == 2
            assert cart.add("fig", 3) == 5
            with shop.call("shop:cart") as other:
                assert other.total() == 0
            assert cart.total() == 5
        assert repr(cart) == "<resource cart (gone)>"

    def test_methods_are_listed(self, shop: Any) -> None:
        with shop.call("shop:cart") as cart:
            assert {"add", "total", "split_off", "dropped", "drop"} <= set(dir(cart))
            with pytest.raises(AttributeError, match=r"no method nothing; it has add, .*total"):
                _ = cart.nothing
            assert not hasattr(cart, "_nothing")

    def test_a_method_may_give_and_take_resources(self, shop: Any) -> None:
        with shop.call("shop:cart") as cart:
            cart.add("pear", 7)
            part = cart.split_off(3)
            assert (cart.total(), part.total(), cart.likes(part)) == (4, 3, 0)
            assert cart.take(part) == 7
            assert cart.dropped() == 1  # by the component itself

    def test_entries_of_the_component_take_it(self, shop: Any) -> None:
        cart: Any = shop.call("shop:cart")
        cart.add("pear", 4)
        assert shop.call("shop:peek", cart) == 4
        assert shop.call("shop:checkout", cart) == 4
        assert in_use(shop) == 0
        with pytest.raises(polycall.ConversionError, match=r"a cart that is gone: it was given away"):
            cart.total()

    def test_lists_of_resources_cross(self, shop: Any) -> None:
        carts: Any = shop.call("shop:many", 5)
        assert [type(cart) for cart in carts] == [ResourceHandle] * 5
        assert carts[0].dropped() == 0
        assert shop.call("shop:one_of", carts[:4]) == 4
        carts[4].drop()
        assert in_use(shop, "many") == 0

    def test_its_end_gives_the_instance_back(self, shop: Any) -> None:
        cart: Any = shop.call("shop:cart")
        assert in_use(shop) == 1
        part = cart.split_off(0)
        cart.drop()
        assert in_use(shop) == 1
        assert part.dropped() == 1
        part.drop()
        assert in_use(shop) == 0
        stats = shop.stats().entries["shop:cart"]
        assert (stats.pool.made, stats.pool.idle, stats.calls, stats.errors) == (1, 1, 5, {})

    def test_a_handle_that_is_collected_is_dropped(self, shop: Any) -> None:
        cart: Any = shop.call("shop:cart")
        cart.split_off(0)
        assert cart.dropped() == 1  # before the next call of who has another one
        cart.drop()
        shop.call("shop:cart")
        gc.collect()
        eventually(lambda: in_use(shop) == 0)

    def test_a_call_that_fails_keeps_nothing(self, shop: Any) -> None:
        cart: Any = shop.call("shop:cart")
        with pytest.raises(polycall.TrapError) as caught:
            cart.fail()
        assert [str(frame) for frame in caught.value.frames] == ["shop:cart (wasm)"]
        with pytest.raises(polycall.ConversionError, match="gone: its instance ended with an error"):
            cart.total()
        assert in_use(shop) == 0
        assert shop.stats().entries["shop:cart"].errors == {"trap": 1}

    def test_a_wrong_argument_leaves_it_good(self, shop: Any) -> None:
        with shop.call("shop:cart") as cart, shop.call("shop:box") as box:
            for wrong in (-1, "x", None, cart):
                with pytest.raises(polycall.ConversionError):
                    cart.add("pear", wrong)
            for other in (box, 1, None):
                with pytest.raises(polycall.ConversionError, match=r"\$\.args\[1\]"):
                    cart.likes(other)
            assert cart.total() == 0

    def test_a_method_has_a_timeout_and_a_cancellation(self, shop: Any) -> None:
        cart: Any = shop.call("shop:cart")
        with pytest.raises(polycall.DeadlineError):
            cart.spin(timeout=0.05)
        cancellation = polycall.Cancellation()
        cancellation.cancel()
        with shop.call("shop:cart") as other, pytest.raises(polycall.CancelledError):
            other.total(cancellation=cancellation)

    def test_limits_of_the_entry_hold(self, shop: Any) -> None:
        cart: Any = shop.call("shop:limited")
        with pytest.raises(polycall.DeadlineError):
            cart.spin()

    def test_observers_hear_of_methods(self, tmp_path: Path) -> None:
        with load_shop(tmp_path / "observed", metrics=True) as shop:
            with shop.call("shop:cart") as cart:
                cart.total()
            latency = shop.stats().entries["shop:cart"].latency
            assert latency is not None
            assert latency.count == 3

    def test_a_destructor_that_fails_is_an_error_of_drop(self, shop: Any) -> None:
        cart: Any = shop.call("shop:cart")
        cart.add("pear", 666)
        with pytest.raises(polycall.TrapError):
            cart.drop()
        assert in_use(shop) == 0

    def test_closing_the_registry_ends_it(self, tmp_path: Path) -> None:
        with load_shop(tmp_path / "closed") as shop:
            cart: Any = shop.call("shop:cart")
        with pytest.raises(polycall.ConversionError, match="gone: its registry was closed"):
            cart.total()

    def test_one_thread_does_not_wait_for_itself(self, shop: Any) -> None:
        why = "resources that this thread has got"
        with shop.call("shop:one"), pytest.raises(polycall.PoolDeadlockError, match=why):
            shop.call("shop:one")
        with shop.call("shop:one") as cart:
            assert cart.total() == 0

    def test_other_threads_wait_for_it(self, shop: Any) -> None:
        got: list[object] = []
        cart: Any = shop.call("shop:one")

        def other() -> None:
            with shop.call("shop:one", timeout=30) as own:
                got.append(own.total())

        thread = threading.Thread(target=other)
        thread.start()
        eventually(lambda: shop.stats().entries["shop:one"].pool.waiting == 1)
        cart.drop()
        thread.join()
        assert got == [0]

    def test_a_reload_leaves_it_its_code(self, tmp_path: Path) -> None:
        with load_shop(tmp_path / "reloaded") as shop:
            cart: Any = shop.call("shop:cart")
            cart.add("pear", 3)
            index = tmp_path / "reloaded" / "_index.yaml"
            index.write_text(index.read_text().replace("[constructor]cart", "open-box"))
            assert "shop:cart" in shop.reload().changed
            assert cart.total() == 3
            cart.drop()

    def test_a_static_function_needs_no_resource(self, tmp_path: Path) -> None:
        with load_shop(tmp_path / "static", entry("gone", "[static]cart.dropped")) as shop:
            assert shop.call("shop:gone") == 0


class TestChains:
    def test_lua_calls_methods(self, shop: Any) -> None:
        assert shop.call("shop:several") == [7, 0, 7]

    def test_a_variable_to_be_closed_drops_it(self, shop: Any) -> None:
        assert shop.call("shop:closing") == 1

    def test_lua_drops_it(self, shop: Any) -> None:
        first, second, count, after = shop.call("shop:dropping")
        assert (first, count) == (True, 1)
        assert "it was dropped" in str(second)
        assert "it was dropped" in str(after)

    def test_it_is_one_object_that_shows_nothing(self, shop: Any) -> None:
        assert shop.call("shop:same") == [True, "<resource cart>", "table", 0, True, False]

    def test_a_method_that_is_not_there_is_named(self, shop: Any) -> None:
        assert 'a cart has no method "totals"; its methods are add' in str(shop.call("shop:wrong"))
        with pytest.raises(polycall.GuestError, match=r"write cart:total\(\.\.\.\), not cart\.total"):
            shop.call("shop:without_self")

    def test_it_has_no_text_form(self, shop: Any) -> None:
        assert "expected a plain value, got a resource" in str(shop.call("shop:texts"))

    def test_what_lua_gets_ends_with_the_chain(self, shop: Any) -> None:
        assert shop.call("shop:greedy", 5) == 5
        stats = shop.stats().entries["shop:cart"].pool
        assert (stats.in_use, stats.idle) == (0, 5)
        with shop.call("shop:cart") as cart:
            assert cart.dropped() == 1

    def test_what_a_chain_returns_lives_on(self, shop: Any) -> None:
        with shop.call("shop:fill", 4) as cart:
            assert cart.total() == 4
            assert shop.call("shop:total", cart) == 4
            assert shop.call("shop:hand_on", cart) is cart
            assert shop.call("shop:hand_on", [{"cart": cart}]) == [{"cart": cart}]
        assert in_use(shop) == 0

    def test_a_chain_does_not_wait_for_itself(self, shop: Any) -> None:
        with pytest.raises(polycall.PoolDeadlockError):
            shop.call("shop:one_twice")
        assert shop.call("shop:one_after") == 0
        assert in_use(shop, "one") == 0

    def test_python_functions_get_it_for_the_chain(self, shop: Any) -> None:
        kept: list[Any] = []

        def add(cart: Any) -> Any:
            kept.append(cart)
            cart.add("pear", 9)
            return {"total": cart.total(), "cart": cart}

        shop.function("shop:python")(add)

        def outer() -> Any:
            cart = shop.call("shop:cart")
            return shop.call("shop:python", cart)["total"]

        shop.function("shop:outer")(outer)
        assert shop.call("shop:outer") == 9
        with pytest.raises(polycall.ConversionError, match="the call that got it has ended"):
            kept[0].total()
        assert in_use(shop) == 0

    @pytest.mark.parametrize("worth", [666, 777], ids=["trap", "endless"])
    def test_a_destructor_that_fails_at_the_end_is_logged(
        self, shop: Any, worth: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        shop.function("shop:bad")(lambda: shop.call("shop:cart").add("pear", worth))
        assert shop.call("shop:bad", timeout=0.5 if worth == 777 else None) == worth
        assert "could not be dropped" in caplog.text
        stats = shop.stats().entries["shop:cart"].pool
        assert (stats.in_use, stats.idle, stats.discarded) == (0, 0, 1)

    def test_methods_are_hops_of_the_chain(self, shop: Any) -> None:
        def deep() -> Any:
            with shop.call("shop:cart") as cart:
                return cart.fail()

        shop.function("shop:deep")(deep)
        with pytest.raises(polycall.TrapError) as caught:
            shop.call("shop:deep")
        assert [str(frame) for frame in caught.value.frames] == ["shop:deep (python)", "shop:cart (wasm)"]


def test_a_worker_cannot_give_resources(tmp_path: Path) -> None:
    with load_shop(tmp_path / "isolated", entry("apart", "[constructor]cart", isolation="process")) as shop:
        with pytest.raises(polycall.PreparationError, match="cannot enter or leave the worker process"):
            shop.call("shop:apart")
        (finding,) = [each for each in shop.check() if "worker" in str(each)]
        assert "apart" in str(finding)


def test_a_worker_cannot_take_resources(tmp_path: Path) -> None:
    isolated = function("isolated", "return select('#', ...)", isolation="process")
    with load_shop(tmp_path / "isolated", isolated) as shop:
        assert shop.call("shop:isolated", 1, 2) == 2
        with shop.call("shop:cart") as cart, pytest.raises(polycall.ConversionError, match="got a resource"):
            shop.call("shop:isolated", cart)


def test_an_isolated_guest_hears_that_it_cannot_have_one(tmp_path: Path) -> None:
    isolated = function("isolated", "return tostring(select(2, funcs.call('shop:cart')))", isolation="process")
    with load_shop(tmp_path / "isolated", isolated) as shop:
        assert "expected a plain value, got a resource" in str(shop.call("shop:isolated"))
        assert in_use(shop) == 0
