"""What ``polycall call`` calls: an entry of the project, or a function of a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from polycall.registry.cli.session import Session
from polycall.registry.registry import Registry

__all__ = ["Target", "find_target", "is_file"]

_BINARIES = (".wasm", ".wat")


class Target(NamedTuple):
    """A function, and the registry that has it.

    Attributes:
        entry_id: ``namespace:name``.
        load: Opens the registry.
        is_entry: Whether it is an entry of the project.
    """

    entry_id: str
    load: Callable[[], AbstractContextManager[Registry]]
    is_entry: bool


def is_file(target: str, *suffixes: str) -> bool:
    """Says whether an ID is the name of a file: it has a slash in it, or ends as such files do."""
    return os.sep in target or target.endswith((*_BINARIES, *suffixes))


def find_target(
    session: Session, target: str, arguments: tuple[str, ...], *, wit: str | None, watch: bool
) -> tuple[Target, tuple[str, ...]]:
    """Returns what is to be called, and the arguments that are left.

    Args:
        session: What the options of the group say.
        target: The ID, or a file.
        arguments: The first of them is the function of a file.
        wit: The signature of a function of a file.
        watch: Whether the project is to be watched.

    Raises:
        click.UsageError: A file without a function, or with what only entries have.
        NotFoundError: There is no such file.
    """
    if not is_file(target, ".lua"):
        if wit is not None:
            raise click.UsageError("--wit is for files; an entry declares it")
        return Target(target, session.load, True), arguments
    if watch:
        raise click.UsageError("--watch is for entries of a project")
    from polycall.registry.file_functions import function_id, open_file  # noqa: PLC0415  # entries need none of it

    path = Path(target)
    if not arguments:
        raise click.UsageError(f"name the function as well: polycall call {target} FUNCTION [ARG]...")
    function = arguments[0]
    load = partial(open_file, path, function, wit=wit, isolation=session.isolation)
    return Target(function_id(path, function), load, False), arguments[1:]
