"""What guests may ask of the registry besides calls: environment variables, folders and entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from polycall.interop.values import Value

if TYPE_CHECKING:
    from polycall.interop.confined import ConfinedFolder

__all__ = ["Entries", "Environment", "FileSystems", "Services"]


class Environment(Protocol):
    """The variables that ``env.variable`` entries declare.

    A variable is named by its public name, by its id, or by the bare name of an entry in the namespace given.
    """

    def get(self, name: str, namespace: str | None = None) -> str:
        """Returns a value, or the declared default where there is none or it is empty.

        Raises:
            PolycallError: NotFound if there is no such variable or it has no value.
        """
        ...

    def set(self, name: str, value: str, namespace: str | None = None) -> None:
        """Writes a value to the storage of the variable.

        Raises:
            PolycallError: NotFound; PermissionDenied if the variable or its storage cannot be written.
        """
        ...

    def get_all(self) -> Mapping[str, str]:
        """Returns every variable that has a value, by public name."""
        ...


class FileSystems(Protocol):
    """The folders that ``fs.directory`` entries declare."""

    def folder(self, name: str, namespace: str | None = None) -> ConfinedFolder:
        """Returns the folder of an entry, named by its id or by its bare name in the namespace given.

        Raises:
            PolycallError: There is no such entry or folder, or the entry is of another kind.
        """
        ...


class Entries(Protocol):
    """The entries as data: ``{id, kind, meta, data}``."""

    def get(self, entry_id: str) -> dict[str, Value]:
        """Returns an entry.

        Raises:
            PolycallError: NotFound; Invalid if the text is no id.
        """
        ...

    def find(self, filters: Mapping[str, Value], check: Callable[[], None] | None = None) -> list[Value]:
        """Returns the entries that fit every filter, in the order of their ids.

        Args:
            filters: ``.kind``, ``.ns`` or ``.name``, or a key of the metadata, with or without ``meta.`` before it; and
                what must be equal.
            check: Called again and again; raises to end the work.

        Raises:
            PolycallError: Invalid: a filter with a dot in front that is none of these, too many filters, or one whose
                name is too long; or what was found is more than crosses.
        """
        ...


class Services(Protocol):
    """All of them; what a runtime is handed beside its `Invoker`. They show the entries as they are at the moment."""

    @property
    def environment(self) -> Environment:
        """The environment variables."""
        ...

    @property
    def file_systems(self) -> FileSystems:
        """The folders."""
        ...

    @property
    def entries(self) -> Entries:
        """The entries as data."""
        ...
