"""``.polycall``: where a project keeps what can be made again, so that no version control need know it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["own_folder"]


def own_folder(root: Path, *, make: bool = False) -> Path:
    """Returns the folder, which no entry file is looked for in.

    Args:
        root: The project folder.
        make: Whether to make it if it is missing.
    """
    folder = root / ".polycall"
    if make and not folder.is_dir():
        folder.mkdir()
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder
