"""A record is what a frozen dataclass with slots is."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from polycall.interop.records import record


@record
class Point:
    x: int
    y: int = 2
    names: list[str] = dataclasses.field(default_factory=list, metadata={"about": "names"})


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    x: int
    y: int = 2
    names: list[str] = dataclasses.field(default_factory=list, metadata={"about": "names"})


@record
class Named(Point):
    name: str = "here"

    def __repr__(self) -> str:
        return self.name


@record
class Nothing:
    """No fields."""


ways = pytest.mark.parametrize("made", [Point, Plain])


@ways
def test_values_are_taken_by_place_and_by_name(made: Any) -> None:
    assert [getattr(made(1), name) for name in ("x", "y", "names")] == [1, 2, []]
    assert made(1, 3, names=["a"]) == made(names=["a"], y=3, x=1)
    assert made(1).names is not made(1).names


@ways
@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((1,), {"x": 1}), ((1, 2, [], 4), {}), ((1,), {"z": 1})], ids=str
)
def test_what_does_not_fit_is_a_type_error(made: Any, values: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        made(*values, **named)


@ways
def test_equal_are_those_of_one_class_with_the_same_values(made: Any) -> None:
    assert made(1) == made(1, 2)
    assert made(1) != made(2)
    assert made(1) != (1, 2, [])
    assert hash(made(1, 2, ())) == hash(made(1, 2, ()))
    with pytest.raises(TypeError, match="unhashable"):
        hash(made(1))


@ways
def test_nothing_of_it_can_change(made: Any) -> None:
    point = made(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):  # of Python 3.11: TypeError
        point.z = 1
    assert not hasattr(point, "__dict__")
    assert point.x == 1


@ways
def test_copies_and_pickles_are_equal(made: Any) -> None:
    for copied in (copy.copy(made(1)), copy.deepcopy(made(1)), pickle.loads(pickle.dumps(made(1)))):
        assert copied == made(1)


@ways
def test_the_functions_of_dataclasses_know_it(made: Any) -> None:
    assert [field.name for field in dataclasses.fields(made)] == ["x", "y", "names"]
    assert dataclasses.replace(made(1), y=5) == made(1, 5)
    assert dataclasses.asdict(made(1)) == {"x": 1, "y": 2, "names": []}
    assert repr(made(1)) == f"{made.__name__}(x=1, y=2, names=[])"


def test_one_field_or_none_is_enough() -> None:
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(())
    assert repr(Nothing()) == "Nothing()"


def test_what_inherits_has_the_fields_of_both_and_its_own_methods() -> None:
    named = Named(1, name="there")
    assert (named.x, named.name, repr(named)) == (1, "there", "there")
    assert named != Point(1)
    assert Point(1) != named
