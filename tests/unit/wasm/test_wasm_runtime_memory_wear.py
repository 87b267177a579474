from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import polycall
from polycall.wasm_runtime.engine.memory_wear import WORN_BYTES, wear_bounds
from projects import write_project
from wasm_guests import core_in_component

PAGE = 65536
GROW = """
  (global $calls (mut i32) (i32.const 0))
  (func (export "grow") (param i32) (result i32)
    (if (i32.eq (i32.const -1) (memory.grow (local.get 0))) (then unreachable))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (global.get $calls))"""
NEVER_FREES = """(module (memory (export "memory") 1) (global $free (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get 3)))
    (loop $more
      (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
        (then (if (i32.eq (i32.const -1) (memory.grow (i32.const 1))) (then unreachable)) (br $more))))
    (local.get $at))
  (func (export "size") (param i32 i32) (result i32) (local.get 1)))"""
FORMS = {
    "core": (f'(module (memory (export "memory") 1) {GROW})', "grow: func(pages: u32) -> u32"),
    "component": (core_in_component(GROW, 'grow (param "pages" u32) (result u32)'), None),
    "large": (f'(module (memory (export "memory") 12) {GROW})', "grow: func(pages: u32) -> u32"),
    "initialized": (
        f'(module (memory (export "memory") 1) {GROW} '
        '(func (export "_initialize") (drop (memory.grow (i32.const 11)))))',
        "grow: func(pages: u32) -> u32",
    ),
    "two": (
        f'(module (memory (export "memory") 1) (memory $other (export "other") 1) {GROW})',
        "grow: func(pages: u32) -> u32",
    ),
}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    entries = ["namespace: app", "entries:"]
    files = {"frees_wat": NEVER_FREES}
    frees = "source: file://frees.wat, method: size, wit: 'size: func(v: list<u8>) -> u32'"
    for name, more in {"frees": "", "isolated": ", isolation: process"}.items():
        limits = "limits: {max_memory_bytes: 1048576}"
        entries.append(f"  - {{name: {name}, kind: function.wat, {frees}, {limits}{more}}}")
    for name, (text, wit) in FORMS.items():
        files[f"{name}_wat"] = text
        about = f"kind: function.wat, source: file://{name}.wat, method: grow{f', wit: {wit!r}' if wit else ''}"
        entries.append(f"  - {{name: {name}, {about}, limits: {{max_memory_bytes: {16 * PAGE}}}}}")
        entries.append(f"  - {{name: {name}-without-limit, {about}}}")
    write_project(tmp_path, index="\n".join(entries), **files)
    with polycall.load(tmp_path) as registry:
        yield registry


@pytest.mark.parametrize("form", ["core", "component", "two"])
def test_an_instance_beyond_half_of_its_limit_is_replaced_and_one_below_is_not(
    registry: polycall.Registry, form: str
) -> None:
    half = 8 if form != "two" else 4  # of each
    assert registry.call(f"app:{form}", half - 1) == 1
    assert registry.call(f"app:{form}", 1) == 2  # so it was the same instance
    assert registry.call(f"app:{form}", 0) == 1
    pool = registry.stats().entries[f"app:{form}"].pool
    assert (pool.made, pool.discarded, pool.idle) == (2, 1, 1)


@pytest.mark.parametrize("form", ["core", "component"])
def test_without_a_limit_the_bound_is_64_mib(registry: polycall.Registry, form: str) -> None:
    assert registry.call(f"app:{form}-without-limit", 1023) == 1
    assert registry.call(f"app:{form}-without-limit", 1) == 2
    assert registry.call(f"app:{form}-without-limit", 0) == 1


def test_memories_without_a_limit_count_together() -> None:
    held = [WORN_BYTES // 2, 0]
    bounds = wear_bounds(None, -1, [lambda: held[0] - WORN_BYTES // 2, lambda: held[1]])
    held[:] = [WORN_BYTES, WORN_BYTES // 2]
    assert not any(now() > bound for now, bound in bounds)
    held[1] += PAGE
    assert any(now() > bound for now, bound in bounds)


@pytest.mark.parametrize("form", ["large", "initialized"])
def test_an_instance_that_starts_large_may_use_half_of_what_is_left(registry: polycall.Registry, form: str) -> None:
    assert [registry.call(f"app:{form}", pages) for pages in (1, 1, 0, 1, 0)] == [1, 2, 3, 4, 1]


@pytest.mark.parametrize(("name", "calls"), [("frees", 10_000), ("isolated", 300)])
def test_a_guest_that_never_frees_never_fails(registry: polycall.Registry, name: str, calls: int) -> None:
    sizes = [len(bytes(index % 50_000)) for index in range(7, 7 * calls + 7, 7)]
    for size in sizes:
        assert registry.call(f"app:{name}", bytes(size)) == size
    stats = registry.stats().entries[f"app:{name}"]
    assert (stats.calls, stats.errors) == (calls, {})
    if name == "frees":
        assert stats.pool.discarded > 100


def test_what_fits_no_fresh_instance_is_a_memory_error_however_the_allocator_gives_up(
    registry: polycall.Registry,
) -> None:
    assert registry.call("app:frees", bytes(900_000)) == 900_000
    for _ in range(2):
        with pytest.raises(polycall.MemoryLimitError, match=r"raise limits\.max_memory_bytes, which is 1048576"):
            registry.call("app:frees", bytes(1_100_000))
    assert registry.call("app:frees", bytes(900_000)) == 900_000
