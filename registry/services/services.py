"""What the registry offers to guests besides calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from polycall.registry.entries.index import Index
from polycall.registry.services.entry_data import EntryData
from polycall.registry.services.environment import Environment
from polycall.registry.services.filesystems import FileSystems
from polycall.wasm_runtime.compile_cache import default_cache_directory

__all__ = ["GuestServices"]


class GuestServices:
    """See `polycall.interop.services.Services`.

    Args:
        index: Gives the entries as they are at the moment.
        cache_directory: Where compiled WebAssembly is kept; None for the user's cache folder.
    """

    def __init__(self, index: Callable[[], Index], cache_directory: Path | None = None) -> None:
        self._index = index
        self._compiled = Path(os.path.realpath(cache_directory or default_cache_directory()))
        self._file_systems = FileSystems(index(), self._compiled)
        self.environment = Environment(index)
        self.entries = EntryData(index)

    @property
    def file_systems(self) -> FileSystems:
        """The folders."""
        index = self._index()
        if self._file_systems.index is not index:
            self._file_systems = FileSystems(index, self._compiled)
        return self._file_systems
