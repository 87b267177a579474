"""A route: a prepared function with its pool. It runs one call, whatever the language."""

from __future__ import annotations

import time
from collections.abc import Sequence

from interop.context import CallContext, Cancellation
from interop.errors import InternalError, PolycallError
from interop.pool import Pool
from interop.pool_spec import PoolPolicy
from interop.protocols import Function, Instance
from interop.values import Value

__all__ = ["Route"]


class Route:
    """Where the calls of one entry go.

    Attributes:
        function: The prepared function.
        pool: Its instances.
        shrinks: Whether the pool needs to be looked after for idle instances.
    """

    __slots__ = ("_entry_id", "_language", "_max_seconds", "function", "pool", "shrinks")

    def __init__(
        self, function: Function, pool: Pool[Instance], policy: PoolPolicy, max_execution_ms: int | None
    ) -> None:
        self.function = function
        self.pool = pool
        self.shrinks = policy.idle_seconds > 0
        self._entry_id = function.entry_id
        self._language = function.language
        self._max_seconds = None if max_execution_ms is None else max_execution_ms / 1000

    def context(
        self,
        parent: CallContext | None,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
        values: dict[str, Value] | None = None,
    ) -> CallContext:
        """Returns the frame of a call that is about to start; a call from outside has no parent."""
        if self._max_seconds is not None:
            own = time.monotonic() + self._max_seconds
            deadline = own if deadline is None else min(own, deadline)
        return CallContext(
            self._entry_id, self._language, parent, deadline=deadline, cancellation=cancellation, values=values
        )

    def run(self, arguments: Sequence[Value], context: CallContext, max_depth: int) -> Value:
        """Checks an instance out, calls it and gives it back; `max_depth` bounds the hops of the chain.

        Raises:
            PolycallError: Whatever made the call fail; it has the frames of the innermost call that failed.
        """
        try:
            context.check(max_depth)
            instance = self.pool.check_out(context)
            try:
                return instance.call(arguments, context)
            except BaseException as error:
                # Only an error that polycall raised on purpose says that the instance is still sound.
                if not isinstance(error, PolycallError):
                    instance.poisoned = True
                raise
            finally:
                self.pool.give_back(instance)
        except PolycallError as error:
            raise self._framed(error, context)  # noqa: B904  # it is the same error, seen on its way out
        except Exception as error:
            fault = InternalError(
                f"{type(error).__name__}: {error}", entry_id=self._entry_id, hint="this is a fault of polycall"
            )
            raise self._framed(fault, context) from error

    def _framed(self, error: PolycallError, context: CallContext) -> PolycallError:
        if not error.frames:
            error.frames = context.frames()
            error.entry_id = error.entry_id or self._entry_id
        return error
