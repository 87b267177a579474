"""From entries to a registry: those of a project, and those that are in no file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from polycall.interop.isolation import ISOLATIONS
from polycall.interop.public import public
from polycall.registry.entries.index import Index
from polycall.registry.from_python.opened import Opened
from polycall.registry.reading.load import load_index
from polycall.registry.registry import Registry, registry_of

__all__ = ["load", "of_entries"]


@public
def load(
    path: str | PathLike[str] = ".",
    *,
    cache_directory: str | PathLike[str] | None = None,
    max_depth: int | None = None,
    isolation: str | None = None,
    metrics: bool = False,
    telemetry: bool = False,
) -> Registry:
    """Reads the settings and the entry files of a project folder.

    Args:
        path: The folder.
        cache_directory: Where compiled WebAssembly is kept between runs; by default ``polycall`` in the user's cache
            folder, or what ``POLYCALL_CACHE_DIR`` says.
        max_depth: How many hops a chain of calls may have, 1 to 32; by default what ``polycall.yaml`` says, or 32.
        isolation: ``none``, ``sandbox``, ``process`` or ``process+sandbox``: what every function has at least, in the
            place of what ``polycall.yaml`` says.
        metrics: Measure how long calls take, for the histograms of `Registry.stats`.
        telemetry: Tell OpenTelemetry of every call, by spans and metrics; needs the extra ``polycall[otel]``.

    Returns:
        The registry. Nothing is compiled yet: an entry is prepared when it is first called. Its calls are logged if the
        log ``polycall.call`` is enabled for DEBUG by now.

    Raises:
        DeclarationError: The entry files are wrong; all problems are listed.
        NotFoundError: There is no such folder, or it is no project.
        ModuleNotFoundError: `telemetry` is wanted, but opentelemetry-api is not installed.
    """
    if isolation is not None and isolation not in ISOLATIONS:
        raise ValueError(f"isolation is {isolation!r}; it must be one of {', '.join(ISOLATIONS)}")
    return registry_of(
        Opened(
            load_index(Path(path), isolation=isolation),
            has_files=True,
            cache_directory=cache_directory,
            max_depth=max_depth,
            metrics=metrics,
            telemetry=telemetry,
        )
    )


def of_entries(index: Index) -> Registry:
    """Returns a registry of entries that nobody can read again."""
    return registry_of(Opened(index, has_files=False))
