"""The kind ``fs.directory`` (specification: system facts 1.8)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from polycall.interop.fields import key, matches, one_of
from polycall.interop.records import record

__all__ = ["KINDS", "FsDirectorySpec", "check_mode"]

check_mode = matches(r"0?[0-7]{3}", 'three octal digits with or without a leading 0, such as "0755"')


@record
class FsDirectorySpec:
    """``fs.directory``: a folder that other entries name."""

    directory: str = key("The folder, relative to what base says, or absolute.", non_empty=True)
    auto_init: bool = key("Make the folder when it is missing.", default=False)
    mode: str = key("The permissions of a folder that is made, in octal.", default="0755", check=check_mode)
    base: str = key(
        "What a relative folder starts from: the project, or the module that declares it.",
        default="project",
        check=one_of("project", "module"),
    )


KINDS: Mapping[str, type] = MappingProxyType({"fs.directory": FsDirectorySpec})
"""Kind to the dataclass of its keys."""
