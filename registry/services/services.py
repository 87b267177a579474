"""What the registry offers to guests besides calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from polycall.registry.entries.index import Index
from polycall.registry.services.entry_data import EntryData
from polycall.registry.services.filesystems import FileSystems

if TYPE_CHECKING:
    from polycall.registry.services.environment import Environment

__all__ = ["GuestServices"]


class GuestServices:
    """See `polycall.interop.services.Services`.

    Args:
        index: Gives the entries as they are at the moment.
    """

    def __init__(self, index: Callable[[], Index]) -> None:
        self._index = index
        self.entries = EntryData(index)
        self._lock = threading.Lock()
        self._environment: Environment | None = None

    @property
    def environment(self) -> Environment:
        """The variables."""
        from polycall.registry.services.environment import Environment  # noqa: PLC0415  # few projects have variables

        with self._lock:
            self._environment = self._environment or Environment(self._index)
            return self._environment

    @property
    def file_systems(self) -> FileSystems:
        """The folders."""
        return FileSystems(self._index())
