"""Work that may take long: whoever listens is told once it does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from polycall.interop.logs import logger

__all__ = ["SLOW_LOG", "told_if_slow"]

SLOW_LOG = "polycall.slow"
"""The logger that is told, by messages of level INFO: a program sees none of them unless it asks for them."""

SLOW_SECONDS = 1.0


@contextmanager
def told_if_slow(what: str) -> Iterator[None]:
    """Tells the log what is going on, if the block is not done within a second.

    Args:
        what: A sentence without its end.
    """
    timer = threading.Timer(SLOW_SECONDS, lambda: logger(SLOW_LOG).info("%s", what))
    timer.daemon = True
    with suppress(RuntimeError):  # no more threads: the work itself needs none
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
