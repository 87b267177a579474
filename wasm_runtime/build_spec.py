"""``build``: how the file of a ``function.wasm`` is made. Nothing here runs anything; `polycall build` does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from polycall.interop.fields import key
from polycall.interop.records import record

__all__ = ["BuildSpec"]


def _check_inside(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    inside = path.strip() and "\0" not in path and not path.startswith("/") and ".." not in parts
    return None if inside else "a path below, relative and without .."


@record
class BuildSpec:
    """How a binary is made from its sources."""

    command: str = key("What makes the file: a line, or several, for the shell.", non_empty=True)
    workdir: str = key(
        "The folder that it runs in, relative to that of the entry file.", default=".", check=_check_inside
    )
    watch: tuple[str, ...] = key(
        "Patterns of the files that it reads, relative to workdir; without any it runs each time.",
        default=(),
        element_check=_check_inside,
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """Yields a command that the system could not be given."""
        if "\0" in self.command:
            yield "command", "expected text without a NUL character"
