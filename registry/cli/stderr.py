"""What goes to stderr: beside the point if nobody reads it, so that it fails nothing, a guest's call least of all."""

from __future__ import annotations

import os
import sys

from polycall.registry.cli.printable import encodable

__all__ = ["say"]

_RESET = "\x1b[0m"


def say(text: str, *, label: tuple[str, str] | None = None) -> None:
    """Writes to stderr; where that cannot be written (a pipe without a reader, a full disk), the text is lost.

    Args:
        text: One line or more, as `polycall.registry.cli.printable` returns them.
        label: What stands before it, and the escape sequence that colours it on a terminal.
    """
    if sys.stderr is None:
        return
    try:
        print(_labelled(label) + encodable(text, sys.stderr), file=sys.stderr, flush=True)
    except OSError:
        # What Python has kept of the text it would complain of once more at its exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


def _labelled(label: tuple[str, str] | None) -> str:
    if label is None:
        return ""
    word, colour = label
    return f"{colour}{word}{_RESET} " if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else f"{word} "
