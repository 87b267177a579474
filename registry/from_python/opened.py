"""What a registry owns from its opening to its end, and the steps between: opening, reading again, closing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polycall.interop.context import DEFAULT_MAX_DEPTH
from polycall.interop.errors import DeclarationError
from polycall.interop.logs import DEBUG, is_wanted
from polycall.interop.observer import Observer
from polycall.registry.dispatch.dispatcher import Dispatcher
from polycall.registry.entries.index import Index
from polycall.registry.observers import CALL_LOG
from polycall.registry.reading.load import load_index

if TYPE_CHECKING:  # at run time, what one call does not need is imported where it is used: a cold start pays for it
    from polycall.registry.dispatch.stats import Stats
    from polycall.registry.entries.changes import Changes
    from polycall.registry.observers.latencies import Latencies

__all__ = ["Opened", "without_files"]


class Opened:
    """The dispatcher of a registry, and who watches its calls.

    Args:
        index: The entries.
        has_files: Whether they are those of a folder, and can be read again.
        cache_directory, max_depth, metrics, telemetry: As for `polycall.load`.

    Attributes:
        dispatcher: Runs the entries.
        has_files: As given.

    Raises:
        ValueError: A chain of calls cannot be that deep.
        ModuleNotFoundError: There is no OpenTelemetry.
    """

    def __init__(
        self,
        index: Index,
        *,
        has_files: bool,
        cache_directory: str | PathLike[str] | None = None,
        max_depth: int | None = None,
        metrics: bool = False,
        telemetry: bool = False,
    ) -> None:
        if max_depth is not None and not 1 <= max_depth <= DEFAULT_MAX_DEPTH:
            raise ValueError(f"max_depth is {max_depth}; it must be 1 to {DEFAULT_MAX_DEPTH}")
        self._latencies, observers = _observers(metrics=metrics, telemetry=telemetry)
        self.has_files = has_files
        self.dispatcher = Dispatcher(
            index,
            cache_directory=None if cache_directory is None else Path(cache_directory),
            max_depth=max_depth,
            observers=observers,
            has_files=has_files,
        )

    def reload(self) -> Changes:
        """Reads the files again; see `polycall.Registry.reload`."""
        own = self.dispatcher.table.index

        def read() -> Index:
            if self.has_files:
                return load_index(own.root, isolation=own.settings.given_isolation)
            return Index((), own.root, (), own.settings)

        changes = self.dispatcher.reload(read)
        self.forget((*changes.changed, *changes.removed))
        return changes

    def forget(self, targets: Iterable[str]) -> None:
        """Has entries begin anew with their figures."""
        if self._latencies is not None:
            self._latencies.forget(targets)

    def stats(self) -> Stats:
        """Returns what was counted so far."""
        from polycall.registry.dispatch.stats import collect  # noqa: PLC0415  # see TYPE_CHECKING

        return collect(self.dispatcher.table.routes(), self._latencies)


def without_files(settings: Mapping[str, Any] | None) -> Index:
    """Returns the index of a registry that has only what Python puts there.

    Raises:
        DeclarationError: The settings are wrong; all problems are listed.
    """
    empty = Index((), Path.cwd())
    if settings is None:
        return empty
    from polycall.registry.entries.settings import Settings  # noqa: PLC0415  # see TYPE_CHECKING
    from polycall.registry.reading.python_entries import decoded  # noqa: PLC0415  # the same

    found, problems = decoded(Settings, settings, "Registry()")
    if problems:
        raise DeclarationError(problems)
    return Index((), empty.root, (), found)


def _observers(*, metrics: bool, telemetry: bool) -> tuple[Latencies | None, list[Observer]]:
    latencies: Latencies | None = None
    observers: list[Observer] = []
    if metrics:
        from polycall.registry.observers.latencies import Latencies  # noqa: PLC0415  # see TYPE_CHECKING

        observers.append(latencies := Latencies())
    if is_wanted(CALL_LOG, DEBUG):  # once: asking at each call would make short ones a tenth slower
        from polycall.registry.observers.call_log import CallLog  # noqa: PLC0415  # few listen

        observers.append(CallLog())
    if telemetry:
        from polycall.registry.observers.telemetry import Telemetry  # noqa: PLC0415  # its package is an extra

        observers.append(Telemetry())
    return latencies, observers
