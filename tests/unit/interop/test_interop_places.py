"""A call that waits gives its place to another."""

from __future__ import annotations

import pytest

from polycall.interop.places import PLACE, place_free


class Place:
    def __init__(self) -> None:
        self.taken = True

    def leave(self) -> None:
        assert self.taken
        self.taken = False

    def retake(self) -> None:
        assert not self.taken
        self.taken = True


def interrupt(place: Place) -> None:
    assert not place.taken
    raise KeyboardInterrupt


def test_where_calls_need_no_place_none_is_given_away() -> None:
    assert PLACE.get() is None
    with place_free():
        assert PLACE.get() is None


def test_the_place_is_free_inside_and_taken_again_whatever_happens() -> None:
    place = Place()
    token = PLACE.set(place)
    try:
        with place_free():
            assert not place.taken
        assert place.taken
        with pytest.raises(KeyboardInterrupt), place_free():
            interrupt(place)
        assert place.taken
    finally:
        PLACE.reset(token)
