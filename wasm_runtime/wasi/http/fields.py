"""``fields`` of ``wasi:http/types``: headers and trailers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.http.room import Buffered
from polycall.wasm_runtime.wasi.http.syntax import is_name, is_value
from polycall.wasm_runtime.wasi.session import Session, TooManyError, session_of

__all__ = ["FORBIDDEN", "FieldValues", "Fields", "content_length", "pairs", "size_of"]

FORBIDDEN = frozenset(
    {
        "connection",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    }
)
"""What belongs to the connection, which is the host's: a guest can neither set it nor see what a server says."""

FieldValues = Mapping[str, tuple[bytes, ...]]
"""Names in lower case, in the order in which they were first set."""

_OVERHEAD = 32
"""What an entry counts beside its bytes, as in HTTP/2 and 3: so that empty ones are no way around the bound."""

_INVALID = {"err": {"invalid-syntax": True}}
_FORBIDDEN = {"err": {"forbidden": True}}
_IMMUTABLE = {"err": {"immutable": True}}
_DONE: dict[str, Any] = {"ok": None}


def pairs(values: FieldValues) -> Iterable[tuple[str, bytes]]:
    """Yields every name with every one of its values."""
    return ((name, value) for name, several in values.items() for value in several)


def size_of(entries: Iterable[tuple[str, bytes]]) -> int:
    """Returns what entries count under ``max_header_bytes``."""
    return sum(len(name) + len(value) + _OVERHEAD for name, value in entries)


def content_length(values: FieldValues) -> int | None:
    """Returns the length that the fields of a message say its body has; None if they say none."""
    found = values.get("content-length")
    return int(found[0]) if found else None


class Fields(Buffered):
    """Names and their values.

    Attributes:
        values: What there is; nobody but this changes it, and only while it is mutable.
    """

    def __init__(self, store: GuestStore) -> None:
        """Makes an empty one, which can be changed."""
        super().__init__(session_of(store))
        self.values: dict[str, tuple[bytes, ...]] = {}
        self._mutable = True

    @classmethod
    def view(cls, store: GuestStore, values: FieldValues) -> Fields:
        """Returns fields of somebody else's, which cannot be changed and take no room."""
        fields = cls(store)
        fields.values = values  # type: ignore[assignment]  # immutable from here on
        fields._mutable = False
        return fields

    @staticmethod
    def from_list(store: GuestStore, entries: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Makes one of pairs of name and value."""
        fields = Fields(store)
        for name, value in entries:
            outcome = fields.append(store, name, value)
            if "err" in outcome:
                fields.drop()
                return outcome
        return {"ok": fields}

    def take(self) -> FieldValues:
        """Returns what there is, which the guest has given away."""
        self.check()
        values = self.values
        self.drop()
        return values

    # --- what guests call ---

    def get(self, _store: GuestStore, name: str) -> list[bytes]:
        """Returns every value of a name."""
        return list(self.values.get(name.lower(), ()))

    def has(self, _store: GuestStore, name: str) -> bool:
        """Says whether there is a name."""
        return name.lower() in self.values

    def set(self, _store: GuestStore, name: str, values: Sequence[bytes]) -> dict[str, Any]:
        """Gives a name these values alone; without any, it is gone."""
        name = name.lower()
        refusal = self._refusal(name) or ({} if self._mutable else _IMMUTABLE) or _refuse_values(name, values)
        if not refusal:
            self._put(name, tuple(values))
        return refusal or _DONE

    def delete(self, _store: GuestStore, name: str) -> dict[str, Any]:
        """Forgets a name."""
        name = name.lower()
        refusal = self._refusal(name) or ({} if self._mutable else _IMMUTABLE)
        if not refusal:
            self._put(name, ())
        return refusal or _DONE

    def append(self, _store: GuestStore, name: str, value: bytes) -> dict[str, Any]:
        """Gives a name one more value."""
        name = name.lower()
        values = (*self.values.get(name, ()), value)
        refusal = self._refusal(name) or _refuse_values(name, values) or ({} if self._mutable else _IMMUTABLE)
        if not refusal:
            self._put(name, values)
        return refusal or _DONE

    def entries(self, _store: GuestStore) -> list[list[Any]]:
        """Returns pairs of name and value."""
        return [[name, value] for name, value in pairs(self.values)]

    def clone(self, store: GuestStore) -> Fields:
        """Returns a copy, which can be changed."""
        copy = Fields(store)
        copy.hold(size_of(pairs(self.values)))
        copy.values = dict(self.values)
        return copy

    # --- changes ---

    @staticmethod
    def _refusal(name: str) -> dict[str, Any]:
        if not is_name(name):
            return _INVALID
        return _FORBIDDEN if name in FORBIDDEN else {}

    def _put(self, name: str, values: tuple[bytes, ...]) -> None:
        before = size_of((name, value) for value in self.values.get(name, ()))
        size = self._held - before + size_of((name, value) for value in values)
        _check_size(self.session, size)
        self.hold(size)
        if values:
            self.values[name] = values
        else:
            self.values.pop(name, None)


def _check_size(session: Session, size: int) -> None:
    most = session.settings.limits.max_header_bytes
    if size > most:
        raise TooManyError(
            f"the guest's HTTP fields take more than {most} bytes, {_OVERHEAD} for each counted",
            hint="it must set fewer, or raise wasi.limits.max_header_bytes",
        )


def _refuse_values(name: str, values: Sequence[bytes]) -> dict[str, Any]:
    if not all(map(is_value, values)):
        return _INVALID
    if name == "content-length" and not _is_length(values):
        return _INVALID
    return {}


def _is_length(values: Sequence[bytes]) -> bool:
    """Two lengths, or one that is no number, are two ways to read one message."""
    return not values or (len(values) == 1 and values[0].isdigit() and len(values[0]) < 20)
