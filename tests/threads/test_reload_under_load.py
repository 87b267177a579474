"""Threads call without pause while the code is swapped: no call fails, and none runs half on one version."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import polycall
from effort import times
from projects import write_project

THREADS = 8
RELOADS = times(50, 15)

INDEX = """
namespace: app
entries:
  - name: lua
    kind: function.lua
    imports: {lib: lib}
    source: file://main.lua
    method: version
    pool: POOL
  - name: lib
    kind: library.lua
    source: file://lib.lua
  - name: wat
    kind: function.wat
    source: file://code.wat
    method: version
    wit: "version: func() -> s32"
    pool: POOL
  - name: nested
    kind: function.lua
    modules: [funcs]
    source: "local funcs = require('funcs'); return { nested = function(id) return (funcs.call(id)) end }"
    method: nested
    pool: POOL
  - name: kept
    kind: function.lua
    source: "local n = 0; return { kept = function() n = n + 1; return n end }"
    method: kept
    pool: {type: static, workers: 1}
"""
POOLS = ["{type: inline}", "{type: lazy, max_size: 2}", "{type: static, workers: 2}", "{type: adaptive, max_size: 2}"]


def write_version(project: Path, version: int) -> None:
    texts = {
        "main.lua": f"local lib = require('lib'); return {{ version = function() return {{ {version}, lib }} end }}",
        "lib.lua": f"return {version}",
        "code.wat": f'(module (func (export "version") (result i32) (i32.const {version})))',
    }
    for name, text in texts.items():
        (project / f"{name}.new").write_text(text)
        (project / f"{name}.new").replace(project / name)


@pytest.mark.parametrize("pool", POOLS)
def test_every_call_runs_one_version_and_none_fails(tmp_path: Path, pool: str) -> None:
    write_project(tmp_path, index=INDEX.replace("POOL", pool))
    write_version(tmp_path, 1)
    failures: list[BaseException] = []
    calls = [0] * THREADS
    done = threading.Event()

    with polycall.load(tmp_path) as registry:

        def call(number: int) -> None:
            while not done.is_set():
                lua = registry.call("app:lua")
                assert lua in ([1, 1], [2, 2])
                assert registry.call("app:wat") in (1, 2)
                assert registry.call("app:nested", "app:lua") in ([1, 1], [2, 2])
                assert registry.call("app:nested", "app:wat") in (1, 2)
                registry.call("app:kept")
                calls[number] += 1

        def reload() -> None:
            for round_number in range(RELOADS):
                version = 2 - round_number % 2
                write_version(tmp_path, version)
                changes = registry.reload()
                assert changes.changed == ("app:lib", "app:lua", "app:wat")
                assert registry.call("app:lua") == [version, version]
            done.set()

        def guarded(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # it is shown by the main thread
                failures.append(error)
                done.set()

        work = [reload, *(lambda number=number: call(number) for number in range(THREADS))]
        threads = [threading.Thread(target=guarded, args=(each,)) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert registry.call("app:kept") == sum(calls) + 1  # one instance through all reloads
        assert all(calls)


def test_concurrent_reloads_leave_the_state_of_the_files(tmp_path: Path) -> None:
    write_project(tmp_path, index=INDEX.replace("POOL", "{type: lazy}"))
    write_version(tmp_path, 1)
    with polycall.load(tmp_path) as registry:
        assert registry.call("app:lua") == [1, 1]
        write_version(tmp_path, 2)
        results: list[polycall.Changes] = []
        threads = [threading.Thread(target=lambda: results.append(registry.reload())) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(len(changes.changed) for changes in results) == [0] * (THREADS - 1) + [3]
        assert registry.call("app:lua") == [2, 2]
