"""Builds run: several at a time, each in a shell of its own, what they say kept for the one that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from polycall.interop.errors import PreparationError
from polycall.interop.forks import new_lock
from polycall.registry.building.builds import Build

__all__ = ["Builders", "Built"]

_SHELL = ("/bin/sh", "-e", "-c")
_SHOWN_BYTES = 64 * 1024
_SECONDS_TO_END = 2.0


class Built(NamedTuple):
    """How a build ended.

    Attributes:
        build: Which.
        failure: What went wrong, or None.
        output: The end of what it said.
        seconds: How long it took.
    """

    build: Build
    failure: str | None
    output: str
    seconds: float


class Builders:
    """Runs builds, and ends them all when it is told to."""

    def __init__(self, jobs: int | None = None) -> None:
        """Makes them.

        Args:
            jobs: How many run at a time; None for as many as there are processors.
        """
        self._jobs = jobs or os.cpu_count() or 1
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = new_lock()
        self._stopped = False

    def run(self, builds: Sequence[Build], begin: Callable[[str], None]) -> list[Built]:
        """Runs builds.

        Args:
            builds: What to run.
            begin: Is told of each when it begins, one at a time.

        Raises:
            PreparationError: One cannot be started.
        """
        telling = new_lock()

        def one(build: Build) -> Built:
            with telling:
                begin(build.name)
            return self._one(build)

        with ThreadPoolExecutor(self._jobs, "polycall-build") as threads:
            return list(threads.map(one, builds))

    def stop(self) -> None:
        """Ends whatever runs, with all that it has started."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)
        until = time.monotonic() + _SECONDS_TO_END
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            _signal(process, signal.SIGKILL)

    def _one(self, build: Build) -> Built:
        began = time.monotonic()
        for output in build.outputs:
            output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile() as said:
            code = self._wait(build, said)
            text = _end_of(said)
        missing = [str(each) for each in build.outputs if not each.is_file()]
        failure = None
        if code:
            failure = f"exit code {code}" if code > 0 else f"ended by signal {-code}"
        elif missing:
            failure = f"it made no {', '.join(missing)}"
        return Built(build, failure, text, time.monotonic() - began)

    def _wait(self, build: Build, said: BinaryIO) -> int:
        with self._lock:
            if self._stopped:
                return -signal.SIGTERM
            try:
                process = subprocess.Popen(
                    [*_SHELL, build.command], cwd=build.workdir, stdin=subprocess.DEVNULL, stdout=said,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise PreparationError(
                    f"{build.name}: the build cannot run in {build.workdir}: {error.strerror}"
                ) from error
            self._running.add(process)
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end_of(said: BinaryIO) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _SHOWN_BYTES))
    text = said.read().decode("utf-8", "replace")
    return f"...\n{text}" if size > _SHOWN_BYTES else text
