"""What a soak sees of its own process and of its workers, and how it kills one."""

from __future__ import annotations

import os
import subprocess
import threading
import weakref
from pathlib import Path
from typing import Any, NamedTuple

from polycall.registry.isolation import function
from polycall.registry.isolation.process import WorkerProcess

__all__ = ["Resources", "list_workers", "live_workers", "measure"]

_MIB = 1024


class Resources(NamedTuple):
    """What is in use at one moment.

    Attributes:
        rss_mib: Memory of this process.
        workers_mib: Memory of all its children.
        children: How many those are.
        threads: Threads of this process; the engines' own too where the system tells (Linux).
        descriptors: Open files, sockets and pipes.
    """

    rss_mib: float
    workers_mib: float
    children: int
    threads: int
    descriptors: int

    def __str__(self) -> str:
        """Returns all of it on one line."""
        return (
            f"{self.rss_mib:.0f} MiB, {self.children} workers with {self.workers_mib:.0f} MiB, "
            f"{self.threads} threads, {self.descriptors} descriptors"
        )


def measure() -> Resources:
    """Looks at this process and at its children."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss=,comm="], stdout=subprocess.PIPE, check=True, text=True)
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    own = sum(int(rss) for pid, _, rss, _ in rows if int(pid) == os.getpid())
    children = [int(rss) for _, parent, rss, name in rows if int(parent) == os.getpid() and name != "ps"]
    descriptors = len(os.listdir("/dev/fd"))  # noqa: PTH208  # a count, of no path
    return Resources(own / _MIB, sum(children) / _MIB, len(children), _threads(), descriptors)


def _threads() -> int:
    tasks = Path("/proc/self/task")
    return sum(1 for _ in tasks.iterdir()) if tasks.is_dir() else threading.active_count()


_made: list[weakref.ref[WorkerProcess]] = []


class _ListedWorker(WorkerProcess):
    """A worker that is listed. The registry has no list, since nothing needs one.

    (`gc.get_objects` must not be asked instead: it hands out tuples that other threads are still making.)
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _made.append(weakref.ref(self))


def list_workers() -> None:
    """Has all workers from now on listed for `live_workers`."""
    function.WorkerProcess = _ListedWorker  # type: ignore[attr-defined]  # for the time of a soak


def live_workers(entry_id: str = "") -> list[WorkerProcess]:
    """Returns the workers of an entry, or of all, that are not known to be dead."""
    workers = [worker for each in list(_made) if (worker := each()) is not None]
    return [worker for worker in workers if worker.is_alive() and entry_id in ("", worker.entry_id)]
