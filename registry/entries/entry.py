"""One entry of the registry, as declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from polycall.interop.errors import Problem
from polycall.interop.ids import EntryId
from polycall.interop.public import public
from polycall.interop.records import record
from polycall.registry.documents.nodes import MapNode, Mark, Node, freeze_declared, locate

__all__ = ["Entry", "Location", "Reference"]


@public
class Location(NamedTuple):
    """A place in a file of the project.

    Attributes:
        file: The file, relative to the project folder; ``add()`` and its like for what Python declared.
        line: 1-based line; 0 if there is no file.
        column: 1-based column, in characters; 0 if there is no file.
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Returns ``file:line:column``; what Python declared has no lines."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@public
class Reference(NamedTuple):
    """A place where one entry names another.

    Attributes:
        path: The key's path in the file, such as ``entries[0].imports.tax``.
        target: The entry that is named.
        kinds: The kinds that make sense there; empty for any.
        location: Where it stands.
    """

    path: str
    target: EntryId
    kinds: tuple[str, ...]
    location: Location


@public
@record
class Entry:
    """An entry: what its declaration says, read-only. Two entries are equal only if they are the same object.

    Attributes:
        id: ``namespace:name``.
        kind: Such as ``function.lua``.
        meta: The file's metadata with the entry's own over it, read-only throughout.
        data: All other keys, read-only throughout (mapping proxies and tuples), with ``file://`` values replaced.
        spec: The typed form of `data`, of the dataclass that its kind has; None for a kind that is only data.
        location: Where the declaration begins.
        source_root: The folder of sources that it belongs to: the project's, or a module's.
        references: The entries that it names.
    """

    id: EntryId
    kind: str
    meta: Mapping[str, Any]
    data: Any
    spec: Any
    location: Location
    source_root: Path
    references: tuple[Reference, ...] = ()
    _path: str = ""
    _node: Node = field(default_factory=lambda: MapNode(1, 1))

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<Entry {self.id} ({self.kind}) at {self.location}>"

    @classmethod
    def of_python(cls, entry_id: EntryId, kind: str, meta: Mapping[str, Any], body: Callable[..., object]) -> Entry:
        """Returns the entry of a Python callable: no data, and the place of its definition if Python knows it."""
        code = getattr(inspect.unwrap(body), "__code__", None)
        location = Location(code.co_filename, code.co_firstlineno, 1) if code else Location("<python>", 1, 1)
        node = MapNode(location.line, location.column)
        return cls(
            id=entry_id,
            kind=kind,
            meta=MappingProxyType(dict(meta)),
            data=MappingProxyType({}),
            spec=None,
            location=location,
            source_root=Path(location.file).parent,
            _node=node,
        )

    def declared_data(self) -> Mapping[str, Any]:
        """Returns `data` with ``file://`` values as declared, for an entry that has a `spec`."""
        declared = freeze_declared(self._node)
        return {key: declared[key] for key in self.data}

    def where(self, path: str) -> Location:
        """Returns the place of a key of `data`, such as ``pool.size`` or ``imports[0]``.

        A key that is not there has the place of the nearest thing above it.
        """
        node = locate(self._node, path)
        return Location(self.location.file, *Mark(node.line, node.column))

    def problem(self, path: str, message: str, hint: str | None = None) -> Problem:
        """Returns a problem with a key of `data`, at its place; `path` as for `where`, or empty for the entry."""
        separator = "." if self._path and path and not path.startswith("[") else ""
        return Problem(*self.where(path), f"{self._path}{separator}{path}", message, hint)
