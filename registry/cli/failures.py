"""How an error looks to a person at a terminal."""

from __future__ import annotations

import click

from interop.errors import PolycallError

__all__ = ["show_error"]


def show_error(error: PolycallError) -> None:
    """Writes an error to stderr: the message and, where there is one, what would mend it and the guest's traceback."""
    hint, error.hint = error.hint, None
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error.text()}", err=True)
    if hint:
        click.echo(f"{click.style('hint:', fg='cyan')} {hint}", err=True)
    if error.guest_traceback:
        lines = error.guest_traceback.rstrip().splitlines()
        click.echo("\n".join(["guest traceback:", *(f"  {line}" for line in lines)]), err=True)
