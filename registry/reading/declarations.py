"""From the entries of one file to `Entry` objects (specification: system facts 1.1, 1.6 to 1.8)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from polycall.interop.ids import EntryId, near_names
from polycall.registry.documents.nodes import MapNode, Node, ScalarNode, describe_node, freeze, join
from polycall.registry.entries.decode import INVALID, Decoder
from polycall.registry.entries.entry import Entry, Location
from polycall.registry.entries.kinds import EVERY_ENTRY, SPECS, doubt_about
from polycall.registry.entries.settings import Settings
from polycall.registry.reading.entry_file import EntryFile

__all__ = ["declare"]

_HEADER = frozenset({"name", "kind", "meta"})
_NO_META: Mapping[str, Any] = MappingProxyType({})


def declare(file: EntryFile, settings: Settings) -> Iterator[Entry]:
    """Yields the entries of a file, with the project's defaults in them.

    What is wrong with them goes to the file's report. An entry whose keys are wrong still comes out, without `spec`, so
    that references to it are not reported as well; one without a name cannot.
    """
    shared = _NO_META if file.meta is None else freeze(file.meta)
    calls = _calls(file)
    for node, path in file.entries:
        entry = _Declaration(file, node, path, settings, calls).entry(shared)
        if entry is not None:
            yield entry


def _calls(file: EntryFile) -> Any:
    """Returns the list ``calls`` at the top of a file; None if there is none that is right."""
    if file.calls is None or (isinstance(file.calls, ScalarNode) and file.calls.value is None):
        return None
    calls = Decoder(file.report, file.namespace).callees(file.calls, "calls")
    return None if calls is INVALID else calls


class _Declaration:
    """One entry while it is read."""

    def __init__(self, file: EntryFile, node: MapNode, path: str, settings: Settings, calls: Any) -> None:
        self._file = file
        self._node = node
        self._path = path
        self._settings = settings
        self._calls = calls
        self._misspelt: set[str] = set()  # keys that are told already
        self._decoder = Decoder(file.report, file.namespace, file.text_name)

    def entry(self, shared: Mapping[str, Any]) -> Entry | None:
        name, kind = self._header("name"), self._header("kind")
        meta = self._meta(shared)
        data, data_path = self._data()
        spec = self._spec(kind, data, data_path)
        if not name or not self._file.namespace:
            return None
        return Entry(
            id=EntryId(self._file.namespace, name),
            kind=kind,
            meta=meta,
            data=freeze(data) if data is not self._node else _without_header(self._node),
            spec=spec,
            location=Location(self._file.source.name, self._node.line, self._node.column),
            source_root=self._file.source.root,
            references=tuple(self._decoder.references),
            _path=data_path,
            _node=data,
        )

    def _header(self, key: str) -> str:
        """Returns the name or the kind, or "" if it is not usable."""
        path, node = join(self._path, key), self._node.items.get(key)
        if node is None:
            self._miss(key, path)
            return ""
        value = self._decoder.text(node, path)
        if value is INVALID:
            return ""
        if not value or value != value.strip() or not value.isprintable():
            self._decoder.expected(f"a {key}", node, path, _EXAMPLES[key])
            return ""
        return str(value)

    def _miss(self, key: str, path: str) -> None:
        misspelt = next(iter(near_names(key, self._node.items.keys() - _HEADER)), None)
        if misspelt is None:
            self._file.report.problem(self._node, path, "required, but missing", _EXAMPLES[key])
        else:
            self._misspelt.add(misspelt)
            place = self._node.marks[misspelt]
            self._file.report.problem(place, join(self._path, misspelt), "unknown key", f'did you mean "{key}"?')

    def _meta(self, shared: Mapping[str, Any]) -> Mapping[str, Any]:
        node = self._node.items.get("meta")
        if isinstance(node, MapNode):
            own: Mapping[str, Any] = freeze(node)
            return MappingProxyType({**shared, **own}) if shared else own
        if node is not None and not (isinstance(node, ScalarNode) and node.value is None):
            self._decoder.expected("a mapping", node, join(self._path, "meta"))
        return shared

    def _data(self) -> tuple[Node, str]:
        """Returns what holds the keys of the kind: the value of ``data`` if there is one, else the entry itself."""
        node = self._node.items.get("data")
        if node is None:
            return self._node, self._path
        path = join(self._path, "data")
        for key in self._node.items.keys() - _HEADER - {"data"} - EVERY_ENTRY:
            message = 'unknown key: beside "data" an entry has only "name", "kind" and "meta"'
            self._file.report.problem(self._node.marks[key], join(self._path, key), message, f'move it under "{path}"')
        return node, path

    def _spec(self, kind: str, data: Node, path: str) -> Any:
        spec_type = SPECS.get(kind)
        if spec_type is None:
            self._doubt(kind)
            return None
        if not isinstance(data, MapNode):
            self._file.report.problem(data, path, f"expected a mapping, got {describe_node(data)}")
            return None
        also = _HEADER | self._misspelt if data is self._node else frozenset()
        spec = self._decoder.spec(spec_type, data, path, also=also)
        return None if spec is INVALID else self._settings.resolve(self._with_calls(spec), self._file.isolation)

    def _with_calls(self, spec: Any) -> Any:
        own = getattr(spec, "calls", ())  # whatever cannot call needs none
        return spec if own is not None or self._calls is None else dataclasses.replace(spec, calls=self._calls)

    def _doubt(self, kind: str) -> None:
        doubt = doubt_about(kind) if kind and not self._file.report.full else None
        if doubt is not None:
            message, hint = doubt
            note = self._file.report.slip if hint else self._file.report.warning
            note(self._node.items["kind"], join(self._path, "kind"), message, hint)


_EXAMPLES = {"name": 'such as "checkout"', "kind": 'such as "function.lua"'}


def _without_header(node: MapNode) -> Mapping[str, Any]:
    return MappingProxyType({key: freeze(item) for key, item in node.items.items() if key not in _HEADER})
