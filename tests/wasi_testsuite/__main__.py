"""Runs the WASI project's test suite against polycall.

    make wasi-testsuite CHECKOUT=/path/to/wasi-testsuite

CHECKOUT is a checkout of WebAssembly/wasi-testsuite, of the branch prod/testsuite-base, which has binaries. The tests
of preview 1 run as they are, as core modules; with --adapter, as components: each wrapped with the adapter that
toolchains use. Those of WASI 0.3 do not run yet. The exit code is 1 if anything failed that should not.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wasi_testsuite.adapter import ADAPTER_FAILURES, adapt
from wasi_testsuite.cases import PREVIEW1, Case, cases_in
from wasi_testsuite.report import FAILED, NOT_YET, PASSED, Outcome, report
from wasi_testsuite.runner import run

__all__ = ["main"]

_LATER = "WASI 0.3"


def main() -> int:
    """Runs what the command line asks for and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m wasi_testsuite", description=__doc__)
    parser.add_argument("checkout", type=Path, help="a checkout of wasi-testsuite, branch prod/testsuite-base")
    parser.add_argument("names", nargs="*", metavar="TEST", help="only tests whose name (rust/fd_readdir) begins so")
    parser.add_argument("--adapter", action="store_true", help="wrap each into a component")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    given = parser.parse_args()
    chosen = [each for each in cases_in(given.checkout) if not given.names or each.name.startswith(tuple(given.names))]
    with ThreadPoolExecutor(given.jobs) as threads:
        outcomes = list(threads.map(lambda case: _outcome(case, adapted=given.adapter), chosen))
    print(report(outcomes))
    known = ADAPTER_FAILURES if given.adapter else {}
    return 1 if any(each.outcome == FAILED and each.name not in known for each in outcomes) else 0


def _outcome(case: Case, *, adapted: bool) -> Outcome:
    if case.version != PREVIEW1:
        return Outcome(case.name, NOT_YET, _LATER)
    with tempfile.TemporaryDirectory(prefix="wasi-testsuite-") as folder:
        try:
            binary = adapt(case.binary, Path(folder)) if adapted else case.binary
        except subprocess.CalledProcessError as error:
            return Outcome(case.name, FAILED, f"it cannot be wrapped: {' '.join(error.stderr.split())}")
        why = run(case, binary, adapted=adapted)
    known = ADAPTER_FAILURES.get(case.name) if adapted else None
    return Outcome(case.name, FAILED if why else PASSED, known or why if why else "")


if __name__ == "__main__":
    raise SystemExit(main())
