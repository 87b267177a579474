"""Every link and every path within the documents leads somewhere, and none of them carries what a merge left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from projects import REPOSITORY

DOCUMENTS = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "examples").rglob("*.md")),
]
_LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_QUOTED = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
_MERGE_MARK = re.compile(r"^(?:<{7}|={7}|>{7})(?: |$)", re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """Returns the names that a document's headings have in links."""
    headings = _HEADING.findall(_FENCED.sub("", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert not _MERGE_MARK.search(text)
    for name, anchor in _LINK.findall(_FENCED.sub("", text)):
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), f"{name} is not there"
        assert not anchor or anchor in anchors(target), f"{name or document.name} has no heading #{anchor}"


def paths_of_ours(text: str) -> list[str]:
    """Returns the paths in backticks that begin with a folder of the repository, or with a wing of `registry`."""
    quoted = [path for path in _QUOTED.findall(_FENCED.sub("", text)) if "/" in path and ".." not in path]
    return [path for path in quoted if _home(path) is not None]


def _home(path: str) -> Path | None:
    first = path.partition("/")[0]
    return next((home for home in (REPOSITORY, REPOSITORY / "registry") if (home / first).is_dir()), None)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_path_of_ours_is_there(document: Path) -> None:
    for path in paths_of_ours(document.read_text(encoding="utf-8")):
        home = _home(path)
        assert home is not None
        assert (home / path).exists(), f"{path} is not there"


def test_paths_of_others_are_let_be_and_ours_are_found() -> None:
    text = "`registry/gone.py`, `reading/load.py`, `.ci/run`, but not `shop/_index.yaml`, `/proc`, `a b`, `path`, `n/a`"
    assert paths_of_ours(text) == ["registry/gone.py", "reading/load.py", ".ci/run"]
