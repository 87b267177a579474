"""A number of seconds on the command line."""

from __future__ import annotations

import math
import threading
from typing import Any

import click

__all__ = ["SECONDS"]


class _Seconds(click.FloatRange):
    """Seconds that can be waited for: finite, and no more than a lock can wait."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads the number."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if math.isnan(seconds):  # it is in every range, for it compares with nothing
            self.fail(f"{value!r} is no number of seconds: write 2, or 0.5", param, ctx)
        return float(super().convert(seconds, param, ctx))


SECONDS = _Seconds(0, threading.TIMEOUT_MAX)
"""The type of options such as ``--timeout``."""
