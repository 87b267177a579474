"""For any WIT type: what `wit` writes of a component is read back as that type, and stubs of it are code."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from echo_components import echo_component_wat, wit_types
from effort import times
from polycall.interop.ids import EntryId
from polycall.interop.source import SourceText
from polycall.registry.entries.entry import Entry, Location
from polycall.registry.signatures.component_wit import component_wit
from polycall.registry.signatures.declared_types import EntryTypes
from polycall.registry.stubs.lua_stubs import lua_definitions
from polycall.registry.stubs.python_stubs import python_modules
from polycall.registry.stubs.typed_entries import TypedEntry
from polycall.wasm_runtime.binaries import assemble
from polycall.wasm_runtime.look import look_at
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_parser import parse_wit
from polycall.wasm_runtime.wit.wit_types import OptionType, Primitive, RecordType, WitType
from polycall.wasm_runtime.worlds.text import world_text
from polycall.wasm_runtime.worlds.world import Interface, World

_SETTINGS = settings(deadline=None, max_examples=times(200, 25), suppress_health_check=list(HealthCheck))
_NAMES = st.sampled_from(["list", "type", "own", "record-type", "a", "a2", "use"])


@_SETTINGS
@given(wit_types())
def test_what_is_written_of_a_component_is_its_type(wit_type: WitType) -> None:
    plan = look_at(assemble(SourceText(echo_component_wat(wit_type), "echo.wat")), "echo.wat").plan
    assert plan is not None
    assert parse_wit(component_wit(plan))["echo"].result == wit_type


@_SETTINGS
@given(st.dictionaries(_NAMES, wit_types(), max_size=4), wit_types())
@example({"record-type": RecordType((("a", Primitive("u8")),))}, RecordType((("b", Primitive("u8")),)))
def test_names_never_stand_for_another_type(names: dict[str, WitType], wit_type: WitType) -> None:
    signature = Signature(tuple((f"p{at}", each) for at, each in enumerate(names.values())), wit_type)
    world = World("a:b", "w", own_exports=Interface("", {"f": signature}, names))
    assert parse_wit(world_text(world))["f"] == signature


@_SETTINGS
@given(st.lists(wit_types(), max_size=3), wit_types(), st.dictionaries(_NAMES, wit_types(), max_size=3))
def test_stubs_are_code(parameters: list[WitType], result: WitType, names: dict[str, WitType]) -> None:
    signature = Signature(
        (*((f"p-{at}", each) for at, each in enumerate(parameters)), ("last", OptionType(result))), result
    )
    entry = Entry(EntryId("app", "f"), "function.wasm", MappingProxyType({}), {}, None, Location("a", 1, 1), Path())
    typed = TypedEntry(entry, EntryTypes(signature, names))
    found: dict[str, object] = {}
    exec(python_modules([typed])["app.py"], found)
    assert callable(found["f"])
    text = lua_definitions([typed])["funcs.lua"]
    assert text.count("---@overload") == 2  # of call and of try
    assert all(line.startswith("---") for line in text.splitlines() if "app" in line)
