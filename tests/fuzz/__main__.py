"""Fuzzes by coverage, with atheris: every target, or those named, for a while each.

    make fuzz SECONDS=60

An input that brings anything out but an error of polycall's ends its target: it is kept in `.fuzz`, and the exit code
is 1. `python -m fuzz yaml --input FILE` runs it again.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["main"]

_PACKAGES = ["registry", "lua_runtime", "wasm_runtime", "interop", "yaml"]
_FOUND = Path(".fuzz")
_LONGEST_INPUT = 4096
_SLOW_SECONDS = 10


def main() -> int:
    """Runs what the command line asks for and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--input", type=Path, help="run this input once, without atheris")
    parser.add_argument("--here", action="store_true", help="fuzz the one target in this process")
    given = parser.parse_args()
    if given.here:
        _fuzz(given.names[0], given.seconds)
        return 0
    from fuzz.targets import TARGETS  # `_fuzz` must be the first to import them

    names = given.names or list(TARGETS)
    if given.input is not None:
        with tempfile.TemporaryDirectory() as folder:
            TARGETS[names[0]].open(Path(folder))(given.input.read_bytes())
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed; it has wheels for Linux on x86-64 and Python 3.11 to 3.13", file=sys.stderr)
        return 1
    failed = [name for name in names if _in_a_process(name, given.seconds)]
    print(f"{len(names)} targets, {given.seconds} s each: {', '.join(failed) or 'none'} failed")
    return 1 if failed else 0


def _in_a_process(name: str, seconds: int) -> bool:
    print(f"--- {name}", flush=True)
    _FOUND.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "fuzz", name, "--here", "--seconds", str(seconds)]
    return subprocess.run(command, check=False).returncode != 0


def _fuzz(name: str, seconds: int) -> None:
    import atheris  # it is there only where it has wheels

    with atheris.instrument_imports(include=_PACKAGES):
        from fuzz.targets import TARGETS  # what is imported here is instrumented

    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        work, corpus = Path(folder, "work"), Path(folder, "corpus")
        work.mkdir()
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST_INPUT}", f"-timeout={_SLOW_SECONDS}"]
        options += [f"-artifact_prefix={_FOUND}/{name}-", "-print_final_stats=1", "-verbosity=0"]
        atheris.Setup([name, *options, str(corpus)], target.open(work))
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
