"""Reading a file with a program in it, which somebody named: whole, if it is no more than a program can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["MOST_BINARY_BYTES", "WASM_MAGIC", "read_program"]

WASM_MAGIC = b"\0asm"

MOST_BINARY_BYTES = 512 * 1024 * 1024
"""Of WebAssembly. The largest that a toolchain makes, with an interpreter in it, are a tenth of that."""

_MOST_TEXT_BYTES = 8 * 1024 * 1024
"""Of Lua and of WebAssembly's text, as of the files that an entry names: what takes it in needs many times of that."""


def read_program(path: Path) -> bytes:
    """Returns the content of a file.

    Raises:
        OSError: It cannot be read, is no regular file, or too large; its ``strerror`` says what.
    """
    # A pipe without a writer must not make us wait: nobody would say for what.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        beginning = file.read(len(WASM_MAGIC))
        most, what = (MOST_BINARY_BYTES, "") if beginning == WASM_MAGIC else (_MOST_TEXT_BYTES, "as text ")
        content = beginning if status.st_size > most else beginning + file.read(most)
    if max(status.st_size, len(content)) > most:  # it may have grown meanwhile
        raise OSError(errno.EFBIG, f"{what}it may have {most:,} bytes at the most")
    return content
