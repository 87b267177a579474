"""HTTP requests of many guests at once, to a server that does everything wrong: no answer of one reaches another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from http_storm import Storm, coroutines, descriptors


def test_no_wrong_answer_in_a_wrong_call_and_nothing_left_open() -> None:
    Storm(50).run()
    before = descriptors()
    storm = Storm(400, seed=2)
    storm.run()
    assert storm.wrong == []
    assert sum(storm.counts.values()) == 400
    assert until(lambda: coroutines() == 0)
    assert until(lambda: descriptors() <= before)


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not condition():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.01)
    return True
