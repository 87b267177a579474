"""Writes the pages of the site, as its generator reads them, from the documents of the repository.

A document is written to be read where it stands, in a clone: its links lead to files, and its blocks say what the tests
do with them. In the pages a link to another document leads to its page, one to any other file is its text alone, and a
block that is written to a file has the file's name as its title.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["main", "prepared"]

REPOSITORY = Path(__file__).resolve().parents[2]
_TOP = {name: name.lower() for name in ("CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md")} | {"README.md": "index.md"}
_EXAMPLES = "examples/index.md"
_FENCED = re.compile(r"^```(?P<language>[^\s`]+)(?P<options>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?!\w+:|#)(?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?\)")
_FILE = re.compile(r"\bfile=(\S+)")


def pages() -> dict[str, str]:
    """Returns each document, by its path in the repository, and the page that it becomes."""
    docs = REPOSITORY / "docs"
    own = {f"docs/{name}": name for name in (path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))}
    examples = (path.parent.name for path in (REPOSITORY / "examples").glob("*/README.md"))
    return (
        own
        | _TOP
        | {f"examples/{name}/README.md": f"examples/{name}.md" for name in examples}
        | {"examples": _EXAMPLES}
    )


def prepared(text: str, document: str, pages: Mapping[str, str]) -> str:
    """Returns the page that a document becomes.

    Args:
        text: The document.
        document: Its path in the repository.
        pages: Each document and its page.
    """
    parts, end = [], 0
    for block in _FENCED.finditer(text):
        parts += [_with_links(text[end : block.start()], document, pages), _with_title(block)]
        end = block.end()
    return "".join([*parts, _with_links(text[end:], document, pages)])


def _with_title(block: re.Match[str]) -> str:
    file = _FILE.search(block["options"])
    title = f' title="{file[1]}"' if file else ""
    return f"```{block['language']}{title}\n{block['body']}```"


def _with_links(text: str, document: str, pages: Mapping[str, str]) -> str:
    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(document), match["target"]))
        page = pages.get(target) or pages.get(f"{target}/README.md")
        if page is None:
            return match["text"]
        path = posixpath.relpath(page, posixpath.dirname(pages[document]) or ".")
        return f"[{match['text']}]({path}{match['anchor'] or ''})"

    return _LINK.sub(link, text)


def _examples(pages: Mapping[str, str]) -> str:
    """Returns a list of the examples, each by the heading of its README."""
    lines = []
    for document in sorted(each for each in pages if each.startswith("examples/")):
        heading = (REPOSITORY / document).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{heading}]({document})")
    return "\n".join(["# Examples", "", *lines, ""])


def main(folder: Path) -> None:
    """Writes all pages, and the pictures, into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    all_pages = pages()
    for document, page in all_pages.items():
        text = _examples(all_pages) if page == _EXAMPLES else (REPOSITORY / document).read_text(encoding="utf-8")
        path = folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(prepared(text, document, all_pages), encoding="utf-8")
    for picture in (REPOSITORY / "docs").glob("*.png"):
        shutil.copy(picture, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
