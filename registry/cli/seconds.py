"""A number of seconds on the command line."""

from __future__ import annotations

import math
import threading
from typing import Any

import click
from click.types import FloatParamType

__all__ = ["SECONDS"]


class _Seconds(FloatParamType):
    """Seconds that can be waited for: finite, and no more than a lock can wait."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads the number."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds <= threading.TIMEOUT_MAX:
            self.fail(f"{str(value)!r} is no number of seconds: write 2, or 0.5", param, ctx)
        return seconds


SECONDS = _Seconds()
"""The type of options such as ``--timeout``."""
