"""A named tuple of ours is what one of `typing` is."""

from __future__ import annotations

import copy
import pickle
import sys
import types
import typing
from typing import Any, Generic, TypeVar

import pytest

from polycall.interop.named_tuples import NamedTuple

T = TypeVar("T")


class Point(NamedTuple):
    """Where something is."""

    x: int
    y: int = 2
    names: tuple[str, ...] = ()

    @property
    def far(self) -> bool:
        return self.x > 10


class Plain(typing.NamedTuple):
    """Where something is."""

    x: int
    y: int = 2
    names: tuple[str, ...] = ()

    @property
    def far(self) -> bool:
        return self.x > 10


class Shown(Point):
    def __str__(self) -> str:
        return f"at {self.x}"


class Pair(NamedTuple, Generic[T]):
    one: T
    other: T


ways = pytest.mark.parametrize("made", [Point, Plain])


@ways
def test_values_are_taken_by_place_and_by_name(made: Any) -> None:
    assert made(1) == made(x=1) == (1, 2, ())
    assert made(1, 3, names=("a",)) == made(names=("a",), y=3, x=1) == (1, 3, ("a",))
    one = made(11, 3)
    assert (one.x, one.y, one.names, one.far) == (11, 3, (), True)
    assert hash(one) == hash((11, 3, ()))


@ways
@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((1,), {"x": 1}), ((1, 2, (), 4), {}), ((1,), {"z": 1})], ids=str
)
def test_what_does_not_fit_is_a_type_error(made: Any, values: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        made(*values, **named)


@ways
def test_nothing_of_it_can_be_changed(made: Any) -> None:
    one = made(1)
    for name in ("x", "other"):
        with pytest.raises(AttributeError):
            setattr(one, name, 5)
    assert not hasattr(one, "__dict__")


@ways
def test_it_is_told_and_taken_apart_like_the_one_of_typing(made: Any) -> None:
    one = made(1)
    assert repr(one) == f"{made.__name__}(x=1, y=2, names=())"
    assert (made.__name__, made.__doc__, made._fields) == (made.__name__, "Where something is.", ("x", "y", "names"))
    assert made._field_defaults == {"y": 2, "names": ()}
    assert one._asdict() == {"x": 1, "y": 2, "names": ()}
    assert one._replace(y=5) == made._make([1, 5, ()]) == (1, 5, ())
    assert typing.get_type_hints(made) == {"x": int, "y": int, "names": tuple[str, ...]}
    with pytest.raises((TypeError, ValueError)):  # which of them it is depends on Python
        one._replace(z=1)
    match one:
        case made(x, y):
            assert (x, y) == (1, 2)


@ways
def test_copies_and_pickles_are_equal(made: Any) -> None:
    one = made(1, names=("a",))
    for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert type(again) is made
        assert again == one


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace is of Python 3.13")
@ways
def test_a_copy_may_differ(made: Any) -> None:
    assert vars(copy)["replace"](made(1), y=5) == (1, 5, ())


def test_classes_below_it_and_generic_ones_are_ordinary() -> None:
    one = Shown(1)
    assert (str(one), one, type(one._replace(x=4))) == ("at 1", (1, 2, ()), Shown)
    assert Pair[int](1, 2).other == 2


def test_more_fields_than_there_is_room_for_are_refused_where_they_are_declared() -> None:
    base: Any = NamedTuple
    with pytest.raises(TypeError, match="more than 16 fields"):
        types.new_class(
            "Wide",
            (base,),
            exec_body=lambda body: body.update(__annotations__=dict.fromkeys("abcdefghijklmnopq", "int")),
        )
