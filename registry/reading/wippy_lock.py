"""``wippy.lock``: where a Wippy project keeps its sources and the modules it uses."""

from __future__ import annotations

import os
from pathlib import Path

from polycall.interop.errors import DeclarationError, Problem
from polycall.registry.documents.nodes import START, ListNode, MapNode, Node, ScalarNode, describe_node
from polycall.registry.documents.paths import is_folder
from polycall.registry.documents.problems import Report
from polycall.registry.documents.text_files import UnreadableError, read_text
from polycall.registry.documents.yaml_document import read_yaml
from polycall.registry.reading.discovery import LOCK_FILE, SourceRoot

__all__ = ["source_roots"]

_SOURCES = "./src"
_MODULES = ".wippy"


def source_roots(project: Path) -> tuple[list[SourceRoot], list[Problem]]:
    """Returns the folders of sources of a project that has a lock file, and what is wrong with that.

    These are the folder of sources that it names (``./src`` by default), each unpacked module
    (``.wippy/vendor/ORGANISATION/MODULE``), and each replacement of a module.
    """
    report = Report(LOCK_FILE)
    try:
        root = read_yaml(read_text(project / LOCK_FILE), report).root
        return _LockFile(project, report).roots(root), report.problems
    except UnreadableError as error:
        report.problem(error.at, "", f"the file {error.message}", error.hint)
    except DeclarationError as error:
        report.problems += error.problems
    return [], report.problems


class _LockFile:
    def __init__(self, project: Path, report: Report) -> None:
        self._project = project
        self._report = report

    def roots(self, root: Node | None) -> list[SourceRoot]:
        top = self._mapping(root, "")
        directories = self._mapping(top.get("directories"), "directories")
        sources = self._folder(directories.get("src"), "directories.src", _SOURCES)
        modules = self._text(directories.get("modules"), "directories.modules", _MODULES)
        replaced = self._replacements(top.get("replacements"))
        folders = [] if sources is None else [sources]
        vendor = self._resolved(modules or _MODULES) / "vendor"
        folders += [folder for folder in _modules_in(vendor) if _module_name(folder) not in replaced]
        folders += replaced.values()
        # A folder of sources may hold another, such as the modules: what lies in the inner one belongs to it alone.
        return [SourceRoot(folder, frozenset(folders) - {folder}) for folder in dict.fromkeys(folders)]

    def _replacements(self, node: Node | None) -> dict[str, Path]:
        replaced: dict[str, Path] = {}
        for index, item in enumerate(self._list(node, "replacements")):
            path = f"replacements[{index}]"
            fields = self._mapping(item, path)
            module = self._text(fields.get("from"), f"{path}.from", None)
            folder = self._folder(fields.get("to"), f"{path}.to", None)
            for field in {"from", "to"} - fields.keys() if isinstance(item, MapNode) else ():
                self._report.problem(item, f"{path}.{field}", "required, but missing")
            if module is not None and folder is not None:
                replaced[module] = folder
        return replaced

    def _folder(self, node: Node | None, path: str, default: str | None) -> Path | None:
        text = self._text(node, path, default)
        if text is None:
            return None
        folder = self._resolved(text)
        if is_folder(folder):
            return folder
        hint = None if node else "name the folder of the sources under directories.src"
        self._report.problem(node or START, path, f"there is no folder {text}", hint)
        return None

    def _resolved(self, text: str) -> Path:
        return Path(os.path.realpath(self._project / text.replace("\0", "")))

    def _mapping(self, node: Node | None, path: str) -> dict[str, Node]:
        if isinstance(node, MapNode):
            return node.items
        self._refuse(node, path, "a mapping")
        return {}

    def _list(self, node: Node | None, path: str) -> list[Node]:
        if isinstance(node, ListNode):
            return node.items
        self._refuse(node, path, "a list")
        return []

    def _text(self, node: Node | None, path: str, default: str | None) -> str | None:
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            return node.value
        self._refuse(node, path, "a string")
        return default

    def _refuse(self, node: Node | None, path: str, expected: str) -> None:
        """Notes a wrong type; a missing or empty value is none."""
        if node is not None and not (isinstance(node, ScalarNode) and node.value is None):
            self._report.problem(node, path, f"expected {expected}, got {describe_node(node)}")


def _modules_in(vendor: Path) -> list[Path]:
    return sorted(Path(os.path.realpath(folder)) for folder in vendor.glob("*/*/") if is_folder(folder))


def _module_name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name.partition('@')[0]}"
