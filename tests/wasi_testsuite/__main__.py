"""Runs the WASI project's test suite against polycall.

    make wasi-testsuite CHECKOUT=/path/to/wasi-testsuite

CHECKOUT is a checkout of WebAssembly/wasi-testsuite, of the branch prod/testsuite-base, which has binaries. The tests
of preview 1 run twice: as they are, as core modules; and as components, each wrapped with the adapter that toolchains
use. Those of WASI 0.3 do not run yet. The exit code is 1 if anything failed that should not.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from guests.build import install_tools
from wasi_testsuite.adapter import ADAPTER_FAILURES, adapt
from wasi_testsuite.cases import PREVIEW1, Case, cases_in
from wasi_testsuite.report import FAILED, NOT_YET, PASSED, Outcome, counted, table
from wasi_testsuite.runner import run

__all__ = ["main"]

_CORE, _ADAPTER = "core", "adapter"
_TITLES = {_CORE: "As core modules", _ADAPTER: "Through the adapter, as components"}


def main() -> int:
    """Runs what the command line asks for and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m wasi_testsuite", description=__doc__)
    parser.add_argument("checkout", type=Path, help="a checkout of wasi-testsuite, branch prod/testsuite-base")
    parser.add_argument("names", nargs="*", metavar="TEST", help="only tests whose name (rust/fd_readdir) begins so")
    parser.add_argument("--only", choices=(_CORE, _ADAPTER), help="as core modules alone, or as components alone")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    given = parser.parse_args()
    chosen = [each for each in cases_in(given.checkout) if not given.names or each.name.startswith(tuple(given.names))]
    cases = [each for each in chosen if each.version == PREVIEW1]
    outcomes = []
    for way in (given.only,) if given.only else (_CORE, _ADAPTER):
        found = _run(cases, way, given.jobs)
        print(f"{_TITLES[way]}\n\n{table(found)}\n\n{counted(found)}\n")
        outcomes += found
    outcomes += [Outcome(each.name, NOT_YET, "WASI 0.3") for each in chosen if each.version != PREVIEW1]
    print(counted(outcomes))
    return 1 if any(each.outcome == FAILED and not each.known for each in outcomes) else 0


def _run(cases: Sequence[Case], way: str, jobs: int) -> list[Outcome]:
    if way == _ADAPTER:
        install_tools()
    judge: Callable[[Case], Outcome] = _of_core_module if way == _CORE else _of_component
    with ThreadPoolExecutor(jobs) as threads:
        return list(threads.map(judge, cases))


def _of_core_module(case: Case) -> Outcome:
    why = run(case, case.binary)
    return Outcome(case.name, FAILED if why else PASSED, why)


def _of_component(case: Case) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="wasi-testsuite-") as folder:
        try:
            why = run(case, adapt(case.binary, Path(folder)), adapted=True)
        except subprocess.CalledProcessError as error:
            why = f"it cannot be wrapped: {' '.join(error.stderr.split())}"
    known = ADAPTER_FAILURES.get(case.name)
    return Outcome(case.name, FAILED if why else PASSED, (known or why) if why else "", known=known is not None)


if __name__ == "__main__":
    raise SystemExit(main())
