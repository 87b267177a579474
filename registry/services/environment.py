"""Environment variables by public name or entry id (specification: system facts 1.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from polycall.interop.errors import CallError, NotFoundError
from polycall.interop.forks import new_lock, new_reentrant_lock
from polycall.interop.ids import EntryId, cut, suggestion
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.env_kinds import (
    EnvFileSpec,
    EnvMemorySpec,
    EnvOsSpec,
    EnvRouterSpec,
    EnvStaticSpec,
    EnvVariableSpec,
)
from polycall.registry.entries.index import Index
from polycall.registry.services.storages import (
    FileStorage,
    MemoryStorage,
    OsStorage,
    RouterStorage,
    StaticStorage,
    Storage,
)

__all__ = ["Environment"]

_MOST_CHARACTERS = 64 * 1024


class Environment:
    """The variables and their storages; see `polycall.interop.services.Environment`. Shared by threads.

    A storage whose declaration stays the same keeps its values when the entries change.

    Args:
        index: Gives the entries as they are at the moment.
    """

    def __init__(self, index: Callable[[], Index]) -> None:
        self._index = index
        self._storages: dict[EntryId, tuple[object, Storage]] = {}
        self._lock = new_reentrant_lock()
        self._file_lock = new_lock()

    def get(self, name: str, namespace: str | None = None) -> str:
        """Returns the value of a variable, or its default where it has none or an empty one.

        Args:
            name: Public name, entry id, or the bare name of an entry in the namespace given.
            namespace: What a bare name belongs to.

        Raises:
            NotFoundError: There is no such variable, or it has no value.
            CallError: Its storage cannot be read.
        """
        entry = self._variable(name, namespace)
        value = self._value(entry.spec)
        if value is None:
            message = f"the variable {entry.spec.variable} has no value"
            raise NotFoundError(message, entry_id=str(entry.id), hint="set it, or declare a default")
        return value

    def set(self, name: str, value: str, namespace: str | None = None) -> None:
        """Writes a value to the storage of a variable.

        Raises:
            NotFoundError: There is no such variable.
            CallError: PermissionDenied if it is readonly or its storage is; Invalid if the value cannot be kept.
        """
        entry = self._variable(name, namespace)
        if entry.spec.readonly:
            message = f"the variable {entry.spec.variable} is declared readonly"
            raise CallError(message, entry_id=str(entry.id), kind="PermissionDenied")
        if "\0" in value or len(value) > _MOST_CHARACTERS:
            message = f"the value of {entry.spec.variable} must have at most {_MOST_CHARACTERS:,} characters, none NUL"
            raise CallError(message, entry_id=str(entry.id), kind="Invalid")
        self.storage(entry.spec.storage).set(entry.spec.variable, value)

    def get_all(self) -> Mapping[str, str]:
        """Returns every variable that has a value, by public name.

        Raises:
            CallError: A storage cannot be read.
        """
        values = {name: self._value(entry.spec) for name, entry in self._index().variables().items()}
        return {name: value for name, value in values.items() if value is not None}

    def storage(self, entry_id: EntryId) -> Storage:
        """Returns the storage of an entry; the load has refused references to anything else."""
        entry = self._index().get(entry_id)
        with self._lock:
            spec, storage = self._storages.get(entry_id, (None, None))
            if storage is None or spec != entry.spec:
                storage = self._make(entry)
                self._storages[entry_id] = entry.spec, storage
            return storage

    def _make(self, entry: Entry) -> Storage:
        match entry.spec:
            case EnvMemorySpec():
                return MemoryStorage()
            case EnvOsSpec():
                return OsStorage(str(entry.id))
            case EnvStaticSpec(values=values):
                return StaticStorage(str(entry.id), values)
            case EnvRouterSpec(storages=storages):
                return RouterStorage(lambda: self._behind(storages))
            case EnvFileSpec() as spec:
                return FileStorage(str(entry.id), spec, self._index().root, self._file_lock)
        raise TypeError(f"{entry.id} is no storage")

    def _behind(self, storages: Sequence[EntryId]) -> Iterator[Storage]:
        """Yields the storages that a router leads to, through other routers as well, in their order.

        Each comes once: of routers that name another one twice, every level would double the work.
        """
        index, seen, ahead = self._index(), set[EntryId](), [*reversed(storages)]
        while ahead:
            entry_id = ahead.pop()
            if entry_id in seen:
                continue
            seen.add(entry_id)
            spec = index.get(entry_id).spec
            if isinstance(spec, EnvRouterSpec):
                ahead += reversed(spec.storages)
            else:
                yield self.storage(entry_id)

    def _value(self, spec: EnvVariableSpec) -> str | None:
        return self.storage(spec.storage).get(spec.variable) or spec.default or None

    def _variable(self, name: str, namespace: str | None) -> Entry:
        by_name = self._index().variables()
        entry = by_name.get(name) or self._variable_by_id(name, namespace)
        if entry is None:
            message = f'there is no variable "{cut(name)}"'
            raise NotFoundError(message, hint=suggestion(name, by_name) or "declare an env.variable entry")
        return entry

    def _variable_by_id(self, name: str, namespace: str | None) -> Entry | None:
        try:
            target = EntryId.parse(name, namespace)
        except ValueError:
            return None
        index = self._index()
        entry = index.get(target) if target in index else None
        return entry if entry and isinstance(entry.spec, EnvVariableSpec) else None
