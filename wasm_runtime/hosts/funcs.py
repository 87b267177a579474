"""``wippy:runtime/funcs@0.1.0``: how components call other entries (specification: system facts 3, difference 6)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

from polycall.interop.errors import CallError, CancelledError, DeadlineError, PolycallError
from polycall.interop.ids import EntryId, cut
from polycall.interop.json_text import encode_json
from polycall.interop.protocols import Invoker
from polycall.interop.values import Value
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["Funcs"]

_TARGETS = 1_000
_MOST_KEPT = 200
"""Longer names are not kept: a guest chooses them."""


class Funcs(HostInterface):
    """The interface that ``funcs`` grants."""

    name = "wippy:runtime/funcs@0.1.0"
    wit = """
        call-string: func(target: string, input: string) -> result<string, string>;
        call-bytes: func(target: string, input: list<u8>) -> result<list<u8>, string>;
    """

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker
        self.call_string = partial(self._call, as_string)
        """Calls an entry with a text, for a text."""
        self.call_bytes = partial(self._call, as_bytes)
        """Calls an entry with bytes, for bytes."""

    def _call(self, convert: Callable[[Value], Value], store: GuestStore, target: str, payload: str | bytes) -> Value:
        caller = store.call
        if caller is None or store.starting:
            caller = store.caller()  # which raises
        if not (_is_target if len(target) <= _MOST_KEPT else _is_target.__wrapped__)(target):
            return {"err": f"invalid function target: {cut(target)}"}
        try:
            return {"ok": convert(self._invoker.call_payload(target, payload, caller))}
        except _GuestErr as err:
            return {"err": err.text}
        except PolycallError as error:
            interruption = caller.interruption()
            if interruption is not None:
                # The guest's own time is up too: it gets no chance to go on.
                raise error if isinstance(error, (DeadlineError, CancelledError)) else interruption from error
            store.failed_call = error
            return {"err": _unicode(error.text(skip_frames=caller.depth))}


@lru_cache(_TARGETS)
def _is_target(text: str) -> bool:
    try:
        EntryId.parse(text)
    except ValueError:
        return False
    return True


class _GuestErr(Exception):  # noqa: N818 - not a failure: the err of the target's own result, on its way to the guest
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def as_string(answer: Value) -> str:
    """Returns a target's answer as ``call-string`` gives it.

    Raises:
        PolycallError: It has no text form.
    """
    if type(answer) is str and answer.isascii():  # most are
        return answer
    answer = _ok(answer)
    if isinstance(answer, bytes):
        try:
            return answer.decode()
        except UnicodeDecodeError:
            raise CallError("the answer is bytes that are not UTF-8", hint="use call-bytes") from None
    return text_of(answer)


def as_bytes(answer: Value) -> bytes:
    """Returns a target's answer as ``call-bytes`` gives it: bytes as they are, else the text of ``call-string``."""
    answer = _ok(answer)
    return answer if isinstance(answer, bytes) else text_of(answer).encode()


def text_of(value: Value) -> str:
    """Returns a value as text: nothing is empty, numbers and booleans their Lua form, lists and tables JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _whole(value)
        case _:
            return _whole(_written(value))


def _written(value: Value) -> str:
    try:
        return repr(value) if isinstance(value, (int, float)) else encode_json(value)
    except ValueError:
        raise CallError("the answer has an integer of too many digits") from None


def _whole(text: str) -> str:
    if text != _unicode(text):
        raise CallError("the answer is text with half of a surrogate pair")
    return text


def _ok(answer: Value) -> Value:
    """Unwraps ``{ok = v}``; ``{err = e}`` becomes the guest's err."""
    if isinstance(answer, dict) and len(answer) == 1:
        if "ok" in answer:
            return answer["ok"]
        if "err" in answer:
            err = answer["err"]
            raise _GuestErr(err.decode("utf-8", "replace") if isinstance(err, bytes) else _unicode(text_of(err)))
    return answer


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
