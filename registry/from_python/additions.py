"""The entries that Python puts into a registry, and takes away again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from polycall.interop.errors import Problem
from polycall.interop.ids import EntryId
from polycall.interop.values import describe
from polycall.registry.dispatch.additions import Put
from polycall.registry.dispatch.python_functions import PYTHON_KIND, PythonFunction
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.from_python.names import id_text
from polycall.registry.from_python.opened import Opened

__all__ = ["PythonEntries"]

Body = TypeVar("Body", bound=Callable[..., object])


class PythonEntries:
    """Does what `Registry.add`, `replace`, `remove` and `function` promise."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def put(self, declaration: Mapping[str, Any], place: str, *, replace: bool, prepare: bool) -> Entry:
        """Puts an entry there that is declared as in a file; `place` is what messages call the declaration."""
        from polycall.registry.reading.python_entries import declared  # noqa: PLC0415  # a cold start pays for it

        if not isinstance(declaration, Mapping):
            raise TypeError(f"{place}: a declaration is a mapping, not {describe(declaration)}")

        def read(index: Index) -> tuple[Entry, list[Problem]]:
            return declared(kept, index, place)

        kept = dict(declaration)
        return self._put(lambda index: Put(*read(index), declare=read), replace=replace, prepare=prepare)

    def function(self, entry_id: str | EntryId, meta: Mapping[str, Any], *, replace: bool) -> Callable[[Body], Body]:
        """Returns a decorator that puts a callable there."""
        text = id_text(entry_id)
        parsed = EntryId.parse(text)

        def register(body: Body) -> Body:
            function = PythonFunction(text, body, self._opened.dispatcher.closing)
            entry = Entry.of_python(parsed, PYTHON_KIND, meta, body)
            self._put(lambda _index: Put(entry, function=function), replace=replace, prepare=False)
            return body

        return register

    def remove(self, entry_id: str | EntryId) -> None:
        """Takes an entry away."""
        parsed = EntryId.parse(id_text(entry_id))
        self._opened.dispatcher.table.remove(parsed)
        self._opened.forget([str(parsed)])

    def _put(self, declare: Callable[[Index], Put], *, replace: bool, prepare: bool) -> Entry:
        entry = self._opened.dispatcher.table.put(declare, replace=replace, prepare=prepare)
        self._opened.forget([str(entry.id)])
        return entry
