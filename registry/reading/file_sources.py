"""``file://`` values: text that stands in a file of its own (specification: system facts 1.2)."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from polycall.interop.ids import near_names
from polycall.registry.documents.nodes import Mark, ScalarNode
from polycall.registry.documents.paths import is_there, shown_path
from polycall.registry.documents.text_files import UnreadableError, read_text
from polycall.registry.reading.data_folders import DataFolders, lies_in_data
from polycall.registry.reading.discovery import SourceFile
from polycall.registry.reading.entry_file import EntryFile

__all__ = ["FileSources"]

_SCHEME = "file://"
_SHOWN_NAMES = 5
_MOST_COMPARED = 1000
_MOST_SUGGESTIONS = 20
_INSIDE = "expected a file inside it"


class FileSources:
    """Puts the text of files in the place of ``file://`` values; each file is read once a load.

    Args:
        project: The project folder, without symbolic links in its path.
    """

    def __init__(self, project: Path) -> None:
        self._project = project
        self._texts: dict[Path, str | UnreadableError] = {}
        self._used: dict[str, list[tuple[ScalarNode, str, Path]]] = {}
        self._suggestions_left = _MOST_SUGGESTIONS

    def expand(self, file: EntryFile) -> None:
        """Replaces the values of one entry file; what cannot be read goes to its report."""
        for node, path in file.file_values:
            try:
                target = self._target(file.source, node.text)
                self._used.setdefault(file.source.name, []).append((node, path, target))
                node.value = self._text(target, node.text)
                node.file, node.first_line = shown_path(target, self._project), 1
            except UnreadableError as error:
                file.report.problem(node, path, error.message, error.hint)

    def refuse_data(self, file: EntryFile, data: DataFolders) -> None:
        """Reports the values of one entry file that lie in data: a guest may have written them."""
        for node, path, target in self._used.get(file.source.name, ()):
            holder = data.holder(target)
            if holder is not None:
                message = f"{node.text} {lies_in_data(holder)}: a guest could write it"
                file.report.problem(node, path, message, "keep the file outside of it")

    def _target(self, source: SourceFile, value: str) -> Path:
        """Returns the file that a value names, from the YAML file's folder or, with ``file:///``, its source root."""
        name = value.removeprefix(_SCHEME)
        if not name.strip("/") or "\0" in name:
            raise UnreadableError(f'expected a file after "{_SCHEME}"', "such as file://tax.lua")
        start = source.root if name.startswith("/") else source.path.parent
        target = Path(os.path.normpath(start / name.lstrip("/")))
        if not target.is_relative_to(source.root):
            raise UnreadableError(f"{value} leads out of the folder of the sources", _INSIDE)
        if not Path(os.path.realpath(target)).is_relative_to(source.root):
            raise UnreadableError(f"{value} is a symbolic link out of the folder of the sources", _INSIDE)
        return target

    def _text(self, target: Path, value: str) -> str:
        if target not in self._texts:
            self._texts[target] = self._read(target, value)
        text = self._texts[target]
        if isinstance(text, UnreadableError):
            raise text
        return text

    def _read(self, target: Path, value: str) -> str | UnreadableError:
        shown = shown_path(target, self._project)
        if not is_there(target):
            return UnreadableError(f"no such file: {shown}", self._near(target, value))
        try:
            return read_text(target)
        except UnreadableError as error:
            place = "" if error.at == Mark(1, 1) else f" on line {error.at.line}, column {error.at.column}"
            return UnreadableError(f"{shown} {error.message}{place}", error.hint)

    def _near(self, missing: Path, value: str) -> str | None:
        if not self._suggestions_left:  # each takes some 10 ms: a renamed folder must not make a load wait for minutes
            return None
        self._suggestions_left -= 1
        folder = missing.parent
        try:
            names = sorted(member.name for member in islice(folder.iterdir(), _MOST_COMPARED))
        except OSError:
            return f"there is no folder {shown_path(folder, self._project)}"
        from polycall.registry.documents.accents import accent_twin  # noqa: PLC0415  # most files are there

        start = value[: value.rindex("/") + 1]
        return (
            accent_twin(missing.name, names)
            or _meant(missing.name, names, start)
            or f"its folder has {', '.join(names[:_SHOWN_NAMES])}"
        )


def _meant(name: str, names: list[str], start: str) -> str | None:
    near = near_names(name, names, limit=1)
    return f'did you mean "{start}{near[0]}"?' if near else None
