"""Runs a guest with polycall, for comparison."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import polycall
from polycall.interop.errors import PolycallError
from wasi.runs import Outcome, Run

__all__ = ["EXITING", "GROUPS", "run_in_polycall", "write_project"]

EXITING = frozenset({"evaluate", "leave", "leave-with"})
"""Exports that have a result or exit."""

GROUPS = ("wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:http", "wasi:io", "wasi:random", "wasi:sockets")


def run_in_polycall(run: Run, groups: tuple[str, ...] = GROUPS) -> Outcome:
    """Runs a guest as entries of a project, one for each export; calls of one export share an instance."""
    results: list[Any] = []
    exit_status, failure = None, None
    with tempfile.TemporaryDirectory() as folder, _log() as records:
        write_project(Path(folder), run, groups)
        with polycall.load(folder) as registry:
            try:
                for export, arguments in run.calls:
                    results.append(registry.call(f"app:{_name(export)}", *arguments))
                    if export in EXITING and results[-1] is None:  # to exit with 0 is to succeed, without a result
                        results.pop()
                        exit_status = 0
                        break
            except PolycallError as error:
                exit_status = getattr(error, "exit_status", None)
                failure = None if exit_status is not None else str(error)
    stdout, stderr = (b"".join(_lines(records, level)) for level in (logging.INFO, logging.WARNING))
    return Outcome(results, exit_status, failure, stdout, stderr)


def write_project(folder: Path, run: Run, groups: tuple[str, ...] = GROUPS) -> None:
    """Writes the project that runs a guest; its calls are entries called like the exports."""
    (folder / "assets").mkdir()
    shutil.copy(run.guest, folder / "assets" / "guest.wasm")
    entries: list[dict[str, Any]] = [{"name": "assets", "kind": "fs.directory", "directory": "assets"}]
    mounts, variables = [], []
    for number, mounted in enumerate(run.folders):
        entries.append({"name": f"folder{number}", "kind": "fs.directory", "directory": str(mounted.host)})
        mounts.append({"fs": f"folder{number}", "guest": mounted.guest, "read_only": mounted.read_only})
    entries.append({"name": "memory", "kind": "env.storage.memory"})
    for name, value in run.variables.items():
        variable = {"storage": "memory", "variable": name, "default": value}
        entries.append({"name": f"env.{name}", "kind": "env.variable", **variable})
        variables.append({"id": f"env.{name}", "name": name})
    wasi: dict[str, Any] = {"args": list(run.arguments), "env": variables, "mounts": mounts}
    wasi["network"] = {"allow": ["all"], "listen": ["all"]} if run.network else {"allow": ["loopback"]}
    for export in dict.fromkeys(export for export, _ in run.calls):
        entries.append(
            {
                "name": _name(export),
                "kind": "function.wasm",
                "fs": "assets",
                "path": "guest.wasm",
                "hash": "sha256:" + hashlib.sha256(run.guest.read_bytes()).hexdigest(),
                "method": export,
                **({"wit": run.wit} if run.wit else {}),
                "imports": list(groups),
                "wasi": {key: value for key, value in wasi.items() if value},
                "pool": {"type": "lazy", "max_size": 1},
                "limits": {"max_execution_ms": 30_000},
            }
        )
    text = yaml.safe_dump({"version": "1.0", "namespace": "app", "entries": entries}, sort_keys=False)
    (folder / "_index.yaml").write_text(text, "utf-8")


def _name(export: str) -> str:
    return export.replace("#", ".").replace("/", ".").replace(":", ".").split("@")[0]


class _Gathering(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


@contextmanager
def _log() -> Iterator[list[logging.LogRecord]]:
    """Gathers what entries log while the block runs."""
    records: list[logging.LogRecord] = []
    handler = _Gathering(records)
    log = logging.getLogger("polycall.entry")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def _lines(records: list[logging.LogRecord], level: int) -> Iterator[bytes]:
    yield from (f"{record.getMessage()}\n".encode() for record in records if record.levelno == level)
