"""Attempts to take all descriptors of the process: by a chain, by many chains, by start-up code, by failing calls."""

from __future__ import annotations

import gc
import json
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from attacks import Attack, attacks
from polycall.interop.errors import WorkerError
from polycall.interop.open_files import MOST_OPEN_FILES

HOARD = """
local fs, funcs = require("fs"), require("funcs")
local folder, held = fs.get("app:files"), {}
local function hoard(count)
    local opened = 0
    for _ = 1, count do
        local file = folder:open("a")
        if file then held[#held + 1] = file opened = opened + 1 end
    end
    return opened
end
"""
BODIES = {
    "chain": "return { f = function(hops) local mine = hoard(64) local below = hops > 1 and "
    "funcs.call('app:chain', hops - 1) or funcs.call('py:count') return hops > 1 and below or below end }",
    "leaf": "return { f = function() return hoard(10) end }",
    "hold": "return { f = function(count) local n = hoard(count) funcs.call('py:wait') return n end }",
    "starting": "hoard(64) return { f = function() return funcs.call('py:count') end }",
    "closing": "return { f = function() local n = 0 for _ = 1, 500 do local f = assert(folder:open('a')) f:close() "
    "n = n + 1 end return n end }",
    "writing": "return { f = function() for n = 1, 300 do folder:open('w' .. n, 'w') end "
    "return funcs.call('py:count') end }",
    "failing": "return { f = function() hoard(64) error('no') end }",
}


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # a count, of no path


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").write_text("x")
    shared: dict[str, Any] = {"kind": "function.lua", "method": "f", "modules": ["fs", "funcs"]}
    entries: list[dict[str, Any]] = [
        {"name": name, "source": HOARD + source, **shared, "pool": {"workers": 4} if name == "starting" else {}}
        for name, source in BODIES.items()
    ]
    entries.append({"name": "files", "kind": "fs.directory", "directory": "./files"})
    entries.append(
        {"name": "isolated", "isolation": "process", "source": "return { f = function() return 1 end }", **shared}
    )
    (tmp_path / "_index.json").write_text(json.dumps({"namespace": "app", "entries": entries}))
    gc.collect()  # what other tests left behind may hold descriptors
    with polycall.load(tmp_path) as registry:
        registry.function("py:count")(descriptors)
        yield registry


@pytest.fixture
def few() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@attacks(
    Attack(
        "a chain of 31 calls, each of which opens 64 files", "Lua", "64 files in all", "500 files, each closed, pass"
    ),
    Attack("a call that writes 300 files and closes none", "Lua", "64 files in all", "500 files, each closed, pass"),
)
@pytest.mark.parametrize("call", [("app:chain", 31), ("app:writing",)])
def test_a_chain_holds_few_files(registry: polycall.Registry, call: tuple[Any, ...]) -> None:
    assert registry.call("app:closing") == 500
    before = descriptors()
    held = registry.call(*call)
    assert isinstance(held, int)
    assert MOST_OPEN_FILES // 2 < held - before <= MOST_OPEN_FILES
    assert descriptors() == before


@attacks(Attack("four instances whose start-up code opens 64 files each", "Lua", "none stays open", "a call opens 10"))
def test_what_start_up_code_opens_is_closed_when_it_ends(registry: polycall.Registry) -> None:
    before = descriptors()
    registry.prepare("app:starting")
    assert descriptors() == before
    assert registry.call("app:starting") == before
    assert registry.call("app:leaf") == 10


@attacks(
    Attack(
        "ten calls at once that hold 60 files each, where the process may have 256", "Lua", "half is left", "one of 60"
    )
)
@pytest.mark.usefixtures("few")
def test_all_chains_together_leave_half_of_the_descriptors(registry: polycall.Registry) -> None:
    registry.call("app:leaf")
    inside, go_on = threading.Semaphore(0), threading.Event()
    held: list[Any] = []

    @registry.function("py:wait")
    def wait() -> None:
        inside.release()
        go_on.wait(60)

    threads = [threading.Thread(target=lambda: held.append(registry.call("app:hold", 60))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert inside.acquire(timeout=60)
    assert registry.call("app:isolated") == 1, "the host itself still has what it needs"
    go_on.set()
    for thread in threads:
        thread.join()
    assert sum(held) <= 128 + 10
    assert sum(held) >= 60
    assert registry.call("app:leaf") == 10, "what they held is free again"


@attacks(Attack("calls that open 64 files and fail, 20 times", "Lua", "none stays open", "a call opens 10"))
def test_a_call_that_fails_keeps_no_file(registry: polycall.Registry) -> None:
    before = descriptors()
    for _ in range(20):
        with pytest.raises(polycall.GuestError):
            registry.call("app:failing")
    assert descriptors() == before
    assert registry.call("app:leaf") == 10


@attacks(Attack("an isolated call where no descriptor is left", "Lua", "WorkerError with a hint", "with some, it runs"))
@pytest.mark.usefixtures("few")
def test_a_worker_that_cannot_be_started_for_want_of_descriptors_is_a_worker_error(registry: polycall.Registry) -> None:
    assert registry.call("app:leaf") == 10
    registry.function("py:wait")(lambda: None)
    for left in range(8):  # what fails first is a socket, a pipe, or what starts a process
        taken: list[int] = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            for descriptor in taken[:left]:
                os.close(descriptor)
        try:
            with pytest.raises(WorkerError, match="no worker process can be started: Too many open files") as caught:
                registry.prepare("app:isolated")
            assert "ulimit -n" in str(caught.value.hint)
            assert descriptors_left() == left
        except BaseException:
            if left < 5:
                raise
            break
        finally:
            for descriptor in taken[left:]:
                os.close(descriptor)
    assert registry.call("app:isolated") == 1


def descriptors_left() -> int:
    taken: list[int] = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        return len(taken)
    finally:
        for descriptor in taken:
            os.close(descriptor)
