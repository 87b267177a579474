"""The log ``polycall.call``: one DEBUG record for each call that has ended."""

from __future__ import annotations

from collections.abc import Sequence

from polycall.interop.logs import logger
from polycall.interop.observer import Ended, Finish, ObservedCall
from polycall.interop.values import Value
from polycall.registry.observers import CALL_LOG

__all__ = ["CallLog"]


class CallLog:
    """Writes the records. What they say stands in their attributes as well: see `docs/observability.md`."""

    def start(self, context: ObservedCall, arguments: Sequence[Value]) -> Finish:
        """Returns what writes the record."""
        log = logger(CALL_LOG)

        def finish(ended: Ended) -> None:
            duration_ms = ended.seconds * 1000
            fields = {
                "entry_id": context.entry_id,
                "language": context.language,
                "call_id": context.call_id,
                "frame_id": context.frame_id,
                "depth": context.depth,
                "duration_ms": duration_ms,
                "outcome": ended.outcome,
            }
            log.debug(
                "%s (%s): %s, %.3f ms", context.entry_id, context.language, ended.outcome, duration_ms, extra=fields
            )

        return finish
