"""Threads of which a test knows that they wait, and what becomes of their places."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from polycall.interop.waiting import PLACE

__all__ = ["once_it_waits", "taken_place", "until_it_waits"]


def _waits(thread: int | None) -> bool:
    """Whether a thread is where guests wait."""
    frame = sys._current_frames().get(thread or 0)
    while frame is not None:
        if frame.f_code.co_filename.replace(os.sep, "/").endswith("interop/waiting.py"):
            return True
        frame = frame.f_back
    return False


def until_it_waits(thread: int | None) -> None:
    """Returns as soon as a thread waits."""
    for _ in range(10_000):
        if _waits(thread):
            return
        threading.Event().wait(0.002)
    raise AssertionError("it does not wait")


def once_it_waits(thread: int | None, act: Callable[[], None]) -> threading.Thread:
    """Has something done as soon as a thread waits."""

    def watch() -> None:
        until_it_waits(thread)
        act()

    watching = threading.Thread(target=watch)
    watching.start()
    return watching


class _Place:
    def __init__(self, moves: list[str]) -> None:
        self._moves = moves

    def leave(self) -> None:
        self._moves.append("leave")

    def retake(self) -> None:
        self._moves.append("retake")


@contextmanager
def taken_place() -> Iterator[list[str]]:
    """Gives the call that is made here a place; yields what is done with it."""
    moves: list[str] = []
    token = PLACE.set(_Place(moves))
    try:
        yield moves
    finally:
        PLACE.reset(token)
