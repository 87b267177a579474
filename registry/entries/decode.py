"""From marked nodes to the typed specs of the runtimes, gathering every problem.

The dataclasses that the runtimes declare with `polycall.interop.fields.key` are all that this knows of kinds.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Set
from types import MappingProxyType
from typing import Any, NamedTuple

from polycall.interop.callees import CalleePattern
from polycall.interop.fields import Check, Key, key_of, no_check
from polycall.interop.ids import EntryId, cut, near_names, suggestion
from polycall.interop.source import SourceText
from polycall.registry.documents.nodes import ListNode, MapNode, Node, ScalarNode, describe_node, freeze, join, locate
from polycall.registry.documents.problems import Position, Report
from polycall.registry.documents.scalars import resolve_plain
from polycall.registry.entries.entry import Location, Reference
from polycall.registry.entries.kinds import SPECS, tolerated_keys

__all__ = ["INVALID", "TEXT", "Decoder"]

INVALID: Any = object()
"""What reading gives where something is wrong; the problem is in the report."""

TEXT = "text"
"""The key of a source that is a text in any case, also one that begins with ``file://``."""

_Reader = Callable[["Decoder", Node, str], Any]


class _Field(NamedTuple):
    name: str
    read: _Reader
    about: Key
    default: Any  # INVALID if the key is required


class Decoder:
    """Reads the declarations of one file.

    Attributes:
        report: Where problems go.
        namespace: What a bare name in a reference belongs to.
        source_name: What the errors of guests call a text that stands in no file of its own.
        references: The entries that were named so far.
    """

    def __init__(self, report: Report, namespace: str, source_name: str | None = None) -> None:
        self.report = report
        self.namespace = namespace
        self.source_name = source_name or report.file
        self.references: list[Reference] = []

    def spec(self, spec_type: type, node: MapNode, path: str, *, also: frozenset[str] = frozenset()) -> Any:
        """Reads a mapping as a dataclass.

        Args:
            spec_type: A frozen dataclass whose fields are made with `polycall.interop.fields.key`.
            node: The mapping.
            path: Its path in the file.
            also: Keys that belong to somebody else.

        Returns:
            The dataclass, or `INVALID`.
        """
        fields = _fields_of(spec_type)
        unknown = self._unknown_keys(spec_type, fields, node, path, also)
        values = {field.name: self._value(field, node, path, unknown) for field in fields}
        if unknown or any(value is INVALID for value in values.values()):
            return INVALID
        spec = spec_type(**values)
        return INVALID if self._found_together(spec, node, path) else spec

    def expected(self, expected: str, node: Node, path: str, hint: str | None = None) -> Any:
        """Notes that something else should stand here; returns `INVALID`."""
        self.report.problem(node, path, f"expected {expected}, got {describe_node(node)}", hint)
        return INVALID

    def callees(self, node: Node, path: str) -> Any:
        """Reads a list ``calls``, or notes the problem and returns `INVALID`."""
        return _read_list(_read_callee, no_check, self, node, path)

    def text(self, node: Node, path: str) -> Any:
        """Reads a str, or notes the problem and returns `INVALID`."""
        if isinstance(node, ScalarNode):
            if isinstance(node.value, str):
                return node.value
            if node.value is not None:
                return self.expected("a string", node, path, f'put it in quotes: "{cut(node.text)}"')
        return self.expected("a string", node, path)

    def reference(self, node: Node, path: str, kinds: tuple[str, ...]) -> Any:
        """Reads ``name``, ``namespace:name`` or ``{ns, name}`` and remembers it; or returns `INVALID`."""
        target = self._id_of_mapping(node, path) if isinstance(node, MapNode) else self._id_of_text(node, path)
        if target is not INVALID:
            location = Location(self.report.file, node.line, node.column)
            self.references.append(Reference(path, target, kinds, location))
        return target

    def _id_of_text(self, node: Node, path: str) -> Any:
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return self.expected("an entry id", node, path)
        try:
            return EntryId.parse(node.value, self.namespace)
        except ValueError as error:
            self.report.problem(node, path, str(error) if node.value else "expected an entry id, got nothing")
            return INVALID

    def _id_of_mapping(self, node: MapNode, path: str) -> Any:
        parts = {key: self.text(item, join(path, key)) for key, item in node.items.items()}
        if parts.keys() - {"ns", "name"} or not parts.get("name"):
            return self.expected('an entry id, such as "namespace:name" or {ns, name}', node, path)
        if INVALID in parts.values():
            return INVALID
        return EntryId(parts.get("ns") or self.namespace, parts["name"])

    def _unknown_keys(
        self, spec_type: type, fields: tuple[_Field, ...], node: MapNode, path: str, also: frozenset[str]
    ) -> Set[str]:
        names = [field.name for field in fields]
        unknown = node.items.keys() - {*names, *also, *tolerated_keys(spec_type)}
        for key in unknown:
            if self.report.full:
                break
            hint = _place_of(key, spec_type) or suggestion(key, {*names, *also}) or _listed(names)
            self.report.problem(node.marks[key], join(path, key), "unknown key", hint)
        return unknown

    def _value(self, field: _Field, node: MapNode, path: str, unknown: Set[str]) -> Any:
        child = node.items.get(field.name)
        if child is None or (isinstance(child, ScalarNode) and child.value is None):
            # One slip is told once: of a key that is misspelt, that it is.
            if field.default is INVALID and (child is not None or not near_names(field.name, unknown)):
                at: Position = node if child is None else child
                missing = "required, but missing" if child is None else "required, but empty"
                self.report.problem(at, join(path, field.name), missing, field.about.doc)
            return field.default
        child_path = join(path, field.name)
        value = field.read(self, child, child_path)
        if value is INVALID:
            return INVALID
        if field.about.non_empty and not (value.text if isinstance(value, SourceText) else value):
            return self.expected("something that is not empty", child, child_path, field.about.doc)
        return value if self.satisfies(field.about.check, value, child, child_path) else INVALID

    def satisfies(self, check: Check, value: Any, node: Node, path: str) -> bool:
        """Applies a check of the declaring dataclass; notes the problem if it says no."""
        expected = check(value)
        if expected is None:
            return True
        # A check that knows near names puts them behind what it expected, in the words of `suggestion`.
        wanted, near, names = expected.partition(", did you mean ")
        self.expected(wanted, node, path, f"did you mean {names}" if near else None)
        return False

    def _found_together(self, spec: Any, node: MapNode, path: str) -> bool:
        problems: Callable[[], Iterable[tuple[str | tuple[str, ...], str]]] | None = getattr(spec, "problems", None)
        found = list(problems()) if problems else []
        for key, message in found:
            below = key if isinstance(key, str) else functools.reduce(join, key, "")  # of keys that the user chose
            self.report.problem(locate(node, below), f"{path}.{below}" if path else below, message)
        return bool(found)


@functools.cache
def _fields_of(spec_type: type) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(spec_type)
    return tuple(
        _Field(field.name, _reader(hints[field.name], key_of(field)), key_of(field), _default(field))
        for field in dataclasses.fields(spec_type)
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return INVALID if field.default_factory is dataclasses.MISSING else field.default_factory()


def _reader(annotation: Any, about: Key) -> _Reader:
    """Returns how a field of this type is read."""
    simple = _SIMPLE_READERS.get(annotation)
    if simple is not None:
        return simple
    if annotation is EntryId:
        return lambda decoder, node, path: decoder.reference(node, path, about.refers_to)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return functools.partial(_read_list, _reader(arguments[0], about), about.element_check)
    if origin is Mapping:
        return functools.partial(_read_mapping, _reader(arguments[1], about), about.element_check)
    if origin in (typing.Union, types.UnionType):  # T | None: an empty value never gets as far as a reader
        return _reader(next(argument for argument in arguments if argument is not type(None)), about)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return functools.partial(_read_record, annotation)
    raise TypeError(f"no reader for the type {annotation}")


def _read_text(decoder: Decoder, node: Node, path: str) -> Any:
    return decoder.text(node, path)


def _read_source(decoder: Decoder, node: Node, path: str) -> Any:
    """Reads a text, or ``{text: ...}``, which is never the name of a file."""
    if isinstance(node, MapNode):
        if node.items.keys() != {TEXT}:
            return decoder.expected(f"a text, or {{{TEXT}: ...}}", node, path)
        node, path = node.items[TEXT], join(path, TEXT)
    text = decoder.text(node, path)
    if text is INVALID or not isinstance(node, ScalarNode):
        return INVALID
    return SourceText(text, node.file or decoder.source_name, node.first_line)


def _read_callee(decoder: Decoder, node: Node, path: str) -> Any:
    text = decoder.text(node, path)
    if text is INVALID:
        return INVALID
    try:
        return CalleePattern.parse(text, decoder.namespace)
    except ValueError as error:
        return decoder.expected(str(error).removeprefix("expected "), node, path)


def _read_boolean(decoder: Decoder, node: Node, path: str) -> Any:
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return node.value
    return decoder.expected("true or false", node, path, _unquoted(node, bool))


def _read_integer(decoder: Decoder, node: Node, path: str) -> Any:
    if isinstance(node, ScalarNode) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    return decoder.expected("an integer", node, path, _unquoted(node, int))


def _read_number(decoder: Decoder, node: Node, path: str) -> Any:
    if isinstance(node, ScalarNode) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    return decoder.expected("a number", node, path, _unquoted(node, int))


def _read_anything(_decoder: Decoder, node: Node, _path: str) -> Any:
    return freeze(node)


_SIMPLE_READERS: Mapping[Any, _Reader] = MappingProxyType(
    {
        str: _read_text,
        bool: _read_boolean,
        int: _read_integer,
        float: _read_number,
        SourceText: _read_source,
        CalleePattern: _read_callee,
        Any: _read_anything,
    }
)


def _read_list(read: _Reader, check: Check, decoder: Decoder, node: Node, path: str) -> Any:
    if not isinstance(node, ListNode):
        hint = f"write [{cut(node.text)}]" if isinstance(node, ScalarNode) else None
        return decoder.expected("a list", node, path, hint)
    values = [_read_element(read, check, decoder, item, f"{path}[{index}]") for index, item in enumerate(node.items)]
    return INVALID if any(value is INVALID for value in values) else tuple(values)


def _read_mapping(read: _Reader, check: Check, decoder: Decoder, node: Node, path: str) -> Any:
    if not isinstance(node, MapNode):
        return decoder.expected("a mapping", node, path)
    values = {key: _read_element(read, check, decoder, item, join(path, key)) for key, item in node.items.items()}
    return INVALID if any(value is INVALID for value in values.values()) else MappingProxyType(values)


def _read_element(read: _Reader, check: Check, decoder: Decoder, node: Node, path: str) -> Any:
    value = read(decoder, node, path)
    return value if value is INVALID or decoder.satisfies(check, value, node, path) else INVALID


def _read_record(spec_type: type, decoder: Decoder, node: Node, path: str) -> Any:
    if not isinstance(node, MapNode):
        return decoder.expected("a mapping", node, path)
    return decoder.spec(spec_type, node, path)


def _unquoted(node: Node, wanted: type) -> str | None:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return None
    if wanted is bool and node.value.lower() in ("yes", "no", "on", "off"):
        return "only true and false are booleans"
    return "write it without quotes" if node.value and type(resolve_plain(node.value)) is wanted else None


def _place_of(key: str, spec_type: type) -> str | None:
    """Says so if the key belongs one level further down (``max_size`` beside ``pool``), or to other kinds."""
    hints = typing.get_type_hints(spec_type)
    for name, annotation in hints.items():
        if dataclasses.is_dataclass(annotation) and key in typing.get_type_hints(annotation):
            return f'it belongs under "{name}"'
    if spec_type not in SPECS.values():
        return None
    kinds = [kind for kind, other in SPECS.items() if key in typing.get_type_hints(other)]
    return f"a key of {', '.join(kinds)}; {_listed(hints)}" if kinds else None


def _listed(names: Iterable[str]) -> str:
    known = ", ".join(names)
    return f"known here: {known}" if known else "this kind has no keys of its own"
