"""What the registry offers to guests besides calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from polycall.interop.forks import new_lock
from polycall.registry.entries.index import Index

if TYPE_CHECKING:  # each is imported when a guest asks for it: most functions do not, and a cold start pays for it
    from polycall.registry.services.entry_data import EntryData
    from polycall.registry.services.environment import Environment
    from polycall.registry.services.filesystems import FileSystems

__all__ = ["GuestServices"]


class GuestServices:
    """See `polycall.interop.services.Services`.

    Args:
        index: Gives the entries as they are at the moment.
        cache_directory: Where compiled WebAssembly is kept; None for the user's cache folder.
    """

    def __init__(self, index: Callable[[], Index], cache_directory: Path | None = None) -> None:
        self._index = index
        self._cache_directory = cache_directory
        self._lock = new_lock()
        self._environment: Environment | None = None
        self._file_systems: FileSystems | None = None

    @property
    def environment(self) -> Environment:
        """The variables."""
        from polycall.registry.services.environment import Environment  # noqa: PLC0415  # see TYPE_CHECKING

        with self._lock:  # one for all, for it keeps values
            self._environment = self._environment or Environment(self._index)
            return self._environment

    @property
    def entries(self) -> EntryData:
        """The entries as data."""
        from polycall.registry.services.entry_data import EntryData  # noqa: PLC0415  # see TYPE_CHECKING

        return EntryData(self._index)

    @property
    def file_systems(self) -> FileSystems:
        """The folders."""
        from polycall.registry.services.filesystems import FileSystems  # noqa: PLC0415  # see TYPE_CHECKING
        from polycall.wasm_runtime.engine.cache_folder import default_cache_directory  # noqa: PLC0415  # the same

        index, known = self._index(), self._file_systems
        if known is None or known.index is not index:
            compiled = os.path.realpath(self._cache_directory or default_cache_directory())
            known = self._file_systems = FileSystems(index, Path(compiled))
        return known
