"""``wippy:runtime/funcs@0.1.0``: how components call other entries (specification: system facts 3, difference 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polycall.interop.errors import CallError, CancelledError, DeadlineError, PolycallError
from polycall.interop.ids import EntryId, cut
from polycall.interop.json_text import encode_json
from polycall.interop.protocols import Invoker
from polycall.interop.values import Value
from polycall.wasm_runtime.component.component_api import HostFunction
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import ListType, Primitive, ResultType, WitType

__all__ = ["funcs_host"]

_STRING = Primitive("string")
_BYTES = ListType(Primitive("u8"))


def funcs_host(invoker: Invoker) -> Mapping[str, HostFunction]:
    """Returns the functions of the interface.

    Args:
        invoker: The way up to the registry.
    """
    return {
        "call-string": HostFunction(_signature(_STRING), _caller(invoker, as_string)),
        "call-bytes": HostFunction(_signature(_BYTES), _caller(invoker, as_bytes)),
    }


def _signature(payload: WitType) -> Signature:
    return Signature((("target", _STRING), ("input", payload)), ResultType(payload, _STRING))


def _caller(invoker: Invoker, convert: Callable[[Value], Value]) -> Callable[..., Value]:
    def call(store: GuestStore, target: str, payload: str | bytes) -> Value:
        caller = store.call
        if caller is None or store.starting:
            raise CallError("the guest called another function while it was starting; only calls of it may do that")
        try:
            EntryId.parse(target)
        except ValueError:
            return {"err": f"invalid function target: {cut(target)}"}
        try:
            return {"ok": convert(invoker.call_payload(target, payload, caller))}
        except _GuestErr as err:
            return {"err": err.text}
        except PolycallError as error:
            interruption = caller.interruption()
            if interruption is not None:
                # The guest's own time is up too: it gets no chance to go on.
                raise error if isinstance(error, (DeadlineError, CancelledError)) else interruption from error
            store.failed_call = error
            return {"err": _unicode(error.text(skip_frames=caller.depth))}

    return call


class _GuestErr(Exception):  # noqa: N818 - not a failure: the err of the target's own result, on its way to the guest
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def as_string(answer: Value) -> str:
    """Returns a target's answer as ``call-string`` gives it.

    Raises:
        PolycallError: It has no text form.
    """
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
