"""The world `tour` of tour.wit: what Python's standard library asks of WASI."""

import os
import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import wit_world


def said(name: str, work: Callable[[], object]) -> str:
    try:
        return f"{name}: {work()}\n"
    except OSError as error:
        return f"{name}: {type(error).__name__} {error.strerror}\n"


def append(path: Path) -> int:
    with path.open("a") as file:
        return file.write("and more\n")


def files(folder: Path) -> Iterator[str]:
    path, inner = folder / "tour.txt", folder / "tour"
    yield said("write", lambda: path.write_text("from Python\n"))
    yield said("append", lambda: append(path))
    yield said("read", lambda: repr(path.read_text()))
    yield said("times", lambda: os.utime(path, ns=(1000, 2_000_000_005)))
    yield said("stat", lambda: (path.stat().st_size, path.stat().st_mtime_ns))
    yield said("mkdir", inner.mkdir)
    yield said("again", inner.mkdir)
    yield said("rename", lambda: path.rename(inner / "moved.txt").name)
    yield said("symlink", lambda: (inner / "pointer").symlink_to("moved.txt"))
    yield said("readlink", (inner / "pointer").readlink)
    yield said("hard link", lambda: (inner / "hard").hardlink_to(inner / "moved.txt"))
    yield said("list", lambda: sorted((entry.name, entry.is_symlink()) for entry in os.scandir(inner)))
    yield said("rmdir", inner.rmdir)
    yield said("none", (folder / "none").read_text)
    yield said("outside", (folder / "../../etc/passwd").read_text)
    for name in ("pointer", "hard", "moved.txt"):
        yield said(f"unlink {name}", (inner / name).unlink)
    yield said("rmdir", inner.rmdir)


def rest() -> Iterator[str]:
    start = time.monotonic()
    time.sleep(0.005)
    yield f"slept: {time.monotonic() - start >= 0.005} {time.time() > 1.7e9}\n"
    yield f"random: {secrets.token_bytes(16) != secrets.token_bytes(16)} {random.random() != random.random()}\n"
    yield f"LANGUAGE: {os.environ.get('LANGUAGE')}\n"
    yield f"input: {len(sys.stdin.read())}\n"
    print("to stdout", flush=True)
    print("to stderr", file=sys.stderr, flush=True)


class WitWorld(wit_world.WitWorld):  # type: ignore[misc] # the tool makes the module while it builds
    """What the world exports."""

    def tour(self, folder: str) -> str:
        return "".join(files(Path(folder))) + "".join(rest())
