"""How many addresses a memory takes in advance: where the system bounds those of a process, few.

An engine reserves 4 GiB for each memory, and as many for each heap of exceptions: then no access needs a check, and
addresses cost nothing. But ``ulimit -v`` counts them: under 12 GB the second guest that has both would not start.
"""

from __future__ import annotations

__all__ = ["GUARD_BYTES", "sparing_reservation"]

GUARD_BYTES = 64 << 10
"""What is reserved behind each memory besides, for nothing."""

_PART = 80
"""So a chain of calls as deep as may be has room, each of them in an instance of its own."""
_LEAST_BYTES, _MOST_BYTES = 64 << 20, 1 << 30


def sparing_reservation() -> int | None:
    """Returns what fits forty times into the addresses of the process, for a memory and for a heap each.

    Memories stay where they are, so that is what each can hold. None if nothing bounds addresses.
    """
    limit = _most_addresses()
    if limit is None:
        return None
    # A power of two: it is a part of the key of compiled code, and few of those should do.
    return min(max(1 << (limit // _PART).bit_length() >> 1, _LEAST_BYTES), _MOST_BYTES)


def _most_addresses() -> int | None:
    try:
        import resource  # noqa: PLC0415  # not there on Windows, where nothing bounds addresses
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit
