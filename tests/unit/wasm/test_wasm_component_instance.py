"""Instances of components: what guests and hosts see of each other's calls, values and resources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hosted import Hosted, link
from polycall.interop.errors import ConversionError, InternalError, PolycallError, TrapError
from polycall.wasm_runtime.component import allocations
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine


@pytest.fixture(scope="module", name="engine")
def _engine() -> WasmEngine:
    return WasmEngine()


class Cart:
    """A resource of the host's; it remembers what became of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.drops = 0

    def drop(self) -> None:
        self.drops += 1


# Calls --------------------------------------------------------------------------------------------------------------

MEMORY = """(core module $memory (memory (export "memory") 4) (global $free (mut i32) (i32.const 4096))
    (func (export "asked") (result i32) (i32.load (i32.const 1024)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      ;; a diary: how many calls, then what each was asked for
      (i32.store (i32.add (i32.const 1028) (i32.mul (i32.load (i32.const 1024)) (i32.const 12))) (local.get 2))
      (i32.store (i32.add (i32.const 1032) (i32.mul (i32.load (i32.const 1024)) (i32.const 12))) (local.get 3))
      (i32.store (i32.add (i32.const 1036) (i32.mul (i32.load (i32.const 1024)) (i32.const 12))) (local.get $at))
      (i32.store (i32.const 1024) (i32.add (i32.load (i32.const 1024)) (i32.const 1)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))"""
OPTIONS = '(memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))'

ECHO = f"""(component {MEMORY}
  (core module $m (import "memory" "memory" (memory 1)) (global $posted (mut i32) (i32.const 0))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (i32.const 8))
    (func (export "post") (param i32) (global.set $posted (i32.add (global.get $posted) (local.get 0)))
      (i32.store (i32.const 8) (i32.const -1)))
    (func (export "posted") (result i32) (global.get $posted))
    (func (export "diary") (result i32) (i32.store (i32.const 8) (i32.const 1028))
      (i32.store (i32.const 12) (i32.load (i32.const 1024))) (i32.const 8)))
  (core instance $i (instantiate $m (with "memory" (instance $memory))))
  (func (export "echo") (param "v" TYPE) (result TYPE) (canon lift (core func $i "echo") {OPTIONS}
    (post-return (core func $i "post"))))
  (func (export "posted") (result u32) (canon lift (core func $i "posted")))
  (func (export "diary") (result (list (tuple u32 u32 u32))) (canon lift (core func $i "diary") {OPTIONS})))"""


def echo(engine: WasmEngine, wit_type: str) -> Hosted:
    return Hosted(link(engine, ECHO.replace("TYPE", wit_type)))


def test_post_return_is_called_with_what_the_function_gave_once_the_result_was_read(engine: WasmEngine) -> None:
    instance = echo(engine, "string")
    for times in range(1, 4):
        assert instance.call("echo", "hello") == "hello"
        assert instance.call("posted") == 8 * times


def test_arguments_that_do_not_fit_leave_nothing_behind(engine: WasmEngine) -> None:
    instance = echo(engine, "(list string)")
    for wrong in (["a", "b", 3], "a", None, ["a", "\ud800"], [["a"]]):
        with pytest.raises(ConversionError):
            instance.call("echo", wrong)
        assert not instance.guest.entered
    assert instance.call("diary") == []
    assert instance.call("echo", ["a", "bc"]) == ["a", "bc"]
    assert [size for _, size, _ in instance.call("diary")] == [16, 1, 2]


@pytest.mark.parametrize("count", [allocations.FEWEST - 2, allocations.FEWEST, 31, 32, 33, 64, 100])
def test_an_allocator_is_asked_the_same_whether_one_by_one_or_in_a_row(
    engine: WasmEngine, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = ["x" * (each % 7) for each in range(count - 1)]
    in_a_row = echo(engine, "(list string)")
    assert in_a_row.call("echo", values) == values
    assert in_a_row.call("echo", values[::-1]) == values[::-1]
    monkeypatch.setattr("polycall.wasm_runtime.component.calls.FEWEST", 10**9)
    one_by_one = echo(engine, "(list string)")
    assert one_by_one.call("echo", values) == values
    assert one_by_one.call("echo", values[::-1]) == values[::-1]
    diary = in_a_row.call("diary")
    assert diary == one_by_one.call("diary")
    assert [(boundary, size) for boundary, size, _ in diary[:count]] == [
        (4, 8 * len(values)),
        *((1, len(value)) for value in values),
    ]


def test_many_pieces_take_few_calls_into_the_engine(engine: WasmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    instance = echo(engine, "(list string)")
    instance.call("echo", ["a"] * 99)
    honest = allocations.run_batch

    def counted(call: Any, wanted: Any) -> list[int]:
        def noted() -> None:
            calls.append(call)
            call.run()

        return honest(SimpleNamespace(run=noted, raw=call.raw), wanted)  # type: ignore[arg-type]  # all it uses

    monkeypatch.setattr("polycall.wasm_runtime.component.calls.run_batch", counted)
    assert instance.call("echo", ["a"] * 99) == ["a"] * 99
    assert len(calls) == 4


MANY = " ".join(f'(param "p{each}" u32)' for each in range(17))
SEVENTEEN = f"""(component (import "sum" (func $sum {MANY} (result (tuple u32 u64))))
  {MEMORY}
  (core func $sum (canon lower (func $sum) {OPTIONS}))
  (core module $m (import "memory" "memory" (memory 1)) (import "" "sum" (func $sum (param i32 i32)))
    (func (export "f") (param i32) (result i32) (call $sum (local.get 0) (i32.const 16)) (i32.const 16)))
  (core instance $i (instantiate $m (with "memory" (instance $memory)) (with "" (instance (export "sum" (func $sum))))))
  (func (export "f") {MANY} (result (tuple u32 u64)) (canon lift (core func $i "f") {OPTIONS})))"""


def test_more_than_sixteen_parameters_go_through_memory_both_ways(engine: WasmEngine) -> None:
    instance = Hosted(link(engine, SEVENTEEN, {"sum": lambda *values: [len(values), sum(values)]}))
    assert instance.call("f", *range(17)) == [17, 136]
    with pytest.raises(ConversionError):
        instance.call("f", *range(16))


# Hosts --------------------------------------------------------------------------------------------------------------

CALLER = """(component (import "next" (func $next (param "v" u32) (result u32)))
  (core func $next (canon lower (func $next)))
  (core module $m (import "" "next" (func $next (param i32) (result i32)))
    (func (export "f") (param i32) (result i32) (i32.add (call $next (local.get 0)) (i32.const 1))))
  (core instance $i (instantiate $m (with "" (instance (export "next" (func $next))))))
  (func (export "f") (param "v" u32) (result u32) (canon lift (core func $i "f"))))"""


def test_what_a_host_function_gives_is_checked(engine: WasmEngine) -> None:
    assert Hosted(link(engine, CALLER, {"next": lambda value: value * 2})).call("f", 20) == 41
    for wrong in (-1, 2**32, "4", None, 1.5, True):
        with pytest.raises(ConversionError):
            Hosted(link(engine, CALLER, {"next": lambda _value, wrong=wrong: wrong})).call("f", 20)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("x"), InternalError),
        (TrapError("no"), TrapError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (SystemExit(), SystemExit),
    ],
)
def test_what_a_host_function_raises_arrives_at_the_caller_of_its_own_instance(
    engine: WasmEngine, error: BaseException, expected: type[BaseException]
) -> None:
    def fail(_value: int) -> int:
        assert well.call("f", 1) == 3  # another instance runs in between, and knows nothing of it
        raise error

    well = Hosted(link(engine, CALLER, {"next": lambda value: value + 1}))
    with pytest.raises(expected):
        Hosted(link(engine, CALLER, {"next": fail})).call("f", 20)
    assert well.call("f", 1) == 3


def test_nothing_enters_an_instance_again_that_has_failed(engine: WasmEngine) -> None:
    answers = iter([1])
    instance = Hosted(link(engine, CALLER, {"next": lambda _value: next(answers)}))
    assert instance.call("f", 20) == 2
    with pytest.raises(InternalError):
        instance.call("f", 20)
    with pytest.raises(TrapError, match="cannot enter component instance"):
        instance.call("f", 20)


# Tasks --------------------------------------------------------------------------------------------------------------

TASKS = f"""(component {MEMORY}
  (core func $set (canon context.set i32 0)) (core func $get (canon context.get i32 0))
  (core func $yield (canon thread.yield)) (core func $cancel (canon task.cancel))
  (core module $m (import "memory" "memory" (memory 1))
    (import "" "set" (func $set (param i32))) (import "" "get" (func $get (result i32)))
    (import "" "yield" (func $yield (result i32))) (import "" "cancel" (func $cancel))
    (global $seen (mut i32) (i32.const 0)) (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $seen (i32.add (global.get $seen) (call $get))) (call $set (i32.const 7))
      (global.set $free (i32.add (global.get $free) (i32.const 64))) (global.get $free))
    (func (export "f") (param i32 i32) (result i32)
      (if (call $get) (then unreachable))
      (call $set (local.get 1))
      (i32.add (call $get) (i32.mul (i32.const 1000) (global.get $seen))))
    (func (export "g") (param i32) (result i32)
      (if (i32.eq (local.get 0) (i32.const 1)) (then (drop (call $yield))))
      (if (i32.eq (local.get 0) (i32.const 2)) (then (call $cancel)))
      (i32.const 5)))
  (core instance $i (instantiate $m (with "memory" (instance $memory)) (with "" (instance
    (export "set" (func $set)) (export "get" (func $get))
    (export "yield" (func $yield)) (export "cancel" (func $cancel))))))
  (func (export "f") (param "v" (list string)) (result u32) (canon lift (core func $i "f")
    (memory (core memory $memory "memory")) (realloc (core func $i "realloc"))))
  (func (export "g") (param "v" u32) (result u32) (canon lift (core func $i "g"))))"""


def test_each_call_and_each_call_of_the_allocator_has_slots_of_its_own(engine: WasmEngine) -> None:
    instance = Hosted(link(engine, TASKS))
    for _ in range(2):
        assert instance.call("f", ["a", "b"]) == 2
    assert instance.call("f", ["a"] * 50) == 50  # one by one, for they could see each other's


@pytest.mark.parametrize(("number", "name"), [(1, "thread.yield"), (2, "task.cancel")])
def test_an_asynchronous_builtin_traps_by_its_name_when_it_is_called(
    engine: WasmEngine, number: int, name: str
) -> None:
    assert Hosted(link(engine, TASKS)).call("g", 0) == 5
    with pytest.raises(TrapError, match=f"the guest called {name}, which belongs to WASI 0.3"):
        Hosted(link(engine, TASKS)).call("g", number)


# Resources of hosts -------------------------------------------------------------------------------------------------

CARTS = """(component
  (import "carts" (instance $carts (export "cart" (type $cart (sub resource)))
    (export "make" (func (result (own $cart)))) (export "look" (func (param "c" (borrow $cart)) (result u32)))
    (export "take" (func (param "c" (own $cart))))))
  (alias export $carts "cart" (type $cart))
  (core func $make (canon lower (func $carts "make"))) (core func $look (canon lower (func $carts "look")))
  (core func $take (canon lower (func $carts "take"))) (core func $drop (canon resource.drop $cart))
  (core module $m (import "" "make" (func $make (result i32))) (import "" "look" (func $look (param i32) (result i32)))
    (import "" "take" (func $take (param i32))) (import "" "drop" (func $drop (param i32)))
    (func (export "number") (result i32) (call $make))
    (func (export "look-twice") (result i32) (local $c i32) (local.set $c (call $make))
      (i32.add (call $look (local.get $c)) (call $look (local.get $c))) (call $drop (local.get $c)))
    (func (export "give") (call $take (call $make)))
    (func (export "keep-borrow") (param i32) (result i32) (call $look (local.get 0)))
    (func (export "drop-borrow") (param i32) (result i32)
      (call $look (local.get 0)) (call $drop (local.get 0)))
    (func (export "give-borrow") (param i32) (result i32) (call $take (local.get 0)) (i32.const 0))
    (func (export "pass") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m (with "" (instance (export "make" (func $make)) (export "look" (func $look))
    (export "take" (func $take)) (export "drop" (func $drop))))))
  (export $shown "cart" (type $cart))
  (func (export "number") (result u32) (canon lift (core func $i "number")))
  (func (export "look-twice") (result u32) (canon lift (core func $i "look-twice")))
  (func (export "give") (canon lift (core func $i "give")))
  (func (export "keep-borrow") (param "c" (borrow $shown)) (result u32) (canon lift (core func $i "keep-borrow")))
  (func (export "drop-borrow") (param "c" (borrow $shown)) (result u32) (canon lift (core func $i "drop-borrow")))
  (func (export "give-borrow") (param "c" (borrow $shown)) (result u32) (canon lift (core func $i "give-borrow")))
  (func (export "pass") (param "c" (own $shown)) (result (own $shown)) (canon lift (core func $i "pass"))))"""


class Carts:
    """The host of `CARTS`."""

    def __init__(self, engine: WasmEngine) -> None:
        self.made: list[Cart] = []
        self.taken: list[Cart] = []
        functions: dict[str, Callable[..., Any]] = {
            "make": self._make,
            "look": lambda cart: len(cart.name),
            "take": self.taken.append,
        }
        self.instance = Hosted(link(engine, CARTS, functions, {"cart": Cart}))
        self.call = self.instance.call

    def _make(self) -> Cart:
        self.made.append(Cart("cart"))
        return self.made[-1]


@pytest.fixture(name="carts")
def _carts(engine: WasmEngine) -> Iterator[Carts]:
    carts = Carts(engine)
    yield carts
    carts.instance.close()


def test_a_hosts_resource_is_the_object_itself_and_is_told_when_its_last_owner_is_gone(carts: Carts) -> None:
    assert carts.call("look-twice") == 8
    assert [cart.drops for cart in carts.made] == [1]
    carts.call("give")
    assert carts.taken == [carts.made[1]]
    assert carts.made[1].drops == 0


def test_a_guest_knows_a_hosts_resource_by_a_number(carts: Carts) -> None:
    assert [carts.call("number") for _ in range(3)] == [1, 2, 3]


def test_a_hosts_resource_comes_back_from_a_guest_as_it_went_in(carts: Carts) -> None:
    cart = Cart("mine")
    assert carts.call("pass", cart) is cart
    assert cart.drops == 0
    for wrong in ("mine", None, object(), 1):
        with pytest.raises(ConversionError, match=r"expected own<cart>"):
            Carts(carts.instance.guest.store._engine).call("pass", wrong)


def test_a_borrow_must_be_dropped_before_the_call_ends_and_dropping_it_ends_nothing(carts: Carts) -> None:
    cart = Cart("mine")
    assert carts.call("drop-borrow", cart) == 4
    assert carts.call("drop-borrow", cart) == 4
    assert cart.drops == 0
    with pytest.raises(TrapError, match="borrow handles still remain at the end of the call"):
        carts.call("keep-borrow", cart)


def test_a_borrow_cannot_be_given_away(carts: Carts) -> None:
    with pytest.raises(TrapError, match="cannot lift own resource from a borrow"):
        carts.call("give-borrow", Cart("mine"))


def test_what_a_host_function_gives_for_a_resource_is_of_its_class(engine: WasmEngine) -> None:
    instance = Hosted(link(engine, CARTS, {"make": lambda: "no cart"}, {"cart": Cart}))
    with pytest.raises(ConversionError, match="expected own<cart>"):
        instance.call("number")


# Resources of guests ------------------------------------------------------------------------------------------------

SHOP = """(component
  (component $maker
    (core module $d (global $dropped (mut i32) (i32.const 0))
      (func (export "dropped") (result i32) (global.get $dropped))
      (func (export "dtor") (param i32) (global.set $dropped (i32.add
        (i32.mul (global.get $dropped) (i32.const 10)) (local.get 0)))))
    (core instance $d (instantiate $d))
    (type $r' (resource (rep i32) (dtor (core func $d "dtor")))) (export $r "cart" (type $r'))
    (core func $new (canon resource.new $r')) (core func $rep (canon resource.rep $r'))
    (core func $drop (canon resource.drop $r'))
    (core module $m (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
      (import "" "rep" (func $rep (param i32) (result i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
      (func (export "look") (param i32) (result i32) (local.get 0))
      (func (export "take") (param i32) (result i32) (call $rep (local.get 0)) (call $drop (local.get 0))))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "rep" (func $rep))
      (export "drop" (func $drop))))))
    (func (export "make") (param "v" u32) (result (own $r)) (canon lift (core func $i "make")))
    (func (export "look") (param "c" (borrow $r)) (result u32) (canon lift (core func $i "look")))
    (func (export "take") (param "c" (own $r)) (result u32) (canon lift (core func $i "take")))
    (func (export "dropped") (result u32) (canon lift (core func $d "dropped"))))
  (component $user
    (import "cart" (type $r (sub resource)))
    (import "make" (func $make (param "v" u32) (result (own $r))))
    (import "look" (func $look (param "c" (borrow $r)) (result u32)))
    (import "take" (func $take (param "c" (own $r)) (result u32)))
    (core func $make (canon lower (func $make))) (core func $look (canon lower (func $look)))
    (core func $take (canon lower (func $take))) (core func $drop (canon resource.drop $r))
    (core module $m (import "" "make" (func $make (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
      (import "" "look" (func $look (param i32) (result i32))) (import "" "take" (func $take (param i32) (result i32)))
      (func (export "use") (param i32) (result i32) (local $a i32) (local $b i32)
        (local.set $a (call $make (local.get 0)))
        (local.set $b (call $make (i32.add (local.get 0) (i32.const 1))))
        (i32.add (i32.mul (call $look (local.get $b)) (i32.const 10)) (call $take (local.get $a)))
        (call $drop (local.get $b)))
      (func (export "lend") (param i32) (result i32) (call $look (local.get 0)) (call $drop (local.get 0)))
      (func (export "keep") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m (with "" (instance (export "make" (func $make)) (export "look" (func $look))
      (export "take" (func $take)) (export "drop" (func $drop))))))
    (export $shown "shown" (type $r))
    (func (export "use") (param "v" u32) (result u32) (canon lift (core func $i "use")))
    (func (export "lend") (param "c" (borrow $shown)) (result u32) (canon lift (core func $i "lend")))
    (func (export "keep") (param "c" (own $shown)) (result u32) (canon lift (core func $i "keep"))))
  (instance $maker (instantiate $maker))
  (instance $user (instantiate $user (with "cart" (type $maker "cart")) (with "make" (func $maker "make"))
    (with "look" (func $maker "look")) (with "take" (func $maker "take"))))
  (export "maker" (instance $maker)) (export "user" (instance $user)))"""


@pytest.fixture(name="shop")
def _shop(engine: WasmEngine) -> Iterator[Hosted]:
    shop = Hosted(link(engine, SHOP))
    yield shop
    shop.close()


def test_a_resource_goes_from_one_part_of_a_composition_to_another(shop: Hosted) -> None:
    assert shop.call("user#use", 4) == 54
    assert shop.call("maker#dropped") == 45  # the one that was given away first, then the other
    assert shop.call("user#use", 4) == 54


def test_a_guests_resource_is_opaque_outside_and_its_destructor_runs_once(shop: Hosted) -> None:
    resource = shop.call("maker#make", 6)
    assert repr(resource) == "<resource cart>"
    assert shop.call("maker#look", resource) == 6
    assert shop.call("user#lend", resource) == 6
    assert shop.call("maker#dropped") == 0
    assert shop.call("maker#take", resource) == 6
    assert shop.call("maker#dropped") == 6
    with pytest.raises(ConversionError, match="gone"):
        shop.call("maker#look", resource)


def test_numbers_are_of_a_table_for_each_component_instance(shop: Hosted) -> None:
    first, second = (shop.call("maker#make", number) for number in (6, 7))
    assert shop.call("user#keep", first) == 1
    assert shop.call("user#keep", second) == 2
    assert shop.call("maker#dropped") == 0


def test_resource_types_are_others_in_each_instance(engine: WasmEngine) -> None:
    linked = link(engine, SHOP)
    one, two = Hosted(linked), Hosted(linked)
    theirs = one.call("maker#make", 6)
    two.call("maker#make", 7)
    with pytest.raises(ConversionError, match="of another instance"):
        two.call("maker#look", theirs)
    assert one.call("maker#take", theirs) == 6
    one.close()
    two.close()


# The end ------------------------------------------------------------------------------------------------------------


def test_closing_is_final_and_harmless_when_repeated(engine: WasmEngine) -> None:
    instance = echo(engine, "string")
    assert instance.call("echo", "abc") == "abc"
    for _ in range(2):
        instance.close()


def test_a_start_function_that_fails_leaves_no_instance(engine: WasmEngine) -> None:
    text = """(component (import "go" (func $go)) (core func $go (canon lower (func $go)))
      (core module $m (import "" "go" (func $go)) (func $start (call $go)) (start $start))
      (core instance (instantiate $m (with "" (instance (export "go" (func $go)))))))"""
    seen: list[int] = []
    Hosted(link(engine, text, {"go": lambda: seen.append(1)}))
    assert seen == [1]

    def fail() -> None:
        raise TrapError("not today")

    with pytest.raises(PolycallError, match="not today"):
        Hosted(link(engine, text, {"go": fail}))


def test_a_closed_instance_answers_with_an_error(engine: WasmEngine) -> None:
    shop = Hosted(link(engine, SHOP))
    resource = shop.call("maker#make", 6)
    assert shop.call("maker#look", resource) == 6
    shop.guest.close()
    for name, *values in (("maker#make", 7), ("maker#dropped",), ("user#use", 4)):
        with pytest.raises(InternalError, match="an instance that is closed was called"):
            shop.call(str(name), *values)
    with pytest.raises(TrapError, match="cannot enter component instance"):
        shop.drop(resource)
    shop.close()


def test_what_an_instance_has_used_the_next_one_uses_again(engine: WasmEngine) -> None:
    linked = link(engine, SHOP)
    for _ in range(3):
        together = [Hosted(linked) for _ in range(3)]
        for number, shop in enumerate(together):
            assert shop.call("user#use", number) == 11 * number + 10
        for number, shop in enumerate(together):
            assert shop.call("maker#dropped") == 11 * number + 1
            shop.close()
