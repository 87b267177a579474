"""A route: a prepared function with its pool. It runs one call, whatever the language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from polycall.interop.callees import Callees
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import InternalError, PolycallError
from polycall.interop.exception_text import exception_text
from polycall.interop.forks import new_lock
from polycall.interop.limits import LimitsSpec
from polycall.interop.observer import INTERRUPTED, Observer, observed
from polycall.interop.pool import Pool, poison
from polycall.interop.pool_spec import PoolPolicy
from polycall.interop.protocols import Function, Instance
from polycall.interop.stack import StackRoom
from polycall.interop.values import Value

__all__ = ["Route", "Taken"]


class Taken(Protocol):
    """What stands in for the pool in a call whose instance is held; see `polycall.interop.pool.Pool`."""

    def check_out(self, context: CallContext) -> Instance:
        """Returns an instance that is the call's alone."""
        ...

    def give_back(self, instance: Instance) -> None:
        """Takes it back."""
        ...

    def take_back(self, context: CallContext) -> None:
        """Takes back what a call still holds that Python has broken off."""
        ...


def _call_taken(taken: Taken, arguments: Sequence[Value], context: CallContext) -> Value:
    """Does what `Pool.call` does, with what stands in for a pool."""
    instance = taken.check_out(context)
    try:
        return instance.call(arguments, context)
    except BaseException as error:
        poison(instance, error)
        raise
    finally:
        taken.give_back(instance)


class Route:
    """Where the calls of one entry go.

    Attributes:
        entry_id: ``namespace:name``.
        language: ``lua``, ``wasm`` or ``python``.
        callees: What the entry may call; None for everything.
        function: The prepared function.
        limited: The same with lower limits, for single calls that say so.
        payload_is_argument: Whether a payload is the one argument, whatever it holds.
        pool: Its instances.
        shrinks: Whether the pool needs to be looked after for idle instances.
    """

    __slots__ = (
        "_beside",
        "_errors",
        "_here",
        "_lock",
        "_stack",
        "callees",
        "entry_id",
        "function",
        "language",
        "limited",
        "payload_is_argument",
        "pool",
        "shrinks",
    )

    def __init__(
        self,
        function: Function,
        pool: Pool[Instance],
        policy: PoolPolicy,
        stack: StackRoom,
        callees: Callees | None = None,
    ) -> None:
        self._stack = stack
        self.callees = callees
        self._here = stack.here
        self.function = function
        self.limited: dict[LimitsSpec, Function] = {}
        self.pool = pool
        self.payload_is_argument = function.signature is None
        self.shrinks = policy.idle_seconds > 0
        self.entry_id = function.entry_id
        self.language = function.language
        self._lock = new_lock()
        self._errors: Counter[str] = Counter()
        self._beside = 0  # calls that the pool was not asked for

    def frame(
        self,
        parent: CallContext | None,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
        values: Mapping[str, Value] | None = None,
    ) -> CallContext:
        """Returns the frame of a call; see `CallContext`."""
        return CallContext(self.entry_id, self.language, parent, deadline, cancellation, values, self.callees)

    def run_payload(self, payload: str | bytes, context: CallContext, max_depth: int, told: bool = False) -> Value:
        """Like `run`, with one text or byte string that the function reads in the way that fits its signature."""
        observer = context.observer
        if observer is not None and not told:
            return observed(
                observer, context, (payload,), lambda: self.run_payload(payload, context, max_depth, told=True)
            )
        try:
            arguments = self.function.payload_arguments(payload)
        except PolycallError as error:
            raise self._failed(error, context, asked=False)  # noqa: B904  # it is the same error, seen on its way out
        return self.run(arguments, context, max_depth, told=True)

    def run(
        self,
        arguments: Sequence[Value],
        context: CallContext,
        max_depth: int,
        told: bool = False,
        taken: Taken | None = None,
    ) -> Value:
        """Checks an instance out, calls it and gives it back.

        Args:
            arguments: Plain values.
            context: The call's frame.
            max_depth: How many hops the chain may have.
            told: Whether the observer of the chain, if it has one, has been told of the call already.
            taken: Where the instance comes from, if not from the pool.

        Raises:
            PolycallError: Whatever made the call fail; it has the frames of the innermost call that failed.
        """
        if context.depth > self._here.free_hops and self._stack.lacks(context.depth):
            return self._run_elsewhere(arguments, context, max_depth, told, taken)
        if context.observer is not None and not told:
            return self._run_observed(arguments, context, max_depth, context.observer, taken)
        if context.depth > max_depth or context.deadline is not None or context.cancellation is not None:
            self._check(context, max_depth)
        try:
            if taken is None:
                return self.pool.call(arguments, context)
            return _call_taken(taken, arguments, context)
        except PolycallError as error:
            raise self._failed(error, context, asked=True)  # noqa: B904  # it is the same error, seen on its way out
        except Exception as error:
            fault = InternalError(exception_text(error), entry_id=self.entry_id, hint="this is a fault of polycall")
            raise self._failed(fault, context, asked=True) from error
        except BaseException:
            (self.pool if taken is None else taken).take_back(context)
            self._count(INTERRUPTED, True)
            raise

    def _check(self, context: CallContext, max_depth: int) -> None:
        try:
            context.check(max_depth)
        except PolycallError as error:
            raise self._failed(error, context, asked=False)  # noqa: B904  # it is the same error, seen on its way out
        except BaseException:
            self._count(INTERRUPTED, False)
            raise

    def _run_observed(  # as `run`
        self,
        arguments: Sequence[Value],
        context: CallContext,
        max_depth: int,
        observer: Observer,
        taken: Taken | None,
    ) -> Value:
        # Not in `run`: a lambda there would turn its variables into cells, which every call would pay for.
        return observed(observer, context, arguments, lambda: self.run(arguments, context, max_depth, True, taken))

    def _run_elsewhere(  # as `run`
        self, arguments: Sequence[Value], context: CallContext, max_depth: int, told: bool, taken: Taken | None
    ) -> Value:
        return self._stack.elsewhere(context, lambda: self.run(arguments, context, max_depth, told, taken))

    def on_its_stack(self, context: CallContext, work: Callable[[], None]) -> None:
        """Does what runs a guest's code, where there is enough stack for it."""
        self._stack.run(context, work)

    def counts(self) -> tuple[int, dict[str, int]]:
        """Returns how many calls there were so far, and how many of them failed, by the code of their error."""
        with self._lock:
            errors, beside = dict(self._errors), self._beside
        # The calls after the errors: while others call on, there may be calls without an error but never the reverse.
        return self.pool.traffic().asked + beside, errors

    def _count(self, code: str, asked: bool) -> None:
        """Counts a call that failed; the pool has not counted it if it was never asked for an instance."""
        with self._lock:
            self._errors[code] += 1
            self._beside += not asked

    def count_beside(self) -> None:
        """Counts a call that does without the pool."""
        with self._lock:
            self._beside += 1

    def _failed(self, error: PolycallError, context: CallContext, *, asked: bool) -> PolycallError:
        self._count(error.code, asked)
        # An error that a guest passes on may have been returned further down. Only Lua has a way to return one.
        error.returned = error.returned and self.language == "lua"
        if not error.frames:
            error.frames = context.frames()
            error.entry_id = error.entry_id or self.entry_id
        return error
