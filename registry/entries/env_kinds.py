"""The entry kinds ``env.*`` (specification: system facts 1.9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from polycall.interop.fields import key
from polycall.interop.ids import EntryId
from polycall.interop.records import record
from polycall.registry.entries.data_kinds import check_mode

__all__ = [
    "KINDS",
    "EnvFileSpec",
    "EnvMemorySpec",
    "EnvOsSpec",
    "EnvRouterSpec",
    "EnvStaticSpec",
    "EnvVariableSpec",
]

_NAME = re.compile(r"[A-Za-z0-9_]+")
_NO_VALUES: Mapping[str, str] = MappingProxyType({})
_STORAGES = ("env.storage.memory", "env.storage.file", "env.storage.os", "env.storage.static", "env.storage.router")


def _check_name(value: str) -> str | None:
    return None if _NAME.fullmatch(value) else 'letters, digits and underscores, such as "API_URL"'


def _check_path(value: str) -> str | None:
    path = PurePosixPath(value)
    inside = value and not path.is_absolute() and ".." not in path.parts and "\0" not in value
    return None if inside else 'a path inside the project, such as "config/.env"'


@record
class EnvMemorySpec:
    """``env.storage.memory``: values that live as long as the registry."""


@record
class EnvFileSpec:
    """``env.storage.file``: a dotenv file."""

    file_path: str = key("The file, relative to the project folder and inside it.", check=_check_path)
    auto_create: bool = key("Take a missing file for an empty one, and make it when it is written.", default=False)
    file_mode: str = key("The permissions of a file that is made, in octal.", default="0644", check=check_mode)
    dir_mode: str = key("The permissions of folders that are made for it, in octal.", default="0755", check=check_mode)


@record
class EnvOsSpec:
    """``env.storage.os``: the environment of the process, read-only."""


@record
class EnvStaticSpec:
    """``env.storage.static``: values that the declaration holds, read-only."""

    values: Mapping[str, str] = key("Name to value.", default=_NO_VALUES)


@record
class EnvRouterSpec:
    """``env.storage.router``: reads from the first storage that has a value, writes to the first."""

    storages: tuple[EntryId, ...] = key("The storages, in order.", non_empty=True, refers_to=_STORAGES)


@record
class EnvVariableSpec:
    """``env.variable``: one variable that guests may read and write."""

    variable: str = key("Its public name, of which there is one in the project.", check=_check_name)
    storage: EntryId = key("The env.storage entry that holds its value.", refers_to=_STORAGES)
    default: str | None = key("The value when the storage has none, or an empty one.", default=None)
    readonly: bool = key("Refuse to change it.", default=False)


KINDS: Mapping[str, type] = MappingProxyType(
    {
        "env.storage.file": EnvFileSpec,
        "env.storage.memory": EnvMemorySpec,
        "env.storage.os": EnvOsSpec,
        "env.storage.router": EnvRouterSpec,
        "env.storage.static": EnvStaticSpec,
        "env.variable": EnvVariableSpec,
    }
)
"""Kind to the dataclass of its keys."""
