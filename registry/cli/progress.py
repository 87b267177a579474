"""A bar on stderr while something takes long; nothing where stderr is no terminal, or NO_COLOR is set."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from polycall.registry.cli.printable import encodable, one_line

__all__ = ["progress"]


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Shows a bar, which is gone when the block ends.

    Args:
        total: How many things there are to do.

    Yields:
        What to call with the name of the thing that begins.
    """
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
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
