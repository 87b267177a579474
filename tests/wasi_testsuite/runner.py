"""Runs a case by `polycall run`, as a shell would: a process of its own, pipes, and a copy of the folder it sees."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from wasi_testsuite.cases import Case

__all__ = ["run"]

_SECONDS = 60
_LONGEST = 200


def run(case: Case, binary: Path, *, adapted: bool = False) -> str:
    """Runs a case.

    Args:
        case: The case.
        binary: It, or the component that was made of it.
        adapted: Whether it is the component: its adapter says no more to ``wasi:cli/exit`` than success or failure,
            and so every exit code but 0 becomes 1.

    Returns:
        What went wrong; empty if nothing did.
    """
    with tempfile.TemporaryDirectory(prefix="wasi-testsuite-") as folder:
        root = Path(folder) / "root"
        if case.root is not None:
            shutil.copytree(case.root, root, symlinks=True)
        try:
            done = subprocess.run(_command(case, binary, root), capture_output=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"it did not end within {_SECONDS} seconds"
    return _judged(case, done, min(case.exit_code, 1) if adapted else case.exit_code)


def _command(case: Case, binary: Path, root: Path) -> list[str | Path]:
    folders = [] if case.root is None else ["--dir", f"{root}::/"]
    variables = [word for name, value in case.variables.items() for word in ("--env", f"{name}={value}")]
    return [sys.executable, "-m", "polycall", "run", *folders, *variables, str(binary), "--", *case.arguments]


def _judged(case: Case, done: subprocess.CompletedProcess[bytes], exit_code: int) -> str:
    stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if done.returncode != exit_code:
        said = " ".join(stderr.split())[:_LONGEST]
        return f"expected exit code {exit_code}, got {done.returncode}: {said}"
    for what, wanted, got in (("stdout", case.stdout, stdout), ("stderr", case.stderr, stderr)):
        if wanted is not None and wanted != got:
            return f"expected {wanted!r} on {what}, got {got[:_LONGEST]!r}"
    return ""
