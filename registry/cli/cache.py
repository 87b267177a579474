"""``polycall cache``: how much compiled WebAssembly is kept, and an end to it."""

from __future__ import annotations

import click

from polycall.interop.errors import DeclarationError
from polycall.registry.cli.command import Command
from polycall.registry.cli.output import print_json, print_line, print_table
from polycall.registry.cli.session import Session
from polycall.registry.documents.problems import Report
from polycall.registry.entries.settings import SETTINGS_FILE, read_settings
from polycall.wasm_runtime.engine.cache_bound import cache_usage, clear_cache
from polycall.wasm_runtime.engine.cache_folder import default_cache_directory

__all__ = ["cache"]


@click.command(cls=Command, short_help="Show or empty the cache of compiled WebAssembly.")
@click.option("--clear", is_flag=True, help="Remove all compiled WebAssembly.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def cache(session: Session, clear: bool, as_json: bool) -> None:
    """Show the folder of compiled WebAssembly, what is in it, and how much the project's settings allow.

    With --clear it is emptied; nothing but what polycall has put there is removed. Running programs are not disturbed.
    """
    folder = default_cache_directory()
    limit_bytes = _limit_bytes(session)
    found = clear_cache(folder) if clear else cache_usage(folder)
    if as_json:
        counts = {"files": found.files, "bytes": found.size_bytes}
        print_json({"folder": str(folder), **counts, "max_bytes": limit_bytes, "cleared": clear})
    elif clear:
        print_line((f"removed {found.files} files, {_mib(found.size_bytes)}, from {folder}", ""))
    else:
        size = f"{_mib(found.size_bytes)}, at most {_mib(limit_bytes)}"
        print_table(("of", "found"), [("folder", str(folder)), ("files", str(found.files)), ("size", size)])


def _limit_bytes(session: Session) -> int:
    report = Report(SETTINGS_FILE)
    settings = read_settings(session.project, report)
    if report.problems:
        raise DeclarationError(report.problems)
    return settings.max_cache_bytes


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB"
