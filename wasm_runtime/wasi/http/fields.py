"""``fields`` of ``wasi:http/types``: headers and trailers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.http.room import Buffered
from polycall.wasm_runtime.wasi.http.syntax import is_name, is_value
from polycall.wasm_runtime.wasi.session import TooManyError, session_of

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

FieldValues = Mapping[str, Sequence[bytes]]
"""Names in lower case, in the order in which they were first set."""

_OVERHEAD = 32
"""What an entry counts beside its bytes, as in HTTP/2 and 3: so that empty ones are no way around the bound."""

Outcome = dict[str, Any]
_INVALID: Outcome = {"err": {"invalid-syntax": True}}
_FORBIDDEN: Outcome = {"err": {"forbidden": True}}
_IMMUTABLE: Outcome = {"err": {"immutable": True}}
_DONE: Outcome = {"ok": None}


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
        self._own: dict[str, list[bytes]] | None = {}
        self.values: FieldValues = self._own

    @classmethod
    def view(cls, store: GuestStore, values: FieldValues) -> Fields:
        """Returns fields of somebody else's, which cannot be changed.

        They count as much as fields of its own: they may outlive the message that they are of.
        """
        fields = cls(store)
        fields.hold(size_of(pairs(values)))
        fields._own, fields.values = None, values
        return fields

    @staticmethod
    def from_list(store: GuestStore, entries: Sequence[Sequence[Any]]) -> Outcome:
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
        self.drop()
        return self.values

    # --- what guests call ---

    def get(self, _store: GuestStore, name: str) -> list[bytes]:
        """Returns every value of a name."""
        return list(self.values.get(self._key(name), ()))

    def has(self, _store: GuestStore, name: str) -> bool:
        """Says whether there is a name."""
        return self._key(name) in self.values

    def set(self, _store: GuestStore, name: str, values: Sequence[bytes]) -> Outcome:
        """Gives a name these values alone; without any, it is gone."""
        name = self._key(name)
        if refusal := _refuse_name(name):
            return refusal
        self._refuse_size(name, values)
        if refusal := _refuse_values(name, values):
            return refusal
        if self._own is None:
            return _IMMUTABLE
        self._grow(_size(name, values) - _size(name, self._own.get(name, ())))
        if values:
            self._own[name] = list(values)
        else:
            self._own.pop(name, None)
        return _DONE

    def delete(self, store: GuestStore, name: str) -> Outcome:
        """Forgets a name."""
        return self.set(store, name, ())

    def append(self, _store: GuestStore, name: str, value: bytes) -> Outcome:
        """Gives a name one more value."""
        name = self._key(name)
        if refusal := _refuse_name(name):
            return refusal
        self._refuse_size(name, (value,))
        if refusal := _refuse_values(name, (value,)):
            return refusal
        if self._own is None:
            return _IMMUTABLE
        if name == "content-length" and name in self._own:
            return _INVALID
        self._grow(_size(name, (value,)))
        self._own.setdefault(name, []).append(value)
        return _DONE

    def entries(self, _store: GuestStore) -> list[list[Any]]:
        """Returns pairs of name and value."""
        return [[name, value] for name, value in pairs(self.values)]

    def clone(self, store: GuestStore) -> Fields:
        """Returns a copy, which can be changed."""
        copy = Fields(store)
        copy.hold(size_of(pairs(self.values)))
        copy.values = copy._own = {name: list(values) for name, values in self.values.items()}
        return copy

    def _key(self, name: str) -> str:
        name = name[: self._most() + 1]  # none is longer, and so no longer one is any
        return name.lower() if name.isascii() else name  # which is none; in lower case, a few signs are ASCII

    def _refuse_size(self, name: str, values: Sequence[bytes]) -> None:
        """Refuses what is too much by itself, before anything looks at all of it."""
        if len(values) * _OVERHEAD > self._most() or _size(name, values) > self._most():
            raise self._too_much()

    def _grow(self, size: int) -> None:
        if size > 0 and self.held + size > self._most():
            raise self._too_much()
        self.hold(self.held + size)

    def _most(self) -> int:
        return self.session.settings.limits.max_header_bytes

    def _too_much(self) -> TooManyError:
        return TooManyError(
            f"the guest's HTTP fields take more than {self._most()} bytes, {_OVERHEAD} for each counted",
            hint="it must set fewer, or raise wasi.limits.max_header_bytes",
        )


def _size(name: str, values: Sequence[bytes]) -> int:
    return size_of((name, value) for value in values)


def _refuse_name(name: str) -> Outcome | None:
    if not is_name(name):
        return _INVALID
    return _FORBIDDEN if name in FORBIDDEN else None


def _refuse_values(name: str, values: Sequence[bytes]) -> Outcome | None:
    fit = all(map(is_value, values)) and (name != "content-length" or _is_length(values))
    return None if fit else _INVALID


def _is_length(values: Sequence[bytes]) -> bool:
    """Two lengths, or one that is no number, are two ways to read one message."""
    return not values or (len(values) == 1 and values[0].isdigit() and len(values[0]) < 20)
