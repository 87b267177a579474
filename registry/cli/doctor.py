"""``polycall doctor``: whether polycall's surroundings are sound."""

from __future__ import annotations

import click

from polycall.registry.cli.command import Command
from polycall.registry.cli.output import print_json, print_line, print_table
from polycall.registry.doctor import examine

__all__ = ["doctor"]

_FOUND_BROKEN = 1
_STYLES = {"ok": "green", "warning": "yellow", "broken": "red"}


@click.command(cls=Command, short_help="Examine the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> int:
    """Examine the installation: versions, engines, the cache folder, names that other packages claim, extras.

    No project is needed. The exit code is 1 if something is broken.
    """
    found = list(examine())
    if as_json:
        print_json([diagnosis._asdict() for diagnosis in found])
    else:
        rows = [(diagnosis.status, diagnosis.name, diagnosis.value) for diagnosis in found]
        print_table(("status", "of", "found"), rows, _STYLES)
        for diagnosis in found:
            if diagnosis.hint:
                print_line((f"{diagnosis.name}: ", _STYLES[diagnosis.status]), (diagnosis.hint, ""))
    return _FOUND_BROKEN if any(diagnosis.status == "broken" for diagnosis in found) else 0
