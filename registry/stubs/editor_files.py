"""The files of a project's ``.polycall`` that editors read: schemas, and definitions for Lua."""

from __future__ import annotations

import json
from pathlib import Path

from polycall.registry.documents.text_edits import replace_file
from polycall.registry.entries.schema import entry_file_schema, settings_schema
from polycall.registry.own_folder import own_folder
from polycall.registry.stubs.lua_stubs import lua_definitions
from polycall.registry.stubs.typed_entries import TypedEntry

__all__ = ["write_editor_files"]


def write_editor_files(root: Path, entries: list[TypedEntry]) -> Path:
    """Writes them, over those that are there.

    Args:
        root: The project folder.
        entries: Its functions.

    Returns:
        The folder that they are in.
    """
    folder = own_folder(root, make=True)
    files = {f"lua/{name}": text for name, text in lua_definitions(entries).items()}
    files["entries.schema.json"] = json.dumps(entry_file_schema(), indent=2) + "\n"
    files["project.schema.json"] = json.dumps(settings_schema(), indent=2) + "\n"
    (folder / "lua").mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.touch()
        replace_file(path, text.encode())
    return folder
