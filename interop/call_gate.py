"""Who may call whom: the gate that every call passes which is made in another one."""

from __future__ import annotations

from polycall.interop.context import CallContext
from polycall.interop.errors import CallDeniedError
from polycall.interop.ids import cut

__all__ = ["refuse_call"]


def refuse_call(target: str, caller: CallContext) -> None:
    """The gate of all calls that are made in calls: raises unless the caller's list and those of its chain allow it.

    Args:
        target: The entry, in full, as it will be called.
        caller: The frame that calls.

    Raises:
        CallDeniedError: It may not be called.
    """
    if caller.callees is not None and not caller.callees.allow(target):
        raise _denied(target, caller, f"its calls are {caller.callees}", f"calls of {caller.entry_id}")
    for each in caller.ceiling:
        if not each.allow(target):
            raise _denied(target, caller, f"the call that it runs in leads to {each} alone", "calls of that call")


def _denied(target: str, caller: CallContext, why: str, where: str) -> CallDeniedError:
    message = f"{caller.entry_id} may not call {cut(target)}: {why}"
    error = CallDeniedError(message, entry_id=caller.entry_id, hint=f'add "{cut(target)}" to {where} if it should')
    error.frames = caller.frames()
    return error
