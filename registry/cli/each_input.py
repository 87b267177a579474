"""The lines that ``polycall call --each`` reads: JSON Lines, plain text or CSV, from files and standard input."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click

from polycall.interop.errors import ConversionError
from polycall.interop.json_text import decode_json
from polycall.interop.values import Value
from polycall.registry.cli.printable import one_line
from polycall.registry.cli.stdin import standard_input

__all__ = ["FORMATS", "Format", "Input", "Line"]

_MOST_BYTES = 64 << 20
"""Of one line: a file without line ends must not be taken for one that fits into memory."""

_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line of input, not yet read as what it stands for.

    Attributes:
        file: Where it stands; None for standard input.
        number: Its 1-based number there.
        content: What `Format.value` makes a value of.
    """

    file: str | None
    number: int
    content: Any

    def __str__(self) -> str:
        """Returns ``orders.jsonl:3``, or ``line 3 of standard input``."""
        return f"line {self.number} of standard input" if self.file is None else f"{self.file}:{self.number}"


class Format(NamedTuple):
    """How lines are read.

    Attributes:
        lines: Yields the number and the content of each line of a stream.
        value: Makes a value of what a line contains, or a list of arguments if it is to be spread.
    """

    lines: Callable[[Iterable[bytes]], Iterator[tuple[int, Any]]]
    value: Callable[[Any], Value]


class Input:
    """Files and standard input, one after the other.

    Attributes:
        size_bytes: Of all of it; None if that cannot be known.
        read_bytes: How much of it is read.
    """

    def __init__(self, names: Sequence[str], how: Format) -> None:
        """Sees whether everything is there; reads nothing yet.

        Raises:
            click.UsageError: A file is not there, or standard input is closed.
        """
        self._names = names or ("-",)
        self._how = how
        self.read_bytes = 0
        sizes = [_size(name) for name in self._names]
        self.size_bytes = None if None in sizes else sum(size or 0 for size in sizes)

    def __iter__(self) -> Iterator[Line]:
        """Reads lines, one when it is asked for."""
        for name in self._names:
            file = None if name == "-" else name
            with nullcontext(standard_input()) if file is None else Path(file).open("rb") as stream:
                for number, content in self._how.lines(self._counted(stream)):
                    yield Line(file, number, content)

    def _counted(self, stream: BinaryIO) -> Iterator[bytes]:
        for number, line in enumerate(iter(partial(stream.readline, _MOST_BYTES + 1), b""), 1):
            self.read_bytes += len(line)
            if len(line) > _MOST_BYTES:
                raise click.UsageError(f"line {number} has more than {_MOST_BYTES >> 20} MiB")
            yield line.removeprefix(_BOM) if number == 1 else line


def _size(name: str) -> int | None:
    if name == "-":
        if sys.stdin is None:
            raise click.UsageError("there are no lines to read: standard input is closed")
        return None
    try:
        with Path(name).open("rb") as opened:
            return Path(name).stat().st_size if opened.seekable() else None
    except OSError as error:
        raise click.UsageError(f"{one_line(name)} cannot be read: {error.strerror}") from error


def _json_lines(stream: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(stream, 1):
        if not line.isspace():  # the last line of many files
            yield number, line


def _json_value(line: bytes) -> Value:
    try:
        return decode_json(line.strip(), bounded=False)
    except ConversionError as error:
        if error.expected != "JSON text":
            raise
        # Each line is a text of its own: its number is said elsewhere.
        got = error.got.replace("line 1 column", "column")
        raise ConversionError("$", "lower", "JSON", got, hint="--lines takes each line as text") from None


def _text_lines(stream: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return enumerate(stream, 1)


def _text_value(line: bytes) -> Value:
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line


def _csv_rows(stream: Iterable[bytes]) -> Iterator[tuple[int, tuple[list[str], list[str]]]]:
    csv.field_size_limit(_MOST_BYTES)  # the module's own limit is one of 128 KiB, for the process
    rows = csv.reader(line.decode() for line in stream)
    try:
        names = next(rows, [])
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise click.UsageError(f"the first line has the name {one_line(min(twice))!r} twice; each must be unique")
        for row in rows:
            if row:
                yield rows.line_num, (names, row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise click.UsageError(f"line {rows.line_num + 1} is not CSV: {error}") from error


def _csv_record(content: tuple[list[str], list[str]]) -> Value:
    names, row = content
    if len(row) != len(names):
        raise ConversionError("$", "lower", f"{len(names)} cells, as the first line has names", str(len(row)))
    return dict(zip(names, row, strict=True))


def _csv_cells(content: tuple[list[str], list[str]]) -> Value:
    return list(content[1])


FORMATS = {
    ("json", False): Format(_json_lines, _json_value),
    ("json", True): Format(_json_lines, _json_value),
    ("lines", False): Format(_text_lines, _text_value),
    ("csv", False): Format(_csv_rows, _csv_record),
    ("csv", True): Format(_csv_rows, _csv_cells),
}
"""The formats by their name and whether each line is spread into arguments."""
