"""What a package index shows that only the project's address makes right: its links, and those of the README.

The address is the setting of this hook in ``pyproject.toml``. Without one, nothing is published that leads nowhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

__all__ = ["AddressHook", "links", "long_description"]

_RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)]*)\)")


class AddressHook(MetadataHookInterface):
    """Writes the long description and ``project.urls``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """See `hatchling`."""
        address = str(self.config.get("address", "")).rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": long_description(text, address)}
        metadata["urls"] = links(address)


def links(address: str) -> dict[str, str]:
    """Returns the links of a repository; none without an address."""
    if not address:
        return {}
    pages = {"Documentation": "/tree/main/docs", "Issues": "/issues", "Changelog": "/blob/main/CHANGELOG.md"}
    return {"Homepage": address, "Source": address, **{name: address + path for name, path in pages.items()}}


def long_description(text: str, address: str) -> str:
    """Returns the README with links that lead somewhere from everywhere: into the repository, or else none."""

    def absolute(link: re.Match[str]) -> str:
        picture, words, path = link.groups()
        if not address:
            return words
        return f"{picture}[{words}]({address}/{'raw' if picture else 'blob'}/main/{path})"

    return _RELATIVE.sub(absolute, text)
