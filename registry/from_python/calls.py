"""Calls that are more than a call: with a result that is checked, on a thread, with each of many items.

Imported when the first of them is made: a cold start pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from functools import partial
from typing import Any

from polycall.interop.context import Cancellation
from polycall.interop.errors import PolycallError
from polycall.interop.ids import EntryId
from polycall.interop.values import Value, plain_all
from polycall.registry.dispatch.async_calls import AsyncCalls
from polycall.registry.dispatch.dispatcher import Dispatcher
from polycall.registry.dispatch.narrowing import narrowing
from polycall.registry.dispatch.python_functions import current_context
from polycall.registry.from_python.names import id_text
from polycall.registry.from_python.terms import Terms, result_check, terms

__all__ = ["Calls"]


class Calls:
    """What `Registry.call`, `call_async` and `map` have to do for those."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._threads = AsyncCalls()

    terms = staticmethod(terms)
    narrowing = staticmethod(narrowing)

    def checked(
        self,
        target: str | EntryId,
        arguments: Sequence[object],
        returns: Any,
        terms: Terms,
        cancellation: Cancellation | None,
    ) -> Any:
        """Makes a call here, and checks its result."""
        check = result_check(returns)
        return check(self._call(id_text(target), arguments, terms, terms.deadline(), cancellation))

    def in_thread(
        self, target: str | EntryId, arguments: Sequence[object], returns: Any, terms: Terms
    ) -> Coroutine[Any, Any, Any]:
        """Makes a call on a thread, which is to be awaited; cancelling the awaiting task stops the guest as well."""
        text = id_text(target)
        deadline, cancellation = terms.deadline(), Cancellation()
        given = (text, arguments, terms, deadline, cancellation)
        work: Callable[..., Any] = self._call
        if returns is not None:
            work = partial(_checked, result_check(returns), work)
        return self._threads.run(text, work, given, deadline, cancellation)

    def of_each(
        self,
        target: str | EntryId,
        items: Iterable[Any],
        terms: Terms,
        *,
        workers: int,
        ordered: bool,
        spread: bool,
        keep_going: bool,
    ) -> Generator[Value | PolycallError]:
        """Makes a call with each item; see `polycall.registry.dispatch.bulk`."""
        from polycall.registry.dispatch.bulk import in_bulk, results  # noqa: PLC0415  # a cold start pays for it

        text = id_text(target)
        cancellation = None if terms.timeout is None else Cancellation()

        def work(item: Any) -> Value:
            return self._call(text, (*item,) if spread else (item,), terms, terms.deadline(), cancellation)

        outcomes = in_bulk(work, items, workers=workers, ordered=ordered, cancellation=cancellation)
        return results(outcomes, keep_going=keep_going)

    def _call(
        self,
        target: str,
        arguments: Sequence[object],
        terms: Terms,
        deadline: float | None,
        cancellation: Cancellation | None,
    ) -> Value:
        return self._dispatcher.call_from_outside(
            target,
            plain_all(arguments, "$.args", self._dispatcher.admits),
            current_context(),
            deadline,
            cancellation,
            terms.values,
            terms.observer,
            terms.narrowing,
        )

    def close(self) -> None:
        """Refuses new calls on threads, and waits for those that run."""
        self._threads.close()


def _checked(check: Callable[[Value], Any], work: Callable[..., Value], *arguments: Any) -> Any:
    return check(work(*arguments))
