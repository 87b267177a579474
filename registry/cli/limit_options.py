"""Limits of one call on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.types import IntParamType

__all__ = ["limit_options", "limits_of"]

F = TypeVar("F", bound=Callable[..., Any])

_SIZE = r"([0-9]{1,15})([KMGT]?)(?:i?B)?"
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class _Bytes(IntParamType):
    """A number of bytes: ``1048576``, ``1024K``, ``1M``, ``1MiB``."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Reads the number."""
        found = re.fullmatch(_SIZE, str(value), re.IGNORECASE)
        size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
        if not size:
            self.fail(f"{value!r} is no number of bytes: write 64M, or 67108864", param, ctx)
        return size


_SIZES = _Bytes()
_OPTIONS = (
    click.option("--max-memory", type=_SIZES, metavar="BYTES", help="Give the guest no more memory: 64M, or in bytes."),
    click.option("--max-output", type=_SIZES, metavar="BYTES", help="Let it print and log no more than that."),
)


def limit_options(command: F) -> F:
    """Gives a command the options ``--max-memory`` and ``--max-output``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def limits_of(max_memory: int | None, max_output: int | None) -> dict[str, int] | None:
    """Returns what the options say, as `polycall.Registry.call` takes it."""
    said = {"max_memory_bytes": max_memory, "max_output_bytes": max_output}
    return {key: value for key, value in said.items() if value is not None} or None
