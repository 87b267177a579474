"""The limits an entry may declare, the same for both languages."""

from __future__ import annotations

from polycall.interop.fields import at_least, key
from polycall.interop.records import record

__all__ = ["DEFAULT_MAX_OUTPUT_BYTES", "LimitsSpec"]

DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024
"""What one call may print and log where nothing else is declared."""


@record
class LimitsSpec:
    """What one call of an entry may use at most."""

    max_execution_ms: int | None = key(
        "How long one call may take once it has an instance, in milliseconds, waits within it included; "
        "the caller's deadline applies as well.",
        default=None,
        check=at_least(1),  # what takes no time at all cannot be called
    )
    max_memory_bytes: int | None = key(
        "How much memory one instance may hold, in bytes.",
        default=None,
        check=at_least(1),
    )
    max_output_bytes: int | None = key(
        "How much one call may print and log, in bytes; the rest is dropped. 1 MiB if nothing is declared.",
        default=None,
        check=at_least(0),
    )

    @property
    def execution_seconds(self) -> float | None:
        """How long one call may take, in seconds, or None."""
        return None if self.max_execution_ms is None else self.max_execution_ms / 1000

    @property
    def output_bytes(self) -> int:
        """What one call may print and log, the default included."""
        return DEFAULT_MAX_OUTPUT_BYTES if self.max_output_bytes is None else self.max_output_bytes
