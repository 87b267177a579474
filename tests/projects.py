"""Small projects for tests."""

from __future__ import annotations

from pathlib import Path

__all__ = ["GUESTS", "REPOSITORY", "hash_of", "write_project"]

REPOSITORY = Path(__file__).resolve().parents[1]
GUESTS = REPOSITORY / "tests" / "guests"


def write_project(folder: Path, **files: str) -> Path:
    """Writes files into a folder and returns it; ``index`` stands for ``_index.yaml``, ``a_lua`` for ``a.lua``."""
    for name, text in files.items():
        file = "_index.yaml" if name == "index" else ".".join(name.rsplit("_", 1))
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def hash_of(path: Path) -> str:
    """Returns the hash of a file as a declaration has it."""
    import hashlib

    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
