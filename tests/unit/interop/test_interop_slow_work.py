"""Work that takes long is told of, once."""

from __future__ import annotations

import logging
import threading

import pytest

from polycall.interop import slow_work
from polycall.interop.slow_work import SLOW_LOG, told_if_slow


class Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.happened = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.happened.set()


def test_work_that_takes_long_is_told_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(slow_work, "SLOW_SECONDS", 0.01)
    told = Told()
    logging.getLogger(SLOW_LOG).addHandler(told)
    try:
        with caplog.at_level(logging.INFO, SLOW_LOG), told_if_slow("100 % is done"):
            assert told.happened.wait(60)
    finally:
        logging.getLogger(SLOW_LOG).removeHandler(told)
    assert told.messages == ["100 % is done"]


def test_work_that_is_done_soon_is_not(caplog: pytest.LogCaptureFixture) -> None:
    before = set(threading.enumerate())
    with caplog.at_level(logging.INFO, SLOW_LOG):
        with told_if_slow("it is done"):
            waiting = set(threading.enumerate()) - before
        for thread in waiting:
            thread.join(60)
    assert "it is done" not in caplog.messages


def test_work_that_fails_is_not(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, SLOW_LOG), pytest.raises(ValueError, match="it"), told_if_slow("it is done"):
        raise ValueError("it")
    assert "it is done" not in caplog.messages


def test_where_there_are_no_more_threads_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = False
    with told_if_slow("it is done"):
        done = True
    assert done
