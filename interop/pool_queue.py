"""Who waits for an instance of a pool, and who holds those that there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Generic, TypeVar

from polycall.interop.context import CallContext
from polycall.interop.protocols import Instance
from polycall.interop.waiting import Waiter

__all__ = ["PASSING", "Holders", "Outside", "Turn"]

T = TypeVar("T", bound=Instance)


class Outside(CallContext):
    """Stands for who holds an instance outside of calls.

    Attributes:
        thread: The thread that got it, which would wait for itself; 0 if another one may give it back.
    """

    __slots__ = ("thread",)

    def __init__(self, entry_id: str, thread: int) -> None:
        super().__init__(entry_id, "python")
        self.thread = thread


PASSING = CallContext("", "")
"""Stands for who is about to have an instance, or has just had one: a frame that goes on, and waits for nothing."""


class Turn(Waiter, Generic[T]):
    """A call that found no idle instance. It gets a slot, in which it makes one itself, or an instance given back."""

    __slots__ = ("instance",)

    def __init__(self, context: CallContext, holders: Collection[CallContext]) -> None:
        super().__init__(context, holders)
        self.instance: T | None = None


class Holders(Collection[CallContext]):
    """The frames that hold a pool's slots, as they are whenever somebody looks, who has the lock."""

    __slots__ = ("_look",)

    def __init__(self, look: Callable[[], Sequence[CallContext]]) -> None:
        self._look = look

    def __iter__(self) -> Iterator[CallContext]:
        return iter(self._look())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, frame: object) -> bool:
        return any(frame is each for each in self)
