from __future__ import annotations

import os
from pathlib import Path

import pytest

from polycall.interop.program_files import MOST_BINARY_BYTES, WASM_MAGIC, read_program


def test_a_program_is_read_whole(tmp_path: Path) -> None:
    for content in (b"", b"\0as", WASM_MAGIC, WASM_MAGIC + bytes(9 << 20), b"return {}" * 9999):
        (tmp_path / "a").write_bytes(content)
        assert read_program(tmp_path / "a") == content


@pytest.mark.parametrize(
    ("beginning", "size", "why"),
    [
        (WASM_MAGIC, MOST_BINARY_BYTES + 1, "it may have 536,870,912 bytes at the most"),
        (b"return", (8 << 20) + 1, "as text it may have 8,388,608 bytes at the most"),
    ],
)
def test_what_no_program_is_as_large_as_is_refused_unread(
    tmp_path: Path, beginning: bytes, size: int, why: str
) -> None:
    (tmp_path / "a").write_bytes(beginning)
    os.truncate(tmp_path / "a", size)  # nothing but a hole: to read it would take half a gigabyte of memory
    with pytest.raises(OSError, match=why):
        read_program(tmp_path / "a")


def test_what_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="it is no regular file"):
            read_program(path)
    with pytest.raises(IsADirectoryError):
        read_program(tmp_path)
