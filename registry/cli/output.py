"""Lines and tables on stdout: plain text for a pipe, a file and NO_COLOR, colours on a terminal.

rich is imported only where a terminal is: the other commands of a script must not wait for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from polycall.registry.cli.printable import encodable, one_line, printable_json

__all__ = ["Styles", "print_json", "print_line", "print_table", "print_text"]

_GAP = 2
_NARROWEST = 12
"""Columns that are left for the last cell of a row at least, where a table is drawn."""

Styles = Mapping[str, str]
"""Text to the style it is shown in, as rich names styles."""


def print_json(value: Any) -> None:
    """Prints what `json.dumps` takes; what it does not take is printed as its text."""
    import json  # noqa: PLC0415  # most output is text

    print_text(printable_json(json.dumps(value, indent=2, ensure_ascii=False, default=str), sys.stdout))


def print_text(text: str) -> None:
    """Prints text as it is, but for what the encoding of stdout does not have, and a line end."""
    print(encodable(text, sys.stdout), flush=True)


def print_line(*parts: tuple[str, str]) -> None:
    """Prints one line, unbroken however long it is and whatever is in it.

    Args:
        *parts: Text and its style, or "" for none; they are joined as they are.
    """
    parts = tuple((_shown(text), style) for text, style in parts)
    if not _is_colourful():
        print_text("".join(text for text, _ in parts))
        return
    from rich.console import Console  # noqa: PLC0415  # see the module
    from rich.text import Text  # noqa: PLC0415  # see the module

    Console(highlight=False, soft_wrap=True).print(Text.assemble(*parts))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], styles: Styles | None = None) -> None:
    """Prints rows in aligned columns.

    Args:
        headers: What the columns are called; shown on a terminal only, for a pipe has only rows.
        rows: The cells, as many as there are headers.
        styles: The styles of cells, by their text.
    """
    shown = [[_shown(cell) for cell in row] for row in rows]
    if not _is_colourful():
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        for row in shown:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print_text("  ".join(cells).rstrip())
        return
    from rich.console import Console  # noqa: PLC0415  # see the module
    from rich.table import Table  # noqa: PLC0415  # see the module
    from rich.text import Text  # noqa: PLC0415  # see the module

    console = Console(highlight=False)
    styled = [[Text(cell, (styles or {}).get(cell, "")) for cell in row] for row in shown]
    *whole, _ = (max(map(len, column)) for column in zip(headers, *shown, strict=True))
    if console.width - sum(whole) - _GAP * len(whole) < _NARROWEST:
        # Nothing is broken in two, for an id or a hash is there to be copied: the terminal goes on in the next line.
        for texts in styled:
            console.print(Text("  ").join(texts), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, header in enumerate(headers, 1):
        table.add_column(header, overflow="fold", no_wrap=number < len(headers))
    for texts in styled:
        table.add_row(*texts)
    console.print(table)


def _shown(text: str) -> str:
    return encodable(one_line(text), sys.stdout)


def _is_colourful() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
