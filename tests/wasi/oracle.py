"""Runs a guest with wasmtime's own WASI, for comparison.

What concerns sockets is run by wasmtime 47: later ones deny them, and their interface for Python has no word to allow
them. It gets an environment of its own on demand, from `wasmtime-47.txt`, in the folder `.wasmtime-47` of the project.
"""

from __future__ import annotations

import fcntl
import functools
import pickle
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from wasi.runs import Outcome, Run

__all__ = ["COMPILED", "run_in_wasmtime", "why_no_sockets"]

_HERE = Path(__file__).resolve().parent
_OLDER = _HERE.parents[1] / ".wasmtime-47"
_REQUIREMENTS = _HERE / "wasmtime-47.txt"
COMPILED = _HERE.parents[1] / ".pytest_cache" / "wasmtime"
_PATIENCE_SECONDS = 60


def run_in_wasmtime(run: Run) -> Outcome:
    """Runs a guest with wasmtime's WASI, in a process of its own.

    Raises:
        AssertionError: The process ended without an answer.
    """
    request = {
        "guest": str(run.guest),
        "calls": [(tuple(export.split("#")), arguments) for export, arguments in run.calls],
        "folders": [(str(folder.host), folder.guest, folder.read_only) for folder in run.folders],
        "arguments": list(run.arguments),
        "variables": run.variables,
        "network": run.network,
        "cache": str(COMPILED),
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "request"), Path(folder, "answer")
        asked.write_bytes(pickle.dumps(request))
        done = subprocess.run(
            [_older_python() if run.network else sys.executable, _HERE / "oracle_process.py", asked, answered],
            input=run.stdin,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        assert answered.is_file(), f"exit code {done.returncode}\n{done.stderr.decode(errors='replace')}"
        answer = pickle.loads(answered.read_bytes())
    return Outcome(**answer, stdout=done.stdout, stderr=done.stderr)


@functools.cache
def why_no_sockets() -> str | None:
    """Returns why wasmtime 47 cannot be had, or None if it is there; installs it if need be."""
    try:
        # Tests run in several processes, and each would begin the folder anew that another is filling.
        COMPILED.mkdir(parents=True, exist_ok=True)
        with (COMPILED / "wasmtime-47.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _install()
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout or b"").decode(errors="replace").strip().splitlines()[-1:]
        return f"wasmtime 47, which allows sockets, could not be installed: {''.join(last)}"
    return None


def _older_python() -> Path:
    return _OLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _install() -> None:
    stamp = _OLDER / "stamp"
    wanted = f"{sys.version}\n{_REQUIREMENTS.read_text('utf-8')}"
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    venv.create(_OLDER, clear=True, with_pip=True)
    (_OLDER / ".gitignore").write_text("*\n", "utf-8")
    pip = (_older_python(), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", _REQUIREMENTS)
    subprocess.run(pip, check=True, capture_output=True)
    stamp.write_text(wanted, "utf-8")
