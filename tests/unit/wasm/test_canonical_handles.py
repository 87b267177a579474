"""Tables of handles: numbers, types, owning and lending (Canonical ABI, "Table State", "Resource State")."""

from __future__ import annotations

from typing import Any

import pytest

from polycall.interop.errors import ConversionError, LimitError, TrapError
from polycall.interop.resources import ResourceHandle, ResourceState
from polycall.wasm_runtime.canonical.handles import (
    MAX_HANDLES,
    Handle,
    HandleCount,
    HandleTable,
    ResourceType,
    Task,
    checked,
)


class Cart:
    """What a host gives to guests."""


GUESTS = ResourceType("cart", 0)
OTHERS = ResourceType("cart", 0)
HOSTS = ResourceType("cart", None, Cart)


@pytest.fixture(name="table")
def _table() -> HandleTable:
    return HandleTable(HandleCount())


def own(rep: object = 7, resource_type: ResourceType = GUESTS) -> Handle:
    return Handle(resource_type, rep)


def test_numbers_begin_at_1_and_the_one_that_was_freed_last_is_given_first(table: HandleTable) -> None:
    assert [table.add(own(rep)) for rep in range(4)] == [1, 2, 3, 4]
    for number in (2, 4, 1):
        table.take(number, GUESTS)
    assert [table.add(own()) for _ in range(4)] == [1, 4, 2, 5]


def test_a_number_belongs_to_one_handle_at_a_time(table: HandleTable) -> None:
    assert table.add(own(1)) == 1
    assert table.take(1, GUESTS).rep == 1
    assert table.add(own(2)) == 1
    assert table.get(1, GUESTS).rep == 2


@pytest.mark.parametrize("number", [0, 2, 3, 2**31, 2**32 - 1])
def test_numbers_that_are_none(table: HandleTable, number: int) -> None:
    table.add(own())
    for use in (table.get, table.take, table.lift_own, lambda at, of: table.lend(at, of, [])):
        with pytest.raises(TrapError, match=f"unknown handle index {number}$"):
            use(number, GUESTS)
    assert table.get(1, GUESTS).rep == 7


def test_a_handle_is_of_one_type_even_if_another_one_has_its_name(table: HandleTable) -> None:
    table.add(own())
    for use in (table.get, table.take, table.lift_own, lambda at, of: table.lend(at, of, [])):
        with pytest.raises(TrapError, match="handle index 1 used with the wrong type: expected cart, got cart"):
            use(1, OTHERS)
    assert table.get(1, GUESTS).lends == 0


def test_what_is_lent_cannot_be_given_away_until_it_is_given_back(table: HandleTable) -> None:
    table.add(own())
    lenders: list[Handle | ResourceState] = []
    first, second = (table.lend(1, GUESTS, lenders) for _ in range(2))
    assert isinstance(first, ResourceHandle)
    assert first is not second
    for use in (table.take, table.lift_own):
        for lender in lenders:
            with pytest.raises(TrapError, match="cannot remove owned resource while borrowed"):
                use(1, GUESTS)
            lender.lends -= 1
        for lender in lenders:
            lender.lends += 1
    for lender in lenders:
        lender.lends -= 1
    assert isinstance(table.lift_own(1, GUESTS), ResourceHandle)


def test_a_borrow_cannot_be_given_away(table: HandleTable) -> None:
    number = table.add(Handle(GUESTS, 7, Task()))
    with pytest.raises(TrapError, match="cannot lift own resource from a borrow"):
        table.lift_own(number, GUESTS)
    assert table.get(number, GUESTS).rep == 7
    assert isinstance(table.lend(number, GUESTS, []), ResourceHandle)


def test_a_hosts_resource_travels_itself(table: HandleTable) -> None:
    cart = Cart()
    assert table.lend(table.add(own(cart, HOSTS)), HOSTS, []) is cart
    assert table.lift_own(table.add(own(cart, HOSTS)), HOSTS) is cart


def test_handles_are_counted_over_all_tables_of_an_instance() -> None:
    count = HandleCount()
    one, two = HandleTable(count), HandleTable(count)
    for _ in range(MAX_HANDLES - 1):
        one.add(own())
    two.add(own())
    for table in (one, two):
        with pytest.raises(LimitError, match=f"the guest has {MAX_HANDLES} resource handles"):
            table.add(own())
    one.take(5, GUESTS)
    assert two.add(own()) == 2
    with pytest.raises(LimitError):
        one.add(own())


@pytest.mark.parametrize("value", [None, 7, "cart", object(), Cart, {"rep": 7}])
@pytest.mark.parametrize("resource_type", [GUESTS, HOSTS, ResourceType("cart", None)], ids=["guest", "host", "nobody"])
@pytest.mark.parametrize("is_own", [True, False])
def test_what_is_no_resource(value: object, resource_type: ResourceType, is_own: bool) -> None:
    with pytest.raises(ConversionError, match=f"expected {'own' if is_own else 'borrow'}<cart>"):
        checked(value, resource_type, own=is_own)


def test_resources_of_guests_and_of_hosts_are_told_apart(table: HandleTable) -> None:
    theirs: Any = table.lift_own(table.add(own()), GUESTS)
    checked(theirs, GUESTS, own=True)
    checked(Cart(), HOSTS, own=True)
    for value, resource_type in ((theirs, HOSTS), (Cart(), GUESTS)):
        with pytest.raises(ConversionError):
            checked(value, resource_type, own=True)
    with pytest.raises(ConversionError, match="of another instance") as caught:
        checked(theirs, OTHERS, own=False)
    assert caught.value.hint == "a resource can be used only with the instance that made it"


def test_what_was_lent_can_be_lent_but_not_given_away(table: HandleTable) -> None:
    lent = table.lend(table.add(own()), GUESTS, [])
    checked(lent, GUESTS, own=False)
    with pytest.raises(ConversionError, match="only lent"):
        checked(lent, GUESTS, own=True)
