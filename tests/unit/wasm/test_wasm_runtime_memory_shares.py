"""How a memory limit is shared out: whatever there is, all of it at its caps is within the limit."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from polycall.interop.errors import MemoryLimitError
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.core_module import read_core_module
from polycall.wasm_runtime.component.planner import make_plan
from polycall.wasm_runtime.engine.footprint import Footprint, Table, together
from polycall.wasm_runtime.engine.memory_shares import ELEMENT_BYTES, FREE_TABLE_BYTES, shares

PAGE = 65536
TABLES = st.builds(
    lambda least, more: Table(least, None if more is None else least + more),
    st.integers(0, 20_000),
    st.none() | st.integers(0, 1_000),
)
FOOTPRINTS = st.builds(
    Footprint,
    st.lists(st.integers(0, 30).map(lambda pages: pages * PAGE), max_size=4).map(tuple),
    st.lists(TABLES, max_size=4).map(tuple),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def held(sizes: Iterable[int], cap: int) -> int:
    return sum(max(size, cap) for size in sizes)


@given(FOOTPRINTS, st.integers(1, 100 * PAGE), st.sampled_from([1, 2, 8]))
def test_everything_at_its_cap_is_within_the_limit(footprint: Footprint, limit: int, times: int) -> None:
    times = 1 if footprint.is_exact else times
    try:
        found = shares(limit, footprint, times)
    except MemoryLimitError:
        return
    if (footprint.busy_at_start or not footprint.is_exact) and max(
        footprint.memories, default=0
    ) > found.starting_bytes:
        return  # the engine refuses a memory that begins above its cap
    tables = max(0, found.tables * found.elements * ELEMENT_BYTES - FREE_TABLE_BYTES)
    heaps = [0] * footprint.has_gc
    if footprint.is_exact:
        assert held([*footprint.memories, *heaps], found.running_bytes) + tables <= limit
        starting = footprint.memories if not footprint.busy_at_start else None
    else:
        starting = None
    if starting is None:
        assert (found.memories + len(heaps)) * found.starting_bytes + tables <= limit
    else:  # nothing grows before the instance is complete
        assert sum(starting) + tables <= limit


@pytest.mark.parametrize(
    ("footprint", "running"),
    [
        (Footprint((PAGE,), is_exact=True), 100 * PAGE),
        (Footprint((PAGE, PAGE), is_exact=True), 50 * PAGE),
        (Footprint((80 * PAGE,), has_gc=True, is_exact=True), 20 * PAGE),
        (Footprint((PAGE,), (Table(8_000, 8_000),), is_exact=True), 100 * PAGE),
        (Footprint((PAGE,), (Table(16_384, 16_384),), is_exact=True), 99 * PAGE),
        (Footprint((100 * PAGE,), (Table(1, None),), is_exact=True), 100 * PAGE),
    ],
)
def test_what_is_left_is_for_all(footprint: Footprint, running: int) -> None:
    assert shares(100 * PAGE, footprint).running_bytes == running


@pytest.mark.parametrize(
    ("fields", "footprint"),
    [
        ("(memory 3) (memory 1 2)", Footprint((3 * PAGE, PAGE), is_exact=True)),
        ("(memory i64 2)", Footprint((2 * PAGE,), is_exact=True)),
        ("(table 5 funcref) (table 1 2 externref)", Footprint((), (Table(5, None), Table(1, 2)), is_exact=True)),
        ("(type $f (func)) (table 0 (ref null $f))", Footprint((), (Table(0, None),), is_exact=True)),
        (
            "(func $f) (table 7 (ref func) (ref.func $f)) (table 9 9 funcref)",
            Footprint((), (Table(7, None), Table(9, 9)), is_exact=True),
        ),
        ("(type (array i8))", Footprint(has_gc=True, is_exact=True)),
        ("(type (struct))", Footprint(has_gc=True, is_exact=True)),
        ("(tag)", Footprint(has_gc=True, is_exact=True)),
        (
            "(type $a (array i8)) (global (ref $a) (array.new_fixed $a 0))",
            Footprint(has_gc=True, busy_at_start=True, is_exact=True),
        ),
        ("(func $f) (start $f)", Footprint(busy_at_start=True, is_exact=True)),
    ],
)
def test_a_footprint_is_read_from_the_binary(fields: str, footprint: Footprint) -> None:
    assert read_core_module(bytes(wasmtime.wat2wasm(f"(module {fields})"))).footprint._replace(filling=0) == footprint


@pytest.mark.parametrize(
    ("fields", "filling"),
    [
        ("(func $f) (table 160 funcref)", 5 + 10),
        ("(global i32 (i32.const 1))", 6),
        ("(func $f) (elem declare func $f $f $f)", 7),
        ('(memory 1) (data (i32.const 0) "' + "x" * 154 + '")', 160 // 16),
        ("(memory 1) (func (block (block (block))))", 0),
    ],
)
def test_what_an_instance_starts_with_is_counted(fields: str, filling: int) -> None:
    assert read_core_module(bytes(wasmtime.wat2wasm(f"(module {fields})"))).footprint.filling == filling


def test_the_modules_of_a_component_count_once_each() -> None:
    module = "(core module (memory 1) (table 2 2 funcref))"
    binary = bytes(wasmtime.wat2wasm(f"(component {module} (component {module} (component {module})))"))
    footprint = together(make_plan(decode(binary), binary).footprints)
    assert footprint == Footprint((PAGE,) * 3, (Table(2, 2),) * 3, filling=3 * 5)
