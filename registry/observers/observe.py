"""Tells observers of calls: one call for all of them, and none of them can harm a call."""

from __future__ import annotations

from collections.abc import Sequence

from polycall.interop.logs import logger
from polycall.interop.observer import Ended, Finish, ObservedCall, Observer, WaitObserver
from polycall.interop.values import Value

__all__ = ["Observers"]

_LOG = "polycall.observer"


class Observers:
    """Several observers in the shape of one. The last to hear of a call's beginning is the first to hear of its end.

    Args:
        members: The observers; what they raise is logged.
    """

    def __init__(self, *members: Observer) -> None:
        self._members = members

    def start(self, context: ObservedCall, arguments: Sequence[Value]) -> Finish:
        """Tells all of a call that begins; see `polycall.interop.observer.Observer`."""
        finishes: list[Finish] = []
        for member in self._members:
            try:
                finishes.append(member.start(context, arguments))
            except Exception:  # noqa: BLE001  # whoever watches must not break what it watches
                logger(_LOG).exception(
                    "%s failed at the start of a call of %s", type(member).__name__, context.entry_id
                )

        def finish(ended: Ended) -> None:
            for each in reversed(finishes):
                try:
                    each(ended)
                except Exception:  # noqa: BLE001  # as above
                    logger(_LOG).exception("an observer failed at the end of a call of %s", context.entry_id)

        return finish

    def waited(self, context: ObservedCall, what: str, seconds: float) -> None:
        """Tells those who want to know what a guest has waited for; see `polycall.interop.observer.WaitObserver`."""
        for member in self._members:
            if not isinstance(member, WaitObserver):
                continue
            try:
                member.waited(context, what, seconds)
            except Exception:  # noqa: BLE001  # as above
                logger(_LOG).exception("%s failed at a wait of %s", type(member).__name__, context.entry_id)
