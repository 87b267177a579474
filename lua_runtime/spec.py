"""The Lua entry kinds as declared, and as resolved for the runtime (specification: system facts 1.6, 4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from types import MappingProxyType

from polycall.interop.callees import CalleePattern
from polycall.interop.fields import key, matches, one_of
from polycall.interop.ids import EntryId
from polycall.interop.isolation import ISOLATIONS
from polycall.interop.limits import LimitsSpec
from polycall.interop.pool_spec import PoolSpec
from polycall.interop.records import record
from polycall.interop.source import SourceText

__all__ = ["KINDS", "LuaFunctionSpec", "LuaLibrarySpec", "LuaProgram"]

_NO_IMPORTS: Mapping[str, EntryId] = MappingProxyType({})
_IMPORTABLE = ("library.lua", "function.lua")
_check_module_name = matches("[^:]+", 'the plain name of a module, such as "json"')


@record
class LuaFunctionSpec:
    """``function.lua``: a Lua function that can be called by its id."""

    source: SourceText = key(
        "Lua 5.4 text, or file:// and its path; it returns a table of functions, or one.", non_empty=True
    )
    method: str = key("The function in the returned table to call.", non_empty=True)
    modules: tuple[str, ...] = key(
        "Modules of the host that `require` may load.", default=(), element_check=_check_module_name
    )
    imports: Mapping[str, EntryId] = key(
        "Alias to library entry; `require(alias)` gives what the library returns.",
        default=_NO_IMPORTS,
        refers_to=_IMPORTABLE,
    )
    wit: str | None = key(
        'What it takes and gives, as WIT: "name: func(a: s32) -> string"; for stubs, links and check.', default=None
    )
    calls: tuple[CalleePattern, ...] | None = key(
        "The entries that it may call: ids, and beginnings with a star; every one if it is not there.", default=None
    )
    pool: PoolSpec = key("How instances are kept.", default=PoolSpec())
    limits: LimitsSpec = key("What a call may use at most.", default=LimitsSpec())
    isolation: str | None = key(
        "Where its instances run: sandbox is WebAssembly, process a worker process for each, none neither.",
        default=None,
        check=one_of(*ISOLATIONS),
    )


@record
class LuaLibrarySpec:
    """``library.lua``: Lua code that other Lua entries import."""

    source: SourceText = key("Lua 5.4 text, or file:// and its path; what it returns is the library.", non_empty=True)
    modules: tuple[str, ...] = key(
        "Modules of the host that `require` may load.", default=(), element_check=_check_module_name
    )
    imports: Mapping[str, EntryId] = key(
        "Alias to library entry; `require(alias)` gives what the library returns.",
        default=_NO_IMPORTS,
        refers_to=_IMPORTABLE,
    )


KINDS: Mapping[str, type] = MappingProxyType({"function.lua": LuaFunctionSpec, "library.lua": LuaLibrarySpec})
"""Kind to the dataclass of its keys."""


@record
class LuaProgram:
    """A Lua entry with every reference resolved: what the runtime prepares.

    Attributes:
        entry_id: ``namespace:name``.
        source: Its text.
        method: The function to call, or None for a library.
        modules: Host modules that its `require` may load.
        imports: Alias to the imported program; acyclic.
        limits: What a call may use.
        sandbox: Whether it runs inside of WebAssembly.
    """

    entry_id: str
    source: SourceText
    method: str | None
    modules: tuple[str, ...] = ()
    imports: Mapping[str, LuaProgram] = field(default_factory=dict)
    limits: LimitsSpec = field(default_factory=LimitsSpec)
    sandbox: bool = False

    def with_imports(self) -> Iterator[LuaProgram]:
        """Yields the program and, once each, everything it imports, directly or not."""
        seen: set[str] = set()
        waiting = [self]
        while waiting:
            each = waiting.pop()
            if each.entry_id not in seen:
                seen.add(each.entry_id)
                yield each
                waiting += each.imports.values()
