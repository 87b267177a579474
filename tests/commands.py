"""Running the command line inside a test."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from polycall.registry.cli.main import main

__all__ = ["Done", "on_a_terminal", "run"]


class Done(NamedTuple):
    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """Runs a command in this process."""
    code = main(arguments)
    captured = capsys.readouterr()
    return Done(code, captured.out, captured.err)


def on_a_terminal(
    project: Path, *arguments: str, environment: Mapping[str, str] | None = None, encoding: str = "utf-8"
) -> str:
    """Runs a command with a terminal for stdout and stderr, and returns all that it wrote there."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "polycall", "-C", str(project), *arguments],
        stdin=subprocess.DEVNULL, stdout=end, stderr=end,
        env={**inherited, "TERM": "xterm-256color", "COLUMNS": "120", **(environment or {})},
    )  # fmt: skip
    os.close(end)
    written = b""
    try:
        while chunk := os.read(terminal, 65536):
            written += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(terminal)
    process.wait(timeout=60)
    return written.decode(encoding)
