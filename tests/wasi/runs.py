"""What is run twice, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["BIN", "Folder", "Outcome", "Run", "contents"]

BIN = Path(__file__).resolve().parents[1] / "guests" / "bin"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the host that the guest sees.

    Attributes:
        host: Where it is.
        guest: Where the guest sees it.
        read_only: Whether the guest may only read it.
    """

    host: Path
    guest: str = "/data"
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One instance of a guest, and what is asked of it.

    Attributes:
        guest: The component.
        calls: Exports and their arguments, one after the other; a component without any is run as a command.
        folders: What it sees of the host's files.
        arguments: Its arguments, its own name included.
        variables: Its environment.
        stdin: What it can read from its standard input.
        network: Whether it may call and serve all addresses of this machine.
        wit: The signatures of its exports; a core module alone needs them.
    """

    guest: Path
    calls: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    folders: tuple[Folder, ...] = ()
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    network: bool = False
    wit: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        results: What each call returned, as polycall's values; shorter than the calls where one failed.
        exit_status: The status of a guest that exited by itself; None for one that returned.
        failure: Why a call ended without a result, for people; None where none did.
        stdout: What the guest wrote there.
        stderr: The same.
    """

    results: list[Any]
    exit_status: int | None
    failure: str | None
    stdout: bytes
    stderr: bytes


def contents(folder: Path) -> dict[str, object]:
    """Returns all that is in a folder, by its path in there: bytes, the target of a link, or None for a folder."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found
