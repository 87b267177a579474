"""The format of entry files as a JSON Schema (draft 2020-12), from the same dataclasses that the load reads them by.

What a schema cannot say stays with `polycall check`: references that lead nowhere, sources that do not compile, and a
``file://`` where a fixed word is expected.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any

from polycall.interop.callees import CalleePattern
from polycall.interop.fields import AtLeast, Check, Key, Matches, OneOf, key_of
from polycall.interop.ids import NAMESPACE, EntryId
from polycall.interop.isolation import ISOLATIONS
from polycall.interop.source import SourceText
from polycall.registry.entries.decode import TEXT
from polycall.registry.entries.kinds import (
    DATA_KINDS,
    EVERY_ENTRY,
    FILE_KEYS,
    KEPT_KINDS,
    SPECS,
    tolerated_keys,
)

__all__ = ["entry_file_schema", "settings_schema"]

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HEADER = ("name", "kind", "meta")
_SINGLE_FILE = ("version", "namespace")
_ID = r"^[^:]+(?::[\s\S]+)?$"
_NAME = r"^\S(?:.*\S)?$"
_META: Schema = {"type": ["object", "null"], "description": "Free-form; comment, description and title are shown."}
_SIMPLE_TYPES: Mapping[Any, str] = {
    str: "string",
    CalleePattern: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
}


def entry_file_schema() -> Schema:
    """Returns the schema of one entry file."""
    single: Schema = {"required": ["name", "kind"], **_by_kind(also=_SINGLE_FILE)}
    return {
        "$schema": _DIALECT,
        "$id": "urn:polycall:schema:entries",
        "title": "polycall entry file",
        "type": "object",
        "required": ["namespace"],
        "properties": {
            "version": {"description": "Not interpreted."},
            "namespace": {
                "type": "string",
                "pattern": f"^{NAMESPACE.pattern}$",
                "description": "What the ids of the entries begin with: names joined by dots.",
            },
        },
        "if": {"required": ["entries"]},
        "then": {"properties": _list_properties(), "propertyNames": {"enum": list(FILE_KEYS)}},
        "else": single,
        "$defs": {"entry": _by_kind(), **{kind: _record(spec, closed=False) for kind, spec in SPECS.items()}},
    }


def settings_schema() -> Schema:
    """Returns the schema of ``polycall.yaml``."""
    from polycall.registry.entries.settings import Settings  # noqa: PLC0415  # the schema of entries needs none of it

    head = {"$schema": _DIALECT, "$id": "urn:polycall:schema:project", "title": "polycall.yaml"}
    return {**head, **_record(Settings), "type": ["object", "null"]}


def _list_properties() -> Schema:
    entries = {"type": ["array", "null"], "items": {"$ref": "#/$defs/entry"}}
    calls = {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "description": "The entries that those of this file may call which do not say it themselves.",
    }
    meta = {**_META, "description": "Defaults for the meta of every entry."}
    isolation = {
        "type": ["string", "null"],
        "enum": [*ISOLATIONS, None],
        "description": "Where the instances of every function here run that does not say it itself.",
    }
    return {"meta": meta, "calls": calls, "isolation": isolation, "entries": entries}


def _by_kind(also: Collection[str] = ()) -> Schema:
    """Returns the schema of an entry; `also` are the keys of the file that stand beside those of its only entry."""
    known = sorted({*SPECS, *DATA_KINDS, *KEPT_KINDS})
    beside_data = [*_HEADER, "data", *sorted(EVERY_ENTRY), *also]
    return {
        "type": "object",
        "required": ["name", "kind"],
        "properties": {
            "name": {"type": "string", "pattern": _NAME, "description": "The id is namespace:name."},
            "kind": {"type": "string", "pattern": _NAME, "anyOf": [{"enum": known}, {}]},
            "meta": _META,
        },
        "if": {"required": ["data"]},
        "then": {"propertyNames": {"enum": beside_data}},
        "allOf": [_of_kind(kind, spec, also) for kind, spec in SPECS.items()],
    }


def _of_kind(kind: str, spec: type, also: Collection[str]) -> Schema:
    keys = [field.name for field in dataclasses.fields(spec)] + sorted(tolerated_keys(spec))
    reference = {"$ref": f"#/$defs/{kind}"}
    return {
        "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
        "then": {
            "if": {"required": ["data"]},
            "then": {"properties": {"data": {**reference, "propertyNames": {"enum": keys}}}},
            "else": {**reference, "propertyNames": {"enum": [*_HEADER, *keys, *also]}},
        },
    }


def _record(spec: type, *, closed: bool = True) -> Schema:
    """Returns the schema of a dataclass; one that is not closed leaves unknown keys to whoever refers to it."""
    hints = typing.get_type_hints(spec)
    fields = dataclasses.fields(spec)
    schema: Schema = {
        "type": "object",
        "description": inspect.cleandoc(spec.__doc__ or "").partition("\n")[0],
        "properties": {field.name: _property(hints[field.name], field) for field in fields},
    }
    required = [field.name for field in fields if _is_required(field)]
    if required:
        schema["required"] = required
    if closed:
        tolerated = sorted(tolerated_keys(spec))
        schema["properties"] |= {name: {"description": "Accepted, unused."} for name in tolerated}
        schema["additionalProperties"] = False
    return schema


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _property(annotation: Any, field: dataclasses.Field[Any]) -> Schema:
    about = key_of(field)
    schema = _typed(annotation, about)
    if about.non_empty:
        schema["minItems" if schema.get("type") == "array" else "minLength"] = 1
    schema = _checked(schema, about.check)
    if not _is_required(field):  # an empty value stands for the default
        schema = _nullable(schema)
        if isinstance(field.default, (str, bool, int, float)):
            schema["default"] = field.default
    return {**schema, "description": about.doc}


def _typed(annotation: Any, about: Key) -> Schema:
    if annotation is SourceText:
        return _source(about)
    if annotation in _SIMPLE_TYPES:
        return {"type": _SIMPLE_TYPES[annotation]}
    if annotation is Any:
        return {}
    if annotation is EntryId:
        return _reference()
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return {"type": "array", "items": _checked(_typed(arguments[0], about), about.element_check)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _checked(_typed(arguments[1], about), about.element_check)}
    if origin in (typing.Union, types.UnionType):
        return _typed(next(argument for argument in arguments if argument is not type(None)), about)
    return _record(annotation)


def _source(about: Key) -> Schema:
    text: Schema = {"type": "string", "minLength": 1} if about.non_empty else {"type": "string"}
    in_any_case = {"type": "object", "properties": {TEXT: text}, "required": [TEXT], "additionalProperties": False}
    return {"anyOf": [{"type": "string"}, in_any_case]}


def _reference() -> Schema:
    parts = {"ns": {"type": "string"}, "name": {"type": "string", "minLength": 1}}
    pair = {"type": "object", "properties": parts, "required": ["name"], "additionalProperties": False}
    return {"anyOf": [{"type": "string", "pattern": _ID}, pair]}


def _checked(schema: Schema, check: Check) -> Schema:
    if isinstance(check, OneOf):
        return {**schema, "enum": list(check.choices)}
    if isinstance(check, AtLeast):
        greatest = {} if check.maximum is None else {"maximum": check.maximum}
        return {**schema, "minimum": check.minimum, **greatest}
    if isinstance(check, Matches):  # the text may stand in a file of its own
        return {**schema, "pattern": f"^(?:file://|(?:{check.pattern})$)"}
    return schema


def _nullable(schema: Schema) -> Schema:
    if "type" not in schema:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]} if "anyOf" in schema else schema
    nullable = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable
