"""``polycall shell``."""

from __future__ import annotations

import click

__all__ = ["shell"]


@click.command()
def shell() -> None:
    """Not yet."""
