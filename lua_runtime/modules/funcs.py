"""The module ``funcs``: calls of other entries (specification: system facts 2.13, 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polycall.lua_runtime.session import MOST_NAME_BYTES, Session
from polycall.lua_runtime.values import LARGEST, SMALLEST, Mark

__all__ = ["host_functions"]

_MOST_KNOWN = 32
_LIFTED = frozenset({bytes, Mark})


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/funcs.lua`` calls."""
    call = session.invoker.call
    known: dict[bytes, str] = {}  # names that are in order: most guests call a few, again and again

    def invoke(target: bytes, *run: Any) -> Any:
        try:
            context = session.context
            if context is None:
                return session.refuse("funcs.call works only in a call of the entry, not at start-up", "Invalid")
            name = known.get(target)
            if name is None:
                if len(target) > MOST_NAME_BYTES:
                    session.check()  # lupa has copied it
                    return session.refuse(
                        f"a function ID has at most {MOST_NAME_BYTES} bytes, not {len(target)}", "Invalid"
                    )
                name = target.decode()
                colon = name.find(":")
                if colon <= 0 or colon == len(name) - 1:
                    return _refuse_name(session, name, "name" if colon > 0 else "namespace")
                if len(known) < _MOST_KNOWN:
                    known[target] = name
            given: Sequence[Any] = run
            for each in run:  # `Session.received`, which numbers need not
                if type(each) in _LIFTED:
                    given = session.received(run)
                    break
            value = call(name, given, context)
            if type(value) is int and session.cap is None and SMALLEST <= value <= LARGEST:
                return value  # as `Session.answer` does
            return session.answer(value)
        except UnicodeDecodeError:
            return session.refuse("the function ID is not UTF-8", "Invalid")
        except BaseException as error:  # noqa: BLE001  # nothing may be raised into Lua
            return session.failed(error)

    return (invoke,)


def _refuse_name(session: Session, name: str, missing: str) -> tuple[Any, ...]:
    return session.refuse(f'{missing} required in function ID: write "namespace:name", not "{name}"', "Invalid")
