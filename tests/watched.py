"""A command with ``--watch``, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

__all__ = ["Watch"]


class Watch:
    """A running `polycall` with both outputs in one pipe, in the order in which they are written.

    With `output`, its results go there, and the pipe has what it tells beside them.
    """

    def __init__(self, project: Path, *arguments: str, output: IO[str] | None = None) -> None:
        self.project = project
        command = [sys.executable, "-u", "-m", "polycall", "-C", str(project), *arguments]
        environment = {**os.environ, "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output or subprocess.PIPE, env=environment, text=True,
            stderr=subprocess.PIPE if output else subprocess.STDOUT,
        )  # fmt: skip
        self._told = self.process.stderr if output else self.process.stdout

    def until(self, end: str) -> list[str]:
        """Returns the lines up to the next one that begins with `end`."""
        assert self._told is not None
        lines: list[str] = []
        for line in self._told:
            if line.startswith(end):
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"the watch ended: {lines}")

    def run(self) -> list[str]:
        """Returns what the next run prints; a file may be seen to change twice, so earlier runs may have been empty."""
        return self.until("watching ")

    def rewrite(self, name: str, old: str, new: str) -> None:
        file = self.project / name
        text = file.read_text()
        assert old in text
        (self.project / ".new").write_text(text.replace(old, new))
        (self.project / ".new").replace(file)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
