"""Reading a text file with everything that can be wrong with it said in one sentence."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path

from polycall.registry.documents.nodes import START, Mark

__all__ = ["MAX_FILE_BYTES", "UnreadableError", "read_beginning", "read_text"]

MAX_FILE_BYTES = 8 * 1024 * 1024
"""The largest entry file, and the largest file that ``file://`` may name."""

_GLANCE_BYTES = 64 * 1024
"""How much of a file that is refused is read, to see what it is."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class UnreadableError(Exception):
    """A file that cannot be read as text; never leaves this package.

    Attributes:
        message: What is wrong.
        hint: What would mend it, or None.
        at: Where in the file.
        readable: The text with every bad byte replaced, or its beginning; empty where there is none.
        only_beginning: Whether `readable` may go on.
    """

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        at: Mark = START,
        readable: str = "",
        only_beginning: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at
        self.readable = readable
        self.only_beginning = only_beginning


def read_text(path: Path) -> str:
    """Reads a UTF-8 file, without its byte order mark and with line ends as they are.

    A file over the bound is refused by its size, with no more than a glance at its beginning.

    Raises:
        UnreadableError: No regular file, too large, not UTF-8, or the operating system refuses.
    """
    try:
        content = _read_bytes(path)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error
    if content.startswith(_UTF16):
        raise UnreadableError("is UTF-16 text; expected UTF-8", "save it as UTF-8", readable=_glance(content))
    return _decode(content.removeprefix(codecs.BOM_UTF8))


def read_beginning(path: Path) -> str:
    """Returns the first 64 KiB of a file as text, bad bytes replaced; empty if it cannot be read."""
    try:
        if not path.is_file():
            return ""
        with open(path, "rb", opener=_open_without_waiting) as file:
            return _glance(file.read(_GLANCE_BYTES))
    except OSError:
        return ""


def _glance(content: bytes) -> str:
    beginning = content[:_GLANCE_BYTES]
    encoding = "utf-16" if beginning.startswith(_UTF16) else "utf-8-sig"
    return beginning.decode(encoding, errors="replace")


def _read_bytes(path: Path) -> bytes:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableError("is a folder; expected a file")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("is no regular file")
    with open(path, "rb", opener=_open_without_waiting) as file:
        content = file.read(_GLANCE_BYTES)
        _refuse_size(status.st_size, content)
        content += file.read(MAX_FILE_BYTES + 1 - len(content))
    _refuse_size(len(content), content)  # it may have grown, and some files do not tell their size
    return content


def _open_without_waiting(path: str, flags: int) -> int:
    # A pipe put in the file's place after the check must not make the load wait for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_size(size: int, content: bytes) -> None:
    if size > MAX_FILE_BYTES:
        message = f"has {size:,} bytes; expected at most {MAX_FILE_BYTES:,}"
        hint = "split the file, or keep large data outside the folder of the entries"
        raise UnreadableError(message, hint, readable=_glance(content), only_beginning=True)


def _decode(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        at = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        message = f"is not UTF-8 text: byte 0x{content[error.start]:02x}"
        raise UnreadableError(message, "save it as UTF-8", at, content.decode(errors="replace")) from error
