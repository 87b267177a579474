"""Ctrl-C may come at any moment of a call: afterwards, no instance is lost and no other thread waits in vain.

CPython looks for signals after calls, at the begin of functions and in loops. Each such point of a call in the modules
below is taken in turn: there, and nowhere else, KeyboardInterrupt is raised.
"""

from __future__ import annotations

import asyncio
import dis
import functools
import json
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import polycall
from polycall.interop import context, pool, pool_queue, stack, waiting
from polycall.registry.dispatch import (
    async_calls,
    dispatcher,
    preparation,
    route_table,
    routes,
    starting_gate,
    threads,
)

MODULES = (context, pool, pool_queue, waiting, dispatcher, preparation, route_table, routes)
FILES = {module.__file__ for module in MODULES}
FILES_OF_THREADS = {module.__file__ for module in (async_calls, starting_gate, threads, stack)}
LOOKED_AFTER = ("CALL", "RESUME", "JUMP_BACKWARD")
LUA = {"kind": "function.lua", "source": "return { f = function(x) return x end }"}
WAT = '(module (func (export "f") (param i32) (result i32) local.get 0))'
FORMS: dict[str, dict[str, Any]] = {
    "lua": LUA | {"pool": {"max_size": 1}},
    "static": LUA | {"pool": {"type": "static", "workers": 2}},
    "core": {"kind": "function.wat", "source": WAT, "wit": "f: func(x: s32) -> s32", "pool": {"max_size": 1}},
}


class Interruption:
    """A trace function that raises once, at the point with a number."""

    def __init__(self, number: int, files: Collection[str | None] = FILES) -> None:
        self.left = number
        self._files = files
        self._before: tuple[FrameType, str] | None = None

    def __call__(self, frame: FrameType, _event: str, _argument: object) -> Any:
        self._before = None  # nobody looks after a call of a Python function: its own begin was the point
        if frame.f_code.co_filename not in self._files:
            return None
        self._before = (frame, "RESUME")
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._in_frame

    def _in_frame(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "opcode" and self.left:
            before, self._before = self._before, (frame, _instructions(frame.f_code).get(frame.f_lasti, ""))
            if before is not None and before[0] is frame and before[1].startswith(LOOKED_AFTER):
                self.left -= 1
                if not self.left:
                    sys.settrace(None)
                    raise KeyboardInterrupt
        return self._in_frame


@functools.cache
def _instructions(code: CodeType) -> dict[int, str]:
    return {each.offset: each.opname for each in dis.get_instructions(code)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    entries = [{"name": name, "method": "f", **entry} for name, entry in FORMS.items()]
    (tmp_path / "_index.json").write_text(json.dumps({"namespace": "app", "entries": entries}))
    return tmp_path


def _interrupted(registry: polycall.Registry, target: str, number: int) -> bool:
    """Makes a call and says whether it was interrupted at that point; False if there are not as many."""
    interruption, before = Interruption(number), sys.gettrace()
    sys.settrace(interruption)
    try:
        with suppress(KeyboardInterrupt):
            registry.call(target, 7, timeout=60, cancellation=polycall.Cancellation())
    finally:
        sys.settrace(before)
    return not interruption.left


def _check(registry: polycall.Registry, target: str) -> None:
    results: list[polycall.Value] = []
    other = threading.Thread(target=lambda: results.append(registry.call(target, 9, timeout=5)), daemon=True)
    other.start()
    other.join(30)
    assert results == [9]
    pool = registry.stats().entries[target].pool
    assert (pool.in_use, pool.waiting) == (0, 0)


def _registries(project: Path, prepared: str | None) -> Iterator[polycall.Registry]:
    while True:
        with polycall.load(project) as registry:
            if prepared is not None:
                registry.call(prepared, 3)
            yield registry


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="later versions do not trace every instruction of a frame")
@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_an_interrupt_at_any_point_of_a_call_loses_nothing(project: Path, form: str, prepared: bool) -> None:
    target = f"app:{form}"
    for number, loaded in enumerate(_registries(project, target if prepared else None), 1):
        if not _interrupted(loaded, target, number):
            break
        _check(loaded, target)
    assert number > 10


def _queued_and_interrupted(calls: async_calls.AsyncCalls, number: int) -> bool:
    """Makes calls, of which only one may begin at first; says whether that was interrupted at that point."""
    interruption, before = Interruption(number, FILES_OF_THREADS), sys.gettrace()
    calls._gate._width = 1

    async def several() -> None:
        made = (calls.run("py:f", time.sleep, (0.006,), None, polycall.Cancellation()) for _ in range(3))
        await asyncio.gather(*made)

    sys.settrace(interruption)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(several())
    finally:
        sys.settrace(before)
    return not interruption.left


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="later versions do not trace every instruction of a frame")
def test_an_interrupt_at_any_point_where_calls_are_queued_leaves_none_in_the_count() -> None:
    for number in range(1, 1000):
        calls = async_calls.AsyncCalls()
        interrupted = _queued_and_interrupted(calls, number)
        closing = threading.Thread(target=calls.close, daemon=True)
        closing.start()
        closing.join(10)
        assert not closing.is_alive(), f"it waits for ever after point {number}"
        assert (calls._on_threads, calls._running) == (0, 0), number
        assert not calls._gate._beginning
        assert not calls._gate._long
        if not interrupted:
            break
    assert 100 < number < 999
