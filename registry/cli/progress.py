"""A bar on stderr while something takes long; nothing where stderr is no terminal, or NO_COLOR is set."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from polycall.registry.cli.printable import encodable, one_line

__all__ = ["Shown", "progress", "rate"]


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Shows a bar, which is gone when the block ends.

    Args:
        total: How many things there are to do.

    Yields:
        What to call with the name of the thing that begins.
    """
    if not total or not _is_shown():
        yield lambda _name: None
        return
    from rich.console import Console  # noqa: PLC0415  # see registry.cli.output
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415  # as above

    text = TextColumn("{task.description}", markup=False)
    with Progress(BarColumn(), MofNCompleteColumn(), text, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        begun = 0

        def begin(name: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, description=encodable(one_line(name), sys.stderr))
            begun += 1

        yield begin


Shown = tuple[str, int, str] | None
"""What stands before the number of lines, the number, and what stands behind their rate; None for nothing any more."""


def rate() -> Callable[[Shown], None]:
    """Returns what shows how many lines are done, and how fast; nothing where the results are on the same terminal."""
    if not _is_shown() or sys.stdout.isatty():
        return lambda _shown: None
    started = time.monotonic()

    def show(shown: Shown) -> None:
        text = ""
        if shown is not None:
            before, lines, after = shown
            text = f"{before}{lines:,} lines  {lines / max(0.1, time.monotonic() - started):,.0f}/s{after}"
        # The cursor stays in front: what a guest prints meanwhile begins a line.
        columns = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{text[:columns]}\x1b[K\r")
        sys.stderr.flush()

    return show


def _is_shown() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
