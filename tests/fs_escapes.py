"""Attempts to get out of a granted folder, for whatever reads files on behalf of guests: each with a control.

Whatever an attempt gives must not hold the secret, and the secret must be unchanged afterwards.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["READS", "SECRET", "Read", "make_data"]

SECRET = "the secret"


class Read(NamedTuple):
    """A path that leads out, and one of the same shape that does not.

    Attributes:
        attempt: The path that leads out, or to nothing.
        control: The other.
        expected: What is in the file there.
    """

    attempt: str
    control: str
    expected: str = "mine"


READS = {
    "..": Read("../secret", "inner/../mine"),
    ".. behind a folder": Read("inner/../../secret", "inner/.././mine"),
    "many ..": Read("../" * 60 + "etc/passwd", "inner/../" * 60 + "mine"),
    "a folder that begins alike": Read("../database/secret", "inner/deep", "deep"),
    "a link": Read("to-secret", "to-mine"),
    "a link to the parent": Read("to-parent/secret", "to-inner/deep", "deep"),
    "a link to the root": Read("to-root/etc/passwd", "to-inner/../mine"),
    ".. behind a link": Read("to-inner/../../secret", "to-inner/../inner/deep", "deep"),
    "a chain of links": Read("chain", "to-inner/deep", "deep"),
    "a link to itself": Read("loop", "to-mine"),
    "proc": Read("to-proc/etc/passwd", "mine"),
    "a NUL byte": Read("mine\0/../../secret", "mine"),
    "a long name": Read("x" * 256, "x" * 255),
    "a long path": Read("./" * 2048 + "mine", "./" * 2000 + "mine"),
    "a deep path": Read("inner/" * 1000, "inner/deep", "deep"),
    "a name in other case": Read("MINE/../../secret", "mine"),
    "a pipe": Read("pipe", "mine"),
    "a socket": Read("socket", "mine"),
    "a link to a device": Read("to-zero", "mine"),
}


def make_data(parent: Path) -> Path:
    """Makes a folder with a file and a folder; beside it a secret; and links of every sort between them."""
    folder = parent / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "mine").write_text("mine")
    (folder / ("x" * 255)).write_text("mine")
    (folder / "inner/deep").write_text("deep")
    (parent / "project").mkdir()
    (parent / "secret").write_text(SECRET)
    (parent / "database").mkdir()
    (parent / "database/secret").write_text(SECRET)
    for name, target in {
        "to-secret": "../secret",
        "to-secret-absolutely": str(parent / "secret"),
        "to-parent": "..",
        "to-root": "/",
        "to-nowhere": "../made",
        "chain": "inner/chain",
        "inner/chain": "../../secret",
        "loop": "loop",
        "to-proc": "/proc/self/cwd",
        "to-zero": "/dev/zero",
        "to-mine": "inner/../mine",
        "to-mine-absolutely": str(folder / "mine"),
        "to-inner": "inner",
        "to-new": "inner/new",
    }.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    make_socket(folder, "socket")
    return folder


def make_socket(folder: Path, name: str) -> None:
    """Leaves a socket that nobody listens at; by its short name, since the system allows no long ones."""
    import socket

    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
    finally:
        os.fchdir(before)
        os.close(before)
