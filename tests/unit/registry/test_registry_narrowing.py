"""Limits of one call: never above the entry's own, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from resource_guests import load_shop

FILL = """
local kept = 0
return { f = function(bytes) kept = kept + 1; local text = string.rep("x", bytes); return { #text, kept } end }
"""
GROW = """
(module (memory (export "memory") 1)
  (func (export "grow") (param $pages i32) (result i32) (memory.grow (local.get $pages))))
"""
MIB = 1024 * 1024


@pytest.fixture
def registry() -> Iterator[polycall.Registry]:
    with polycall.Registry() as made:
        fill = {"kind": "function.lua", "method": "f", "source": FILL}
        made.add({"id": "app:fill", **fill})
        made.add({"id": "app:tight", **fill, "limits": {"max_memory_bytes": 4 * MIB}})
        made.add({"id": "app:worker", **fill, "isolation": "process"})
        made.add({
            "id": "app:grow", "kind": "function.wat", "method": "grow", "source": GROW,
            "wit": "grow: func(pages: u32) -> s32",
        })  # fmt: skip
        yield made


@pytest.mark.parametrize("target", ["app:fill", "app:worker"])
def test_a_limit_of_memory_holds_for_its_call_alone(registry: polycall.Registry, target: str) -> None:
    assert registry.call(target, 8 * MIB) == [8 * MIB, 1]
    with pytest.raises(polycall.MemoryLimitError):
        registry.call(target, 8 * MIB, limits={"max_memory_bytes": 4 * MIB})
    assert registry.call(target, 1000, limits={"max_memory_bytes": 4 * MIB}) == [1000, 1]  # an instance of its own
    assert registry.call(target, 8 * MIB) == [8 * MIB, 2]  # that of the pool, which nothing has happened to
    assert registry.stats().entries[target].calls == 4


def test_a_limit_above_the_entry_s_changes_nothing(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.MemoryLimitError):
        registry.call("app:tight", 8 * MIB, limits={"max_memory_bytes": 100 * MIB})
    assert registry.call("app:tight", MIB, limits={"max_memory_bytes": 100 * MIB}) == [MIB, 1]
    with pytest.raises(polycall.MemoryLimitError):
        registry.call("app:tight", 2 * MIB, limits={"max_memory_bytes": MIB})


def test_memory_of_webassembly_is_limited_for_one_call(registry: polycall.Registry) -> None:
    assert registry.call("app:grow", 100) == 1
    assert registry.call("app:grow", 100, limits={"max_memory_bytes": 2 * MIB}) == -1
    assert registry.call("app:grow", 10, limits={"max_memory_bytes": 2 * MIB}) == 1
    assert registry.call("app:grow", 0) == 101


def test_output_and_time_are_limited_for_one_call(
    registry: polycall.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    say = "return { f = function(n) for i = 1, n do print('line') end end }"
    registry.add({"id": "app:say", "kind": "function.lua", "method": "f", "source": say})
    with caplog.at_level("INFO", logger="polycall.entry.app:say"):
        registry.call("app:say", 10, limits={"max_output_bytes": 200})
    assert [record.getMessage() for record in caplog.records].count("line") < 10
    spin = "return { f = function() while true do end end }"
    registry.add({"id": "app:spin", "kind": "function.lua", "method": "f", "source": spin})
    with pytest.raises(polycall.DeadlineError):
        registry.call("app:spin", limits={"max_execution_ms": 20})


@pytest.mark.parametrize(
    ("limits", "error", "told"),
    [
        ({"max_memory_byte": 1}, ValueError, 'limits: max_memory_byte: unknown key .did you mean "max_memory_bytes"'),
        ({"max_memory_bytes": 0}, ValueError, "limits: max_memory_bytes: expected at least 1, got 0"),
        ({"max_memory_bytes": "1"}, ValueError, "limits: max_memory_bytes: expected an integer"),
        (5, TypeError, "limits is a int; it must be a mapping"),
    ],
)
def test_what_is_no_limit_is_refused_before_the_call(
    registry: polycall.Registry, limits: Any, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        registry.call("app:fill", 1, limits=limits)
    assert "app:fill" not in registry.stats().entries


def test_what_cannot_be_limited_says_so(registry: polycall.Registry, tmp_path: Path) -> None:
    registry.function("py:one")(lambda: 1)
    with pytest.raises(polycall.CallError, match="a Python function has no limits of memory"):
        registry.call("py:one", limits={"max_memory_bytes": 1})
    assert registry.call("py:one", limits={"max_execution_ms": 1000}) == 1
    with load_shop(tmp_path) as shop, pytest.raises(polycall.CallError, match="it takes or gives resources"):
        shop.call("shop:cart", limits={"max_memory_bytes": MIB})


def test_what_is_made_for_limits_is_kept_but_not_without_end(registry: polycall.Registry) -> None:
    for size in range(20):
        registry.call("app:fill", 1, limits={"max_memory_bytes": 4 * MIB + size})
    assert len(registry._dispatcher.table.by_id["app:fill"].limited) == 8
    registry.replace(
        {
            "id": "app:fill",
            "kind": "function.lua",
            "method": "f",
            "source": "return { f = function() return 'new' end }",
        }
    )
    assert registry.call("app:fill", limits={"max_memory_bytes": 4 * MIB}) == "new"


def test_a_result_is_held_to_its_type(registry: polycall.Registry) -> None:
    assert registry.call("app:fill", 5, returns=list[int]) == [5, 1]
    with pytest.raises(polycall.ConversionError, match=r"\$\.result\[0\]: expected str, got 5"):
        registry.call("app:fill", 5, returns=list[str])
    with pytest.raises(TypeError, match="a result cannot be checked"):
        registry.call("app:fill", 5, returns=set[int])
