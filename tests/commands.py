"""Running the command line inside a test."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import select
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple
from unittest import mock

import pytest

from polycall.registry.cli.main import main

__all__ = [
    "Done",
    "Talk",
    "each_in_pipes",
    "each_on_a_terminal",
    "on_a_terminal",
    "run",
    "run_in_pipes",
    "run_on_descriptors",
]


class Done(NamedTuple):
    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """Runs a command in this process."""
    code = main(arguments)
    captured = capsys.readouterr()
    return Done(code, captured.out, captured.err)


def run_in_pipes(*arguments: str, given: bytes = b"", stderr: int | None = None) -> subprocess.CompletedProcess[bytes]:
    """Runs a command in this process, with streams of bytes; its stderr goes to its stdout with `subprocess.STDOUT`."""
    out, err = io.BytesIO(), io.BytesIO()
    both = stderr == subprocess.STDOUT
    with (
        io.TextIOWrapper(io.BytesIO(given), "utf-8") as stdin,
        io.TextIOWrapper(out, "utf-8", write_through=True) as stdout,
        io.TextIOWrapper(err, "utf-8", write_through=True) as alone,
        mock.patch.multiple(sys, stdin=stdin, stdout=stdout, stderr=stdout if both else alone),
    ):
        code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def run_on_descriptors(
    *arguments: str | Path, given: bytes = b"", environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs a command in this process, whose descriptors 0 to 2 are files as long: programs use no others."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(given)
        files[0].seek(0)
        stack.enter_context(mock.patch.dict(os.environ, environment or {}))
        if folder is not None:
            stack.enter_context(contextlib.chdir(folder))
        with _standing_for_ours(files):
            code = main([str(each) for each in arguments])
        for file in files:
            file.seek(0)
        return subprocess.CompletedProcess(arguments, code, files[1].read(), files[2].read())


@contextlib.contextmanager
def _standing_for_ours(files: Sequence[IO[bytes]]) -> Iterator[None]:
    saved = [os.dup(number) for number in range(3)]
    try:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        with (
            open(0, encoding="utf-8", closefd=False) as stdin,
            open(1, "w", encoding="utf-8", closefd=False) as stdout,
            open(2, "w", encoding="utf-8", closefd=False, buffering=1) as stderr,
            mock.patch.multiple(sys, stdin=stdin, stdout=stdout, stderr=stderr),
        ):
            yield
    finally:
        for number, descriptor in enumerate(saved):
            os.dup2(descriptor, number)
            os.close(descriptor)


def on_a_terminal(
    project: Path, *arguments: str, environment: Mapping[str, str] | None = None, encoding: str = "utf-8"
) -> str:
    """Runs a command with a terminal for stdout and stderr, and returns all that it wrote there."""
    command = ["-m", "polycall", "-C", str(project), *arguments]
    return _shown_by(command, environment or {}).decode(encoding)


def each_in_pipes(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], encoding: str = "utf-8"
) -> list[Done]:
    """Runs commands one after the other, in one process that has pipes for its streams."""
    done = subprocess.run(
        [sys.executable, "-c", _ONE_AFTER_THE_OTHER, json.dumps(commands)], env={**os.environ, **environment},
        stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    written, told = (stream.decode(encoding).split("\1")[:-1] for stream in (done.stdout, done.stderr))
    ended = [part.rpartition("\0") for part in written]
    return [Done(int(code), out, err.rpartition("\0")[0]) for (out, _, code), err in zip(ended, told, strict=True)]


def each_on_a_terminal(commands: list[list[str]], environment: Mapping[str, str]) -> list[tuple[int, str]]:
    """Runs commands one after the other, in one process; returns the exit code of each, and what it showed."""
    shown = _shown_by(["-c", _ONE_AFTER_THE_OTHER, json.dumps(commands)], environment).decode()
    ended = [part.rpartition("\0") for part in shown.split("\1")[:-1]]
    return [(int(code), text) for text, _, code in ended]


_ONE_AFTER_THE_OTHER = """
import json, sys
from polycall.registry.cli.main import main
for command in json.loads(sys.argv[1]):
    code = main(command)
    print(f"\\0{code}\\1", end="", flush=True)
    if not sys.stderr.isatty():
        print("\\0\\1", end="", file=sys.stderr, flush=True)
"""


def _shown_by(command: list[str], environment: Mapping[str, str]) -> bytes:
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.DEVNULL, stdout=end, stderr=end,
        env={**inherited, "TERM": "xterm-256color", "COLUMNS": "120", **environment},
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
    return written


_CONTROLLED = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal
from polycall.__main__ import main
main()
"""


class Talk:
    """A command with a terminal for all three streams: what is typed goes to it, what it shows is waited for."""

    def __init__(self, project: Path, *arguments: str, environment: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
        self._terminal, end = pty.openpty()
        termios.tcsetwinsize(end, (30, 100))
        self.shown = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CONTROLLED, "-C", str(project), *arguments],
            stdin=end, stdout=end, stderr=end, start_new_session=True,
            env={**inherited, "TERM": "xterm-256color", **environment},
        )  # fmt: skip
        os.close(end)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def until(self, text: str) -> str:
        """Waits until a text is shown; returns what came before it, and forgets it."""
        while text not in self.shown:
            assert self._read(), f"{text!r} did not come; there was {self.shown!r}"
        before, _, self.shown = self.shown.partition(text)
        return before

    def ended(self) -> int:
        """Reads the rest, and returns the exit code."""
        while self._read():
            pass
        os.close(self._terminal)
        return self.process.wait(timeout=30)

    def _read(self) -> bytes:
        ready, _, _ = select.select([self._terminal], [], [], 30)
        assert ready, f"nothing comes any more; there was {self.shown!r}"
        try:
            chunk = os.read(self._terminal, 65536)
        except OSError:  # Linux says so when the other end is closed
            return b""
        if b"\x1b[6n" in chunk:  # where is the cursor? A terminal says so.
            os.write(self._terminal, b"\x1b[10;1R")
        self.shown += chunk.decode()
        return chunk
