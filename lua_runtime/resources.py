"""Resources of components in one Lua state: numbers there, handles here, during one call."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polycall.interop.errors import CallError, InternalError, LimitError, PolycallError
from polycall.interop.logs import logger
from polycall.interop.resources import Keeper, ResourceHandle, ResourceState, state_of, wrong_with
from polycall.lua_runtime.values import readable

if TYPE_CHECKING:
    from polycall.lua_runtime.session import Session

__all__ = ["Resources", "resource_functions"]

_LOG = "polycall.resources"

_MOST = 10_000
"""Resources that one call of a Lua function may have at a time."""


class Resources:
    """The resources that the running call has got, by number. A number is never given twice."""

    def __init__(self) -> None:
        self._handles: dict[int, ResourceHandle] = {}
        self._numbers: dict[ResourceState, int] = {}
        self._next = itertools.count(1)

    def token(self, handle: ResourceHandle) -> int:
        """Returns the number of a resource that is about to enter Lua.

        Raises:
            LimitError: The call has too many.
        """
        state, _ = _known(handle)
        number = self._numbers.get(state)
        if number is None:
            if len(self._handles) >= _MOST:
                self._forget_gone()
            if len(self._handles) >= _MOST:
                raise LimitError(f"the call has {_MOST} resources", hint="it must drop some of them")
            number = next(self._next)
            self._handles[number] = handle
            self._numbers[state] = number
        return number

    def handle(self, number: int) -> ResourceHandle:
        """Returns the resource of a number.

        Raises:
            CallError: It came with another call, or is gone.
        """
        handle = self._handles.get(number)
        if handle is None:
            raise CallError("a resource cannot be used: it was dropped, or the call that got it has ended")
        wrong = wrong_with(handle)
        if wrong is not None:
            raise CallError(f"a resource cannot be used: it is {wrong}")
        return handle

    def has(self, number: int) -> bool:
        """Says whether there is a resource of a number that can be used."""
        handle = self._handles.get(number)
        return handle is not None and wrong_with(handle) is None

    def forget(self, number: int) -> None:
        """Forgets a resource that is gone."""
        handle = self._handles.pop(number, None)
        if handle is not None:
            self._numbers.pop(_known(handle)[0], None)

    def _forget_gone(self) -> None:
        for number, handle in list(self._handles.items()):
            if wrong_with(handle) is not None:
                self.forget(number)

    def clear(self) -> None:
        """Forgets all of them, at the end of the call."""
        self._handles.clear()
        self._numbers.clear()


def _known(handle: ResourceHandle) -> tuple[ResourceState, Keeper]:
    state = state_of(handle)
    if state is None or state.keeper is None:
        raise InternalError("a resource that nobody keeps was on its way into Lua")
    return state, state.keeper


def resource_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/values/resources.lua`` calls."""

    def invoke(what: bytes, *run: object) -> Any:
        number, _, name = readable(what).partition(".")
        handle = session.resources.handle(int(number))
        state, keeper = _known(handle)
        if session.context is None:
            return session.refuse("a resource can be used only in a call", "Invalid")
        return session.answer(keeper.call(state, name, [handle, *session.received(run)], session.context))

    def drop(number: int, quietly: bool = False) -> Any:
        try:
            if quietly and not session.resources.has(number):  # gone before the end of its block
                return session.answer(None)
            state, keeper = _known(session.resources.handle(number))
            session.resources.forget(number)
            if session.context is not None:
                keeper.drop(state, session.context)
            return session.answer(True)
        except PolycallError as error:
            if not quietly:
                raise
            logger(_LOG).warning("%s: a resource could not be dropped: %s", session.entry_id, error)
            return session.answer(None)

    return session.safe(invoke), session.safe(drop)
