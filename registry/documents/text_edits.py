"""Edits of a text, and a file replaced in one step."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from polycall.interop.errors import PreparationError

__all__ = ["Edit", "apply_edits", "line_break_at", "replace_file"]


class Edit(NamedTuple):
    """What to put in the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str | None:
    """Returns the text with all edits made; None if two of them want the same place."""
    done, parts = 0, []
    last = -1
    for edit in sorted(edits):
        if edit.start < done or edit.start == last:
            return None
        parts += [text[done : edit.start], edit.text]
        done, last = edit.end, edit.start
    return "".join([*parts, text[done:]])


def line_break_at(text: str, offset: int) -> str:
    """Returns how the line at an offset ends, or the first line of the text if it is the last."""
    end = text.find("\n", offset)
    end = text.find("\n") if end < 0 else end
    return "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"


def replace_file(path: Path, content: bytes) -> None:
    """Puts a file in the place of another, with its permissions; a reader sees the old content or the new.

    Raises:
        PreparationError: The operating system refuses.
    """
    try:
        mode = path.stat().st_mode
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                os.fsync(file.fileno())
            Path(temporary).chmod(mode & 0o7777)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PreparationError(f"{path} cannot be written: {error.strerror or error}") from error
