"""What the registry offers to guests besides calls."""

from __future__ import annotations

from collections.abc import Callable

from polycall.registry.entries.index import Index
from polycall.registry.services.entry_data import EntryData
from polycall.registry.services.environment import Environment
from polycall.registry.services.filesystems import FileSystems

__all__ = ["GuestServices"]


class GuestServices:
    """See `polycall.interop.services.Services`.

    Args:
        index: Gives the entries as they are at the moment.
    """

    def __init__(self, index: Callable[[], Index]) -> None:
        self._index = index
        self.environment = Environment(index)
        self.entries = EntryData(index)

    @property
    def file_systems(self) -> FileSystems:
        """The folders."""
        return FileSystems(self._index())
