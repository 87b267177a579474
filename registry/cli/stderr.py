"""What goes to stderr: beside the point if nobody reads it, so that it fails nothing, a guest's call least of all."""

from __future__ import annotations

import os
import sys

import click

__all__ = ["say"]


def say(text: str, *, nl: bool = True) -> None:
    """Writes to stderr; where that cannot be written (a pipe without a reader, a full disk), the text is lost."""
    try:
        click.echo(text, err=True, nl=nl)
    except OSError:
        # What Python has kept of the text it would complain of once more at its exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)
