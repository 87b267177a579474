"""What can be known of Lua entries without running them: names, modules, and the calls of entries that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice

from polycall.interop.callees import Callees
from polycall.interop.errors import NotFoundError, PreparationError, Problem
from polycall.interop.ids import cut
from polycall.interop.signature_text import types_of
from polycall.interop.source import SourceText
from polycall.lua_runtime.compiling import compiled
from polycall.lua_runtime.doubts import doubts
from polycall.lua_runtime.spec import LuaFunctionSpec, LuaLibrarySpec
from polycall.lua_runtime.uses import EntryCall, Uses, uses_of
from polycall.registry.check_links import Checked
from polycall.registry.dispatch.programs import isolation_of
from polycall.registry.dispatch.route_table import is_callable
from polycall.registry.documents.text_files import UnreadableError, read_text
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.finding import Finding

__all__ = ["check_lua"]

_MOST_CALLS = 50


def check_lua(index: Index, functions: Mapping[str, Checked], failures: Mapping[str, str]) -> Iterator[Finding]:
    """Looks at the texts of all Lua entries that compile.

    Args:
        index: The entries.
        functions: Those of them that were prepared, by id.
        failures: What those said that could not be: what a line failed with need not be doubted as well.
    """
    known: dict[tuple[SourceText, bool], Uses | None] = {}
    told: set[tuple[str, int, str]] = set()
    for entry in index:
        if isinstance(entry.spec, (LuaFunctionSpec, LuaLibrarySpec)):
            source = entry.spec.source
            # What the host's Lua must not run it need not read in this process either.
            isolated = isolation_of(entry, index) != "none"
            if (source, isolated) not in known:
                known[source, isolated] = _isolated(source) if isolated else _uses(source, str(entry.id))
            failure = failures.get(str(entry.id), "")
            for finding in _Look(entry, known[source, isolated] or Uses(), index, functions).findings():
                problem = finding.problem
                place = problem.file, problem.line, problem.message.removeprefix(str(entry.id))
                # Entries may share a text: what is said of it is said once.
                if place not in told and f"{problem.file}:{problem.line}: " not in failure:
                    told.add(place)
                    yield finding


def _uses(source: SourceText, entry_id: str) -> Uses | None:
    try:
        return uses_of(compiled(source, entry_id))
    except PreparationError:  # said already
        return None


def _isolated(source: SourceText) -> Uses | None:
    from polycall.registry.isolation.lua_uses import isolated_uses  # noqa: PLC0415  # few projects isolate

    return isolated_uses(source)


class _Look:
    """A look at one entry."""

    def __init__(self, entry: Entry, uses: Uses, index: Index, functions: Mapping[str, Checked]) -> None:
        self._entry = entry
        self._uses = uses
        self._index = index
        self._functions = functions

    def findings(self) -> Iterator[Finding]:
        for doubt in doubts(self._entry.spec, self._uses):
            message = f"{self._entry.id}: {doubt.message}"
            if doubt.key:
                yield Finding("warning", "warning", self._entry.problem(doubt.key, message, doubt.hint))
            else:
                column = self._column(doubt.line, doubt.name, quoted=doubt.quoted)
                yield self._warning(doubt.line, column, doubt.message, doubt.hint)
        for call in islice(self._uses.calls, _MOST_CALLS):
            if call.target is not None:
                yield from self._called(call, call.target)

    def _called(self, call: EntryCall, target: str) -> Iterator[Finding]:
        wrong = self._wrong_target(target) or self._forbidden(target) or self._wrong_number(call, target)
        if wrong is not None:
            yield self._warning(call.line, self._column(call.line, target, quoted=True), *wrong)

    def _wrong_target(self, target: str) -> tuple[str, str | None] | None:
        try:
            entry = self._index.get(target)
        except NotFoundError as error:
            unless = "unless the program registers a Python function of that id"
            return f"it calls {cut(target)}: {error.message}", error.hint or unless
        if not is_callable(entry):
            return f"it calls {target}, of kind {entry.kind}, which is not called", None
        return None

    def _forbidden(self, target: str) -> tuple[str, str | None] | None:
        patterns = getattr(self._entry.spec, "calls", None)  # a library's calls are those of whoever imports it
        if patterns is None or Callees(patterns).allow(target):
            return None
        return f"it calls {target}, which its calls do not allow: {Callees(patterns)}", "add it to calls"

    def _wrong_number(self, call: EntryCall, target: str) -> tuple[str, str | None] | None:
        function = self._functions.get(target)
        if function is None or function.signature is None or call.arguments is None:
            return None
        expected = len(types_of(function.signature)[0])
        if call.arguments == expected:
            return None
        given = f"{call.arguments} argument{'' if call.arguments == 1 else 's'}"
        return f"it calls {target} with {given}; it takes {expected}", f"it is {cut(function.signature)}"

    def _warning(self, line: int, column: int, message: str, hint: str | None) -> Finding:
        problem = Problem(self._entry.spec.source.name, line, column, "", f"{self._entry.id}: {message}", hint)
        return Finding("warning", "warning", problem)

    def _column(self, line: int, name: str, *, quoted: bool) -> int:
        """Returns where a name stands in a line of the file; 1 if it is written in another way there."""
        if not 0 < line <= len(self._lines):
            return 1
        text = self._lines[line - 1]
        places = (at for at in _places(text, name) if not quoted or text[at - 1 : at] in ("'", '"'))
        return next(places, 0) + 1

    @cached_property
    def _lines(self) -> list[str]:
        source: SourceText = self._entry.spec.source
        if source.name != self._entry.location.file:
            return [""] * (source.first_line - 1) + source.text.split("\n")
        try:  # text among YAML, which has an indentation of its own
            return read_text(self._index.root / source.name).split("\n")
        except UnreadableError:
            return []


def _places(line: str, name: str) -> Iterator[int]:
    """Yields where a name stands in a line as a word."""
    at = line.find(name)
    while at >= 0:
        around = line[at - 1 : at], line[at + len(name) : at + len(name) + 1]
        if not any(each.isalnum() or each == "_" for each in around):
            yield at
        at = line.find(name, at + 1)
