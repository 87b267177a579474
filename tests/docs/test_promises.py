"""Sentences of docs/ that no other test is about, a test for each, in the order of the pages."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import polycall
from lua_guests import FakeInvoker, body, context, program
from observed_project import observed_project
from polycall.interop.context import CallContext
from polycall.interop.errors import OUTCOMES
from polycall.interop.observer import Ended, Finish, ObservedCall
from polycall.registry.dispatch.runtimes import Runtimes
from polycall.registry.entries.index import Index
from polycall.registry.isolation import IsolationRuntime
from projects import REPOSITORY, write_project
from worker_scripts import fake_worker

ERRORS = REPOSITORY / "docs" / "errors.md"
BLOCKING = """
namespace: app
entries:
  - name: ask
    kind: function.lua
    modules: [funcs]
    source: file://ask.lua
    method: ask
    pool: {type: static, workers: 1}
"""
ISOLATED = """
namespace: app
entries:
  - {name: files, kind: fs.directory, directory: files, auto_init: true}
  - {name: memory, kind: env.storage.memory}
  - {name: city, kind: env.variable, variable: CITY, storage: memory, default: Porto}
  - name: ask
    kind: function.lua
    isolation: process
    modules: [funcs]
    source: "return { ask = function(target, ...) return require('funcs').call(target, ...) end }"
    method: ask
  - name: at-start
    kind: function.lua
    isolation: process
    modules: [env, fs, registry]
    source: |
      local city = require("env").get("CITY")
      local kind = require("registry").get("app:ask").kind
      local folder = require("fs").get("files")
      folder:writefile("note.txt", city)
      return { told = function() return { city, kind, folder:readfile("note.txt") } end }
    method: told
  - name: opened
    kind: function.lua
    isolation: process
    modules: [fs, funcs]
    source: |
      return { opened = function()
          local file = require("fs").get("files"):open("open.txt", "w")
          return require("funcs").call("py:look")
      end }
    method: opened
  - {name: static, kind: function.lua, isolation: process, pool: {workers: 3}, method: f,
      source: "return { f = function() end }"}
  - {name: inline, kind: function.lua, isolation: process, pool: {type: inline}, method: f, modules: [funcs],
      source: "return { f = function() return require('funcs').call('py:workers') end }"}
  - {name: plain, kind: function.lua, method: f, modules: [funcs],
      source: "return { f = function() return require('funcs').call('py:workers') end }"}
"""


def workers(named: str = "isolation.worker") -> list[int]:
    """Returns the children of this process that have the text given in their command."""
    command = ["ps", "-ww", "--ppid", str(os.getpid()), "-o", "pid=,args="]
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if named in line]


# errors.md


def test_the_table_of_errors_is_that_of_the_code() -> None:
    row = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (\d+) \| (\d+) \| ([\w' ]+) \|", re.MULTILINE)
    rows = row.findall(ERRORS.read_text(encoding="utf-8"))
    told = {code: (int(exit_code), int(status), kind) for _, code, exit_code, status, kind in rows}
    raised = set(OUTCOMES) - {"error", "call", "limit", "pool"}
    assert told.keys() == raised, "all that are raised, but for `limit`, which stands below the table"
    for name, code, *_ in rows:
        assert getattr(polycall, name).code == code
    for code, (exit_code, status, kind) in told.items():
        outcome = OUTCOMES[code]
        expected = "the guest's" if code == "guest_error" else outcome.kind
        assert (exit_code, status, kind) == (outcome.exit_code, outcome.http_status, expected)
    limit = OUTCOMES["limit"]
    words = " ".join(ERRORS.read_text(encoding="utf-8").split())
    assert f"(`limit`, {limit.exit_code}, {limit.http_status}, {limit.kind})" in words


# reload.md


def test_a_call_that_waits_for_an_instance_runs_the_code_it_began_with(tmp_path: Path) -> None:
    lua = "return { ask = function(target) return 'old ' .. require('funcs').call(target) end }"
    write_project(tmp_path, index=BLOCKING, ask_lua=lua)
    inside, go_on = threading.Event(), threading.Event()
    with polycall.load(tmp_path) as registry, ThreadPoolExecutor(2) as threads:

        @registry.function("py:block")
        def block() -> str:
            inside.set()
            assert go_on.wait(30)
            return "blocked"

        registry.function("py:go")(lambda: "went")
        first = threads.submit(registry.call, "app:ask", "py:block")
        assert inside.wait(30)
        second = threads.submit(registry.call, "app:ask", "py:go")
        while not registry.stats().entries["app:ask"].pool.waiting:
            pass
        write_project(tmp_path, ask_lua=lua.replace("old", "new"))
        assert registry.reload().changed == ("app:ask",)
        assert registry.call("app:ask", "py:go") == "new went"
        go_on.set()
        assert (first.result(30), second.result(30)) == ("old blocked", "old went")


def test_an_entry_whose_text_lies_in_a_file_stays_when_its_declaration_moves(tmp_path: Path) -> None:
    write_project(tmp_path, index=BLOCKING, ask_lua="return { ask = function() end }")
    with polycall.load(tmp_path) as registry:
        write_project(tmp_path, index="# moved\n\n" + BLOCKING)
        assert registry.reload().kept == ("app:ask",)


# observability.md


class Seconds:
    """Writes down how long each call took, and in which thread it was told."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}
        self.threads: set[int] = set()

    def start(self, context: ObservedCall, arguments: Sequence[polycall.Value]) -> Finish:
        self.threads.add(threading.get_ident())

        def finish(ended: Ended) -> None:
            self.threads.add(threading.get_ident())
            self.took[context.entry_id] = ended.seconds

        return finish


def test_the_time_of_a_caller_has_the_preparation_of_what_it_calls_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, prepare = [0.0], Runtimes.prepare

    def slow(runtimes: Runtimes, entry: polycall.Entry, index: Index, waiting: CallContext | None) -> object:
        clock[0] += 100 if str(entry.id) == "app:same" else 0
        return prepare(runtimes, entry, index, waiting)

    monkeypatch.setattr(Runtimes, "prepare", slow)
    monkeypatch.setattr("polycall.interop.observer.time.perf_counter", lambda: clock[0])
    seconds = Seconds()
    with polycall.load(observed_project(tmp_path)) as registry:
        registry.call("app:ask", "app:same", 1, observer=seconds)
        assert seconds.took == {"app:ask": 100, "app:same": 0}


def test_an_observer_is_told_in_the_thread_of_the_call(tmp_path: Path) -> None:
    seconds = Seconds()
    with polycall.load(observed_project(tmp_path)) as registry, ThreadPoolExecutor(1) as thread:
        ran_in = thread.submit(threading.get_ident).result()
        thread.submit(registry.call, "app:ask", "app:same", 1, observer=seconds).result()
    assert seconds.threads == {ran_in}


def test_a_call_that_is_interrupted_is_logged_as_such(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "polycall.call")
    with polycall.load(observed_project(tmp_path)) as registry:

        @registry.function("py:stop")
        def stop() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            registry.call("app:ask", "py:stop")
    assert [vars(record)["outcome"] for record in caplog.records] == ["interrupted", "interrupted"]


def test_what_is_no_call_of_any_entry_is_not_counted_and_what_is_gone_has_no_figures(tmp_path: Path) -> None:
    folder = observed_project(tmp_path)
    broken = "namespace: app\nname: broken\nkind: function.lua\nsource: return {\nmethod: f\n"
    write_project(folder, broken_yaml=broken, gone_yaml=broken.replace("broken", "gone").replace("{", "{ f = print }"))
    with polycall.load(folder, metrics=True) as registry:
        for target in ("app:nothing", "app:broken"):
            with pytest.raises(polycall.PolycallError):
                registry.call(target)
        assert not registry.stats().entries
        registry.prepare("app:same")
        registry.call("app:gone")
        stats = registry.stats()
        assert {name: entry.calls for name, entry in stats.entries.items()} == {"app:gone": 1, "app:same": 0}
        latency = stats.entries["app:same"].latency
        assert latency is not None
        assert (latency.bounds_seconds[0], latency.bounds_seconds[-1]) == (10e-6, 10)
        (folder / "gone.yaml").unlink()
        registry.reload()
        assert list(registry.stats().entries) == ["app:same"]
    assert not registry.stats().entries


# isolation.md


@pytest.fixture
def isolated(tmp_path: Path) -> Iterator[polycall.Registry]:
    with polycall.load(write_project(tmp_path, index=ISOLATED)) as registry:
        registry.function("py:workers")(workers)
        yield registry


def test_python_functions_are_called_in_the_parent_in_the_thread_of_the_call(isolated: polycall.Registry) -> None:
    isolated.function("py:where")(lambda: [os.getpid(), str(threading.get_ident())])
    assert isolated.call("app:ask", "py:where") == [os.getpid(), str(threading.get_ident())]
    assert isolated.call("app:ask", "app:ask", "py:where") == [os.getpid(), str(threading.get_ident())]


def test_start_up_code_in_a_worker_may_ask_what_a_call_may(isolated: polycall.Registry) -> None:
    assert isolated.call("app:at-start") == ["Porto", "function.lua", "Porto"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks at what a process has open by /proc")
def test_the_files_of_a_guest_are_opened_in_its_worker(isolated: polycall.Registry) -> None:
    def look() -> list[bool]:
        return [has_open(pid) for pid in (os.getpid(), *workers())]

    def has_open(pid: int) -> bool:
        descriptors = Path("/proc", str(pid), "fd").iterdir()
        return any(str(each.readlink()).endswith("/open.txt") for each in descriptors if each.is_symlink())

    isolated.function("py:look")(look)
    assert isolated.call("app:opened") == [False, True]


def test_pools_say_how_many_workers_there_are(isolated: polycall.Registry) -> None:
    assert isolated.call("app:plain") == []
    isolated.prepare("app:static")
    assert len(workers()) == 3
    first, second = isolated.call("app:inline"), isolated.call("app:inline")
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert len(workers()) == 3
    assert [len({*first, *workers()}), len({*second, *first})] == [4, 5]


def test_a_worker_that_takes_too_long_to_start_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polycall.registry.isolation.asking._START_SECONDS", 0.2)
    runtime = IsolationRuntime(FakeInvoker({}), command=fake_worker("mark = 'never ready'\nuntil_killed()"))
    with pytest.raises(polycall.DeadlineError, match=r"longer than 0\.2 s"):
        runtime.prepare(program(body("return 1")))
    assert not workers("never ready")


def test_a_call_waits_for_the_start_of_a_worker_no_longer_than_its_deadline() -> None:
    runtime = IsolationRuntime(FakeInvoker({}), command=fake_worker("until_killed()"))
    started = time.monotonic()
    with pytest.raises(polycall.DeadlineError):
        runtime.prepare(program(body("return 1")), context(deadline=started + 0.2))
    assert time.monotonic() - started < 20, "the start alone may take 60 s"
