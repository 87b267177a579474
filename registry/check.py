"""Everything that can be known of a project without calling anything in it; Lua files are started."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from polycall.interop.confined import ConfinedFolder
from polycall.interop.errors import DeclarationError, NotFoundError, PolycallError, PreparationError, Problem
from polycall.interop.forks import new_lock
from polycall.interop.protocols import Function, ImportNeed, Signature
from polycall.registry.check_links import Checked, check_links
from polycall.registry.check_lua import check_lua
from polycall.registry.documents.paths import is_folder, shown_path
from polycall.registry.documents.problems import Slip
from polycall.registry.entries.data_kinds import FsDirectorySpec
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.env_kinds import EnvFileSpec
from polycall.registry.entries.folders import declared_folder
from polycall.registry.entries.index import Index
from polycall.registry.finding import Finding
from polycall.registry.reading.entry_file import seems_entry_file
from polycall.registry.services.filesystems import FileSystems
from polycall.registry.services.storages import FileStorage

__all__ = ["Finding", "check_index"]

_MOST_LOOKED_AT = 1000
"""Files of a folder of data that are looked at: it may hold any number."""

_MOST_UNREAD = 3


def check_index(
    index: Index, prepare: Callable[[Entry], Function | None], begin: Callable[[str], None]
) -> list[Finding]:
    """Prepares every entry and says what is wrong or odd, in the order of the files.

    Args:
        index: The entries.
        prepare: Compiles and checks an entry; gives None for one that is not called.
        begin: Is told the id of each entry before it is checked.
    """
    findings = [_declared(warning) for warning in index.warnings]
    file_systems = FileSystems(index)
    functions: dict[str, Checked] = {}
    failures: dict[str, str] = {}

    def prepared(entry: Entry) -> Function | None:
        try:
            function = prepare(entry)
        except PolycallError as error:
            failures[str(entry.id)] = error.message
            raise
        if function is not None:
            signature = function.signature
            signature = _declared_signature(entry) if signature is None else signature
            functions[str(entry.id)] = Checked(function.imports, None if signature is None else str(signature))
        return function

    for entry in index:
        begin(str(entry.id))
        findings += _check_entry(entry, index.root, file_systems, prepared)
    findings += check_links(index, functions)
    findings += check_lua(index, functions, failures)
    return sorted(findings, key=lambda finding: finding.problem[:3])


def _declared_signature(entry: Entry) -> Signature | None:
    """Returns what a Lua function says that it takes and gives.

    Raises:
        PreparationError: Its ``wit`` is wrong.
    """
    if entry.kind != "function.lua" or entry.spec.wit is None:
        return None
    from polycall.registry.signatures.declared_types import types_of_wit  # noqa: PLC0415  # few say it

    return types_of_wit(entry).signature


def _declared(warning: Problem) -> Finding:
    if isinstance(warning, Slip):
        return Finding("error", DeclarationError.code, warning)
    return Finding("warning", "warning", warning)


def _check_entry(
    entry: Entry, root: Path, file_systems: FileSystems, prepare: Callable[[Entry], Function | None]
) -> Iterator[Finding]:
    try:
        if isinstance(entry.spec, FsDirectorySpec):
            if not entry.spec.auto_init or is_folder(declared_folder(entry, root)):  # else it is made when it is used
                yield from _unread(entry, root, file_systems.folder(entry.id))
            return
        if isinstance(entry.spec, EnvFileSpec):
            FileStorage(str(entry.id), entry.spec, root, new_lock()).check()
            return
        function = prepare(entry)
    except PolycallError as error:
        yield _error(entry, error)
        return
    if function is not None:
        yield from _denied(entry, function.imports)


def _unread(entry: Entry, root: Path, folder: ConfinedFolder) -> Iterator[Finding]:
    """Warns of what looks like an entry file in a folder that is data for guests."""
    if folder.read_only is not None or folder.inside:  # what holds it is looked at
        return
    names = (Path(parent, name) for parent, _, names in os.walk(folder.folder) for name in names)
    for path in islice(filter(seems_entry_file, islice(names, _MOST_LOOKED_AT)), _MOST_UNREAD):
        shown = shown_path(path, root)
        message = (
            f"{entry.id}: {shown} has a namespace, but is not read: guests may write in this folder, so it is data"
        )
        hint = "move the file out of the folder if it is to count"
        yield Finding("warning", "warning", entry.problem("directory", message, hint))


def _error(entry: Entry, error: PolycallError) -> Finding:
    own = str(entry.id)
    message = error.message if error.message.startswith(own) else f"{own}: {error.message}"
    return Finding("error", error.code, entry.problem(_key(entry, error), message, error.hint))


def _key(entry: Entry, error: PolycallError) -> str:
    if isinstance(entry.spec, FsDirectorySpec):
        return "directory"
    if isinstance(entry.spec, EnvFileSpec):
        return "file_path"
    if isinstance(error, NotFoundError):
        return "path"
    return (error.key if isinstance(error, PreparationError) else None) or ""


def _denied(entry: Entry, imports: Sequence[ImportNeed]) -> Iterable[Finding]:
    missing = sorted({need.group for need in imports if need.group and not need.granted})
    if missing:
        message = f"the guest imports from {', '.join(missing)}, which its entry does not grant"
        yield _warning(entry, message, "a call to them fails; add them to imports if it needs them")
    absent = [need.name for need in imports if need.granted and not need.available]
    if absent:
        message = f"polycall does not serve {', '.join(absent)}, in this version or to a core module"
        yield _warning(entry, message, "a call to them fails")
    unknown = [need.name for need in imports if need.group is None and need.link is None]
    if unknown:
        yield _warning(entry, f"nobody offers the imports {', '.join(unknown)}", "a call to them fails")


def _warning(entry: Entry, message: str, hint: str) -> Finding:
    return Finding("warning", "warning", entry.problem("imports", f"{entry.id}: {message}", hint))
