"""The hashes of the binaries that ``function.wasm`` entries name: declared, actual, and written into the files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from polycall.interop.errors import PreparationError
from polycall.registry.documents.nodes import MapNode, ScalarNode, join
from polycall.registry.documents.text_edits import replace_file
from polycall.registry.entries.entry import Location
from polycall.registry.entries.index import Index
from polycall.registry.reading.entry_file import EntryFile
from polycall.registry.reading.hash_edits import HashPlace, edited
from polycall.registry.reading.load import load_index
from polycall.registry.services.filesystems import FileSystems
from polycall.wasm_runtime.spec import KINDS, WasmFunctionSpec, check_hash

__all__ = ["BinaryHash", "binary_hashes", "index_without_hashes", "write_hashes"]

_PLACEHOLDER = "sha256:" + 64 * "0"


class BinaryHash(NamedTuple):
    """The hash of one entry's binary.

    Attributes:
        entry_id: ``namespace:name``.
        declared: What the entry says, whatever it is; None if it says nothing.
        actual: ``sha256:`` and the digest of the file.
        place: Where the hash stands, or is missing.
    """

    entry_id: str
    declared: str | None
    actual: str
    place: HashPlace

    @property
    def differs(self) -> bool:
        """Whether the entry would be refused."""
        return self.declared is None or self.declared.lower() != self.actual


def binary_hashes(project: str | os.PathLike[str], entry_ids: Sequence[str] = ()) -> list[BinaryHash]:
    """Computes the hash of every binary of a project.

    A hash that is missing, or is no hash yet, is no problem here: that is how an entry begins.

    Args:
        project: The project folder.
        entry_ids: Only these entries; all of kind ``function.wasm`` if there are none.

    Raises:
        DeclarationError: Something else than a hash is wrong with the declarations.
        NotFoundError: There is no such folder, entry or binary.
        PreparationError: An entry that is asked for is of another kind, or its binary cannot be read.
    """
    places: dict[Location, HashPlace] = {}
    index = index_without_hashes(project, places)
    file_systems = FileSystems(index)
    return [
        _hash(str(entry_id), spec, places[location], file_systems)
        for entry_id, spec, location in _wanted(index, entry_ids)
    ]


def index_without_hashes(project: str | os.PathLike[str], places: dict[Location, HashPlace] | None = None) -> Index:
    """Loads a project in which hashes may be missing, or be none yet.

    Args:
        project: The project folder.
        places: Is filled with where each entry has its hash, if it is given.

    Raises:
        DeclarationError: Something else than a hash is wrong with the declarations.
        NotFoundError: There is no such folder.
    """
    found = {} if places is None else places
    return load_index(project, amend=lambda files: _fill_in(files, found))


def write_hashes(hashes: Sequence[BinaryHash]) -> list[str]:
    """Writes the actual hash wherever the declared one differs; every other byte of the files stays.

    Nothing is written if one of them cannot be.

    Returns:
        The files that were changed, by the names that messages have for them.

    Raises:
        PreparationError: A hash stands where it cannot be replaced alone.
    """
    wanted = [(found.place, found.actual) for found in hashes if found.differs]
    sources = {place.source.name: place.source for place, _ in wanted}
    contents = {
        name: edited(source, [(place, actual) for place, actual in wanted if place.source == source])
        for name, source in sources.items()
    }
    for name, content in contents.items():
        replace_file(sources[name].path, content)
    return sorted(contents)


def _fill_in(files: list[EntryFile], places: dict[Location, HashPlace]) -> None:
    """Notes where the hashes stand, then puts a placeholder where one stands that the load would not accept.

    Entries may share nodes by YAML's aliases, so everything is noted before anything changes.
    """
    for file in files:
        places.update(_places(file))
    for place in places.values():
        if isinstance(place.hash, ScalarNode) and not _accepted(place.hash):
            at = place.hash
            place.keys.items["hash"] = ScalarNode(_PLACEHOLDER, _PLACEHOLDER, at.line, at.column, at.line)


def _places(file: EntryFile) -> Iterator[tuple[Location, HashPlace]]:
    for node, path in file.entries:
        kind = node.items.get("kind")
        data = node.items.get("data")
        keys, keys_path = (node, path) if data is None else (data, join(path, "data"))
        if isinstance(kind, ScalarNode) and KINDS.get(kind.text) is WasmFunctionSpec and isinstance(keys, MapNode):
            location = Location(file.source.name, node.line, node.column)
            yield location, HashPlace(file.source, keys, keys.items.get("hash"), join(keys_path, "hash"))


def _accepted(node: ScalarNode) -> bool:
    """Whether a hash is left to the load: a proper one, or text of a file of its own."""
    text = node.value if isinstance(node.value, str) else ""
    return text.startswith("file://") or check_hash(text) is None


def _wanted(index: Index, entry_ids: Sequence[str]) -> Iterator[tuple[str, WasmFunctionSpec, Location]]:
    for entry in map(index.get, entry_ids) if entry_ids else index:
        if isinstance(entry.spec, WasmFunctionSpec):
            yield str(entry.id), entry.spec, entry.location
        elif entry_ids:
            raise PreparationError(f"{entry.id} is {entry.kind}; only function.wasm has a hash", entry_id=str(entry.id))


def _hash(entry_id: str, spec: WasmFunctionSpec, place: HashPlace, file_systems: FileSystems) -> BinaryHash:
    folder = file_systems.locate(spec.fs, spec.path)
    try:
        descriptor = folder.open(spec.path, os.O_RDONLY)
        with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor has no path
            actual = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or str(error)
        raise PreparationError(f"{spec.path} cannot be read: {reason}", entry_id=entry_id) from error
    return BinaryHash(entry_id, place.declared, actual, place)
