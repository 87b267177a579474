"""Chains of isolated guests and of ones that are not: every result and every error is the same."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from projects import GUESTS, hash_of, write_project

INDEX = """
namespace: app
entries:
  - name: guests
    kind: fs.directory
    directory: GUESTS
  - {name: relay, kind: function.wasm, fs: guests, path: caller.wasm, hash: "HASH", method: relay-string,
      imports: [funcs], ISOLATION}
  - {name: relay-or-trap, kind: function.wasm, fs: guests, path: caller.wasm, hash: "HASH", method: relay-or-trap,
      imports: [funcs], ISOLATION}
  - {name: single, kind: function.wasm, fs: guests, path: caller.wasm, hash: "HASH", method: relay-string,
      imports: [funcs], pool: {max_size: 1}, ISOLATION}
  - {name: trap, kind: function.wat, method: trap, wit: "trap: func(a: u32)", ISOLATION,
      source: '(module (func $inner (param i32) unreachable) (export "trap" (func $inner)))'}
  - {name: broken, kind: function.lua, method: x, ISOLATION, source: "return { x = 1, y = function() end }"}
  - {name: start, kind: function.lua, method: x, ISOLATION, source: "local function f() error('at start') end f()"}
  - {name: bomb, kind: function.lua, method: bomb, limits: {max_memory_bytes: 1000000}, ISOLATION,
      source: "return { bomb = function() local t = {} while true do t[#t + 1] = {} end end }"}
  - {name: hoard, kind: function.wat, method: hoard, wit: "hoard: func()", ISOLATION,
      limits: {max_memory_bytes: 1000000}, source: '(module (memory (export "memory") 1) (func (export "hoard")
        (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable))'}
  - {name: slow, kind: function.lua, method: slow, limits: {max_execution_ms: 20}, ISOLATION,
      source: "return { slow = function() while true do end end }"}
  - {name: quiet, kind: function.lua, method: quiet, ISOLATION,
      source: "return { quiet = function() return require('funcs').call('app:guest') end }"}
  - name: ask
    kind: function.lua
    modules: [funcs]
    ISOLATION
    source: |
      local funcs = require("funcs")
      return { ask = function(target, ...)
          local answer, err = funcs.call(target, ...)
          if err then return nil, err end
          return answer
      end }
    method: ask
  - name: told
    kind: function.lua
    modules: [funcs, ctx, logger]
    ISOLATION
    source: |
      local funcs, ctx, logger = require("funcs"), require("ctx"), require("logger")
      return { told = function(target, ...)
          local answer, err = funcs.call(target, ...)
          print("asked", target)
          logger:named("inner"):warn("answered", { ok = err == nil })
          return { answer = answer, text = tostring(err), kind = err and err:kind(), stack = err and err:stack(),
              retryable = err and err:retryable(), details = err and err:details(), user = ctx.get("user") }
      end }
    method: told
  - name: fail
    kind: function.lua
    ISOLATION
    source: |
      local function fail(how)
          if how == "object" then
              return nil, errors.new({ message = "no", kind = "Conflict", retryable = true, details = { a = { 1 } } })
          end
          if how == "table" then error({ code = 7 }) end
          error("failed " .. tostring(how))
      end
      return { fail = fail }
    method: fail
"""

CALLS: list[tuple[Any, ...]] = [
    ("app:ask", "app:relay", "app:ask", '["py:upper", "x"]'),
    ("app:ask", "py:values", None),
    ("app:ask", "py:upper", 1, 2),
    ("app:ask", "py:raise", "no"),
    ("app:ask", "app:ask", "py:raise", "no"),
    ("app:ask", "app:relay-or-trap", "py:raise", "no"),
    ("app:ask", "app:relay-or-trap", "app:fail", "x"),
    ("app:ask", "app:relay", "app:fail", "x"),
    ("app:told", "app:ask", "app:fail", "object"),
    ("app:told", "app:relay-or-trap", "app:fail", "x"),
    ("app:told", "py:raise", "no"),
    ("app:told", "app:nothing"),
    ("app:told", "app:trap", 1),
    ("app:ask", "app:fail", "table"),
    ("app:fail", "object"),
    ("app:fail",),
    ("app:trap", 1),
    ("app:trap", "x"),
    ("app:trap", -1),
    ("app:trap",),
    ("app:fail", 2**64),
    ("app:fail", ["\ud800"]),
    ("app:broken",),
    ("app:start",),
    ("app:bomb",),
    ("app:hoard",),
    ("app:slow",),
    ("app:quiet",),
    ("app:ask", "app:slow"),
    ("app:ask", *["app:ask"] * 8),
    ("app:ask", "app:single", "app:single", "x"),
    ("app:single", "app:single", "x"),
    ("app:ask", "app:told", "app:start"),
]


def _load(folder: Path, isolation: str) -> polycall.Registry:
    folder.mkdir()
    binary = GUESTS / "bin" / "caller.wasm"
    index = INDEX.replace("GUESTS", str(GUESTS / "bin")).replace("HASH", hash_of(binary))
    write_project(folder, index=index.replace("ISOLATION", f"isolation: {isolation}"))
    registry = polycall.load(folder, max_depth=6)
    registry.function("py:upper")(str.upper)
    registry.function("py:values")(lambda _value: [1, -0.0, 2**60, b"\xff", "é", {"a": []}])
    registry.function("py:raise")(_raise)
    return registry


def _raise(text: str) -> None:
    raise ValueError(text)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[polycall.Registry, polycall.Registry]]:
    folder = tmp_path_factory.mktemp("compared")
    with _load(folder / "a", "none") as plain, _load(folder / "b", "process") as isolated:
        yield plain, isolated


FIELDS = ("code", "message", "entry_id", "hint", "kind", "retryable", "details", "guest_traceback", "frames")


def _outcome(registry: polycall.Registry, *call: Any, **options: Any) -> Any:
    try:
        return "value", repr(registry.call(*call, **options))
    except polycall.PolycallError as error:
        cause = error.__cause__
        told = _shown(cause) if isinstance(cause, polycall.PolycallError) else None
        return "error", _shown(error), told


def _shown(error: polycall.PolycallError) -> Any:
    fields = {name: getattr(error, name) for name in FIELDS}
    return type(error), fields, str(error), getattr(error, "path", None), getattr(error, "got", None)


@pytest.mark.parametrize(
    "call", CALLS, ids=lambda call: " ".join(map(str, call))[:60].encode("ascii", "replace").decode()
)
def test_a_call_comes_to_the_same_end(both: tuple[polycall.Registry, polycall.Registry], call: tuple[Any, ...]) -> None:
    plain, isolated = both
    assert _outcome(isolated, *call, values={"user": "ana"}) == _outcome(plain, *call, values={"user": "ana"})


def test_a_guest_that_aborts_because_memory_was_refused_names_the_limit_in_both(
    both: tuple[polycall.Registry, polycall.Registry],
) -> None:
    for registry in both:
        with pytest.raises(polycall.MemoryLimitError, match=r"ran out of memory.*max_memory_bytes, which is 1000000"):
            registry.call("app:hoard")


def test_a_deadline_that_passes_three_hops_down_is_the_same_error(
    both: tuple[polycall.Registry, polycall.Registry],
) -> None:
    plain, isolated = both
    call = ("app:told", "app:relay", "app:ask", '["app:told", "py:raise"]')
    assert _outcome(isolated, *call) == _outcome(plain, *call)
    for registry in both:  # they differ in nothing that does not depend on where exactly time ran out
        registry.function("py:late")(_late(registry))
    call = ("app:ask", "app:relay", "app:told", '["py:late"]')
    assert _outcome(isolated, *call, timeout=0.1) == _outcome(plain, *call, timeout=0.1)


def _late(registry: polycall.Registry) -> Any:
    def late() -> Any:
        return registry.call("app:slow")

    return late


def test_records_reach_the_same_loggers(
    both: tuple[polycall.Registry, polycall.Registry], caplog: pytest.LogCaptureFixture
) -> None:
    records = []
    for registry in both:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "polycall.entry"):
            registry.call("app:told", "py:upper", "x")
        records.append([_record(each) for each in caplog.records])
    assert records[0] == records[1]
    assert [(name, own, depth) for name, own, depth, *_ in records[0]] == [
        ("polycall.entry.app:told", "", 1),
        ("polycall.entry.app:told", "inner", 1),
    ]
    for record in caplog.records:
        assert {"entry_id", "call_id", "frame_id"} <= vars(record).keys()


def _record(record: logging.LogRecord) -> tuple[object, ...]:
    about = vars(record)
    return record.name, about["logger_name"], about["depth"], record.levelno, record.getMessage(), about["fields"]


def test_signature_and_imports_are_the_same(both: tuple[polycall.Registry, polycall.Registry]) -> None:
    plain, isolated = both
    for entry_id in ("app:relay", "app:trap", "app:ask"):
        here, there = plain.prepare(entry_id), isolated.prepare(entry_id)
        assert (str(there.signature), list(there.imports)) == (str(here.signature), list(here.imports))
        assert (there.entry_id, there.language) == (here.entry_id, here.language)


def test_eight_threads_get_their_own_results_and_errors(both: tuple[polycall.Registry, polycall.Registry]) -> None:
    _, isolated = both
    wrong: list[object] = []

    def run(number: int) -> None:
        for turn in range(10):
            text = f"{number}-{turn}"
            if isolated.call("app:ask", "py:upper", text) != text:
                wrong.append(text)
            outcome = _outcome(isolated, "app:ask", "app:fail", text)
            if f"failed {text}" not in outcome[1][2]:
                wrong.append(outcome)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
