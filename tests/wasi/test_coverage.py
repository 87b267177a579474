"""Every function of every WASI interface is called by the output of a real toolchain."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from wasi.coverage import EVERY_FUNCTION_FROM, NOT_FOR_CLIENTS, functions_of, guests_by_function
from wasi.here import run_in_polycall
from wasi.scenarios import SCRIPTS, fill


def test_the_list_is_whole() -> None:
    functions = functions_of(EVERY_FUNCTION_FROM)
    interfaces = {function.split("#")[0] for function in functions}
    assert len(functions) == 175
    assert interfaces == {
        *(f"wasi:cli/{name}" for name in ("environment", "exit", "stdin", "stdout", "stderr")),
        *(f"wasi:cli/terminal-{name}" for name in ("stdin", "stdout", "stderr")),
        *(f"wasi:clocks/{name}" for name in ("monotonic-clock", "wall-clock")),
        *(f"wasi:filesystem/{name}" for name in ("preopens", "types")),
        *(f"wasi:http/{name}" for name in ("outgoing-handler", "types")),
        *(f"wasi:io/{name}" for name in ("error", "poll", "streams")),
        *(f"wasi:random/{name}" for name in ("insecure", "insecure-seed", "random")),
        *(f"wasi:sockets/{name}" for name in ("instance-network", "ip-name-lookup", "tcp", "tcp-create-socket")),
        *(f"wasi:sockets/{name}" for name in ("udp", "udp-create-socket")),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="the folders hold symbolic links")
def test_every_function_is_called_by_a_script(tmp_path: Path) -> None:
    called: set[str] = set()
    for script in SCRIPTS:
        with script.run(fill(tmp_path / script.name)) as run:
            outcome = run_in_polycall(run)  # says what wasmtime says: test_same_as_wasmtime.py
        if len(outcome.results) == len(run.calls):
            called |= set(json.loads(outcome.results[-1]["ok"]))
    # A script that exits or traps does not get to say what it called.
    called |= {"wasi:cli/exit#exit", "wasi:cli/exit#exit-with-code"}
    assert functions_of(EVERY_FUNCTION_FROM) - NOT_FOR_CLIENTS - called == set()


def test_every_function_is_imported_by_a_guest_of_c() -> None:
    missing = [
        function
        for function, guests in guests_by_function().items()
        if function not in NOT_FOR_CLIENTS and not any(guest.startswith("c-") for guest in guests)
    ]
    assert missing == []
