"""Errors as plain values and back.

An error that was sent over already goes back as its number: a guest that passes on the error of a call it made passes
on that very error, with whatever only the other process knows of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from polycall.interop import errors
from polycall.interop.errors import ConversionError, DeclarationError, ExitError, Frame, PolycallError, PreparationError
from polycall.interop.ids import cut
from polycall.registry.isolation.messages import MessageError, pack

__all__ = ["ToldErrors", "decode_error", "encode_error", "error_message"]

_CLASSES: dict[str, type[PolycallError]] = {
    each.code: each
    for name in errors.__all__
    if isinstance(each := getattr(errors, name), type)
    and issubclass(each, PolycallError)
    and each not in (PolycallError, DeclarationError)  # the one is not raised, the other comes from no call of a guest
}
_OF_CONVERSION = ("path", "direction", "expected", "got")
_TEXTS = ("message", "kind")
_OPTIONAL_TEXTS = ("entry_id", "hint", "guest_traceback")
_LEFT_OUT = {"details": None, "cause": None, "guest_traceback": None}
_MAX_MESSAGE = 1_000_000
_MAX_CAUSES = 8
_MAX_FRAMES = 64
_MOST_TOLD = 256
_MOST_TOLD_BYTES = 4 * 1024 * 1024
_NONE: Mapping[int, PolycallError] = MappingProxyType({})


class ToldErrors(dict[int, PolycallError]):
    """The last errors that were sent over in one call, by number: both sides count alike, and forget alike."""

    def __init__(self) -> None:
        super().__init__()
        self._count = self._bytes = 0
        self._sizes: deque[int] = deque()

    def add(self, error: PolycallError, size: int) -> None:
        """Takes the next error in, and drops the oldest ones when there are many: a guest may fail without end.

        Args:
            error: The error.
            size: The bytes of the messages that asked for it and told of it, for what it keeps alive.
        """
        self[self._count] = error
        self._count += 1
        self._sizes.append(size)
        self._bytes += size
        while len(self) > _MOST_TOLD or self._bytes > _MOST_TOLD_BYTES:
            self._bytes -= self._sizes.popleft()
            del self[self._count - len(self)]


def encode_error(error: PolycallError, known: Mapping[int, PolycallError] = _NONE, causes: int = _MAX_CAUSES) -> Any:
    """Returns an error as plain values.

    Args:
        error: The error.
        known: What the other side sent in this call, by number.
        causes: How many causes to send with it.
    """
    for number, other in known.items():
        if other is error:
            return number
    cause = error.__cause__
    return {
        "code": error.code if error.code in _CLASSES else PolycallError.code,
        **{name: _told(getattr(error, name)) for name in (*_TEXTS, *_OPTIONAL_TEXTS)},
        **{name: getattr(error, name) for name in ("retryable", "details")},
        "key": error.key if isinstance(error, PreparationError) else None,
        "frames": [list(frame) for frame in error.frames],
        "cause": encode_error(cause, known, causes - 1) if isinstance(cause, PolycallError) and causes else None,
        "conversion": [_told(getattr(error, name)) for name in _OF_CONVERSION]
        if isinstance(error, ConversionError)
        else None,
        "exit_status": error.exit_status if isinstance(error, ExitError) else None,
    }


def _told(text: str | None) -> str | None:
    """Returns a text as it may travel: halves of surrogate pairs are escaped."""
    return None if text is None else text.encode(errors="backslashreplace").decode()


def error_message(error: PolycallError, known: Mapping[int, PolycallError] = _NONE) -> bytes:
    """Returns the message that tells of an error, without its details where those cannot travel or are too long."""
    data = encode_error(error, known)
    # Beside the error, not in it: a guest may raise what was returned to it, and the error is then only a number.
    returned = [True] if error.returned else []
    try:
        return pack("error", data, "$.error", *returned)
    except ConversionError:
        return pack("error", {**data, "message": data["message"][:_MAX_MESSAGE], **_LEFT_OUT}, "$.error", *returned)


def decode_error(
    data: Any, known: Mapping[int, PolycallError] = _NONE, *, returned: bool = False, causes: int = _MAX_CAUSES
) -> PolycallError:
    """Returns the error that the other side encoded.

    Args:
        data: What `encode_error` made, or anything at all.
        known: What this side sent in this call, by number.
        returned: Whether the guest there returned it and did not raise it.
        causes: How many causes it may have.

    Raises:
        MessageError: It is no encoded error.
    """
    try:
        error = known[data] if type(data) is int and data in known else _decoded(data, known, causes)
        error.returned = returned
        return error
    except MessageError as error:  # of one of its causes, which says all
        problem = str(error)
    except (LookupError, TypeError, ValueError) as error:
        problem = f"no error of a call: {cut(repr(error))}"
    raise MessageError(problem)  # without what led to it, which may hold megabytes


def _decoded(data: Any, known: Mapping[int, PolycallError], causes: int) -> PolycallError:
    _expect(str, *(data[name] for name in _TEXTS))
    _expect((str, type(None)), *(data[name] for name in (*_OPTIONAL_TEXTS, "key")))
    _expect((bool, type(None)), data["retryable"])
    kind = _CLASSES[data["code"]]
    error = kind.__new__(kind)
    names = ("kind", *_OPTIONAL_TEXTS, "retryable", "details")
    PolycallError.__init__(error, data["message"], **{name: data[name] for name in names})
    if isinstance(error, ConversionError):
        _expect(str, *data["conversion"])
        error.path, error.direction, error.expected, error.got = data["conversion"]
    if isinstance(error, ExitError):
        _expect(int, data["exit_status"])
        error.exit_status = data["exit_status"]
    if isinstance(error, PreparationError):
        error.key = data["key"]
    error.frames = _frames(data["frames"])
    if data["cause"] is not None:
        if not causes:
            raise ValueError("a cause too many")
        error.__cause__ = decode_error(data["cause"], known, causes=causes - 1)
    return error


def _frames(data: Any) -> tuple[Frame, ...]:
    _expect(list, data)
    if len(data) > _MAX_FRAMES:
        raise ValueError("a frame too many")
    for entry_id, language in data:
        _expect(str, entry_id, language)
    return tuple(Frame(*frame) for frame in data)


def _expect(kinds: type | tuple[type, ...], *values: object) -> None:
    for value in values:
        if not isinstance(value, kinds):
            raise TypeError(f"a {type(value).__name__} is out of place")
