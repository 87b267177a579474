"""The cases of a checkout: binaries, and beside each what it is run with and what it must do (doc/specification.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PREVIEW1", "Case", "cases_in"]

PREVIEW1 = "wasm32-wasip1"


@dataclass(frozen=True)
class Case:
    """A binary of the suite.

    Attributes:
        name: Language and name: ``rust/fd_readdir``.
        version: The version of WASI that it is for: ``wasm32-wasip1``.
        binary: Where it lies.
        arguments: What it is run with, without its own name.
        variables: Its environment.
        root: The folder that it sees as ``/``, or None.
        exit_code: What it must exit with.
        stdout: What it must write, if that is said.
        stderr: The same.
    """

    name: str
    version: str
    binary: Path
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    root: Path | None = None
    exit_code: int = 0
    stdout: str | None = None
    stderr: str | None = None


def cases_in(checkout: Path) -> Iterator[Case]:
    """Yields the cases of a checkout in order.

    Args:
        checkout: Of the branch that has binaries, ``prod/testsuite-base``.

    Raises:
        SystemExit: There are none.
    """
    binaries = sorted(checkout.glob("tests/*/testsuite/*/*.wasm"))
    if not binaries:
        raise SystemExit(f"{checkout} has no binaries in tests/*/testsuite: check the branch prod/testsuite-base out")
    for binary in binaries:
        said = binary.with_suffix(".json")
        told = json.loads(said.read_text("utf-8")) if said.is_file() else {}
        root = told.get("root")
        yield Case(
            name=f"{binary.parents[2].name}/{binary.stem}",
            version=binary.parent.name,
            binary=binary,
            arguments=tuple(told.get("args", ())),
            variables=told.get("env", {}),
            root=None if root is None else binary.parent / root,
            exit_code=told.get("exit_code", 0),
            stdout=told.get("stdout"),
            stderr=told.get("stderr"),
        )
