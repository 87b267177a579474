"""Attempts to flood the log, in process and in a worker: the same lines, the same bounds."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Iterator

import pytest

import polycall
from attacks import Attack, attacks
from polycall.interop.guest_log import LINE_BYTES

CONTROL = "a hundred lines arrive whole"

INDEX = """
namespace: app
entries:
  - name: main
    kind: function.lua
    modules: [logger]
    isolation: ISOLATION
    limits: {max_output_bytes: 100000}
    method: main
    source: |
      local logger = require("logger")
      print("starting")
      local ways = {}
      function ways.allowed() for at = 1, 100 do print("line", at) end end
      function ways.flood() for at = 1, 100000 do print(("x"):rep(1000)) end end
      function ways.long() print(("x"):rep(50000000)) logger:info(("y"):rep(50000000)) end
      function ways.empty() for at = 1, 100000 do print() end end
      function ways.names()
        local named = logger
        for at = 1, 10 do named = named:named("n" .. at) end
        named:warn("deep")
        local _, err = logger:named(("n"):rep(257))
        print(err:kind(), select(2, logger:named("\\xff")):kind())
      end
      function ways.fields()
        local many, deep, wide = {}, {}, {}
        for at = 1, 5000 do many[at] = at wide["k" .. at] = at end
        for at = 1, 200 do deep = { deep } end
        logger:info("many", { many = many, small = { 1, { a = 2 } } })
        logger:info("large", { large = { ("x"):rep(20000) } })
        logger:info("deep", { deep = deep })
        logger:info("wide", wide)
      end
      return { main = function(way) ways[way]() end }
"""


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[_Kept]:
    logger, handler = logging.getLogger("polycall.entry"), _Kept()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[polycall.Registry]]:
    registries = []
    for isolation in ("none", "process"):
        folder = tmp_path_factory.mktemp(isolation)
        (folder / "_index.yaml").write_text(INDEX.replace("ISOLATION", isolation))
        registries.append(polycall.load(folder))
        registries[-1].call("app:main", "allowed")
    yield registries
    for registry in registries:
        registry.close()


def outcome(registry: polycall.Registry, way: str, kept: _Kept) -> list[tuple[object, ...]]:
    kept.records.clear()
    registry.call("app:main", way)
    return [_shown(record) for record in kept.records]


def _shown(record: logging.LogRecord) -> tuple[object, ...]:
    about = vars(record)
    return record.name, record.levelno, record.getMessage(), about["logger_name"], about["depth"]


def lines_of(both: list[polycall.Registry], way: str, kept: _Kept) -> list[str]:
    plain, isolated = (outcome(registry, way, kept) for registry in both)
    assert isolated == plain
    return [str(line) for _, _, line, *_ in plain]


def test_what_is_allowed_arrives_whole(both: list[polycall.Registry], kept: _Kept) -> None:
    assert lines_of(both, "allowed", kept) == [f"line\t{at}" for at in range(1, 101)]


@pytest.mark.no_cover
@attacks(Attack("printing 100 MB in one call", "Lua", "what `max_output_bytes` says, then two warnings", CONTROL))
def test_a_guest_that_prints_100_mb_gets_its_bytes_and_two_warnings(both: list[polycall.Registry], kept: _Kept) -> None:
    for _ in range(2):  # each call has bytes of its own
        lines = lines_of(both, "flood", kept)
        assert len(lines) == 100_000 // 1064 + 2
        assert lines[-2].endswith("(limits.max_output_bytes): the rest is dropped")
        dropped = 100_000 - (len(lines) - 2)
        assert lines[-1] == f"dropped output of this call: {dropped} lines, {dropped * 1000} bytes"


@pytest.mark.no_cover
@attacks(Attack("making the host hold 100 MB of output", "Lua", "its memory stays flat", CONTROL))
def test_100_mb_of_output_leave_the_memory_flat_and_take_little_time(
    both: list[polycall.Registry], kept: _Kept
) -> None:
    for registry in both:
        outcome(registry, "flood", kept)
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        outcome(registry, "flood", kept)
        assert time.process_time() - began < 5
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB


@attacks(Attack("a line of 50 MB", "Lua", "it is cut at 16 KiB", CONTROL))
def test_a_long_line_is_cut_and_says_how_much_is_missing(both: list[polycall.Registry], kept: _Kept) -> None:
    for line, letter in zip(lines_of(both, "long", kept), "xy", strict=True):
        text, _, mark = line.partition(" ... ")
        assert (len(line), set(text)) == (LINE_BYTES, {letter})
        assert mark == f"({50_000_000 - len(text)} bytes dropped)"


@pytest.mark.no_cover
@attacks(Attack("100,000 empty lines", "Lua", "each counts 64 bytes", CONTROL))
def test_empty_lines_are_bounded_as_well(both: list[polycall.Registry], kept: _Kept) -> None:
    assert len(lines_of(both, "empty", kept)) == 100_000 // 64 + 2


@attacks(Attack("a logger of the host for each name", "Lua", "no logger is made", CONTROL))
def test_a_guest_makes_no_loggers(both: list[polycall.Registry], kept: _Kept) -> None:
    before = set(logging.Logger.manager.loggerDict)
    name = ".".join(f"n{at}" for at in range(1, 11))
    assert lines_of(both, "names", kept) == [f"{name}: deep", "Invalid\tInvalid"]
    assert set(logging.Logger.manager.loggerDict) == before


@attacks(Attack("fields of 5,000 values, of 20 kB, 200 levels deep", "Lua", "texts stand in their place", CONTROL))
def test_fields_that_are_too_large_give_way_to_a_text(both: list[polycall.Registry], kept: _Kept) -> None:
    for registry in both:  # the order of fields is Lua's, and so is the address of a table
        many, large, deep, wide = (str(line) for _, _, line, *_ in outcome(registry, "fields", kept))
        assert "many=(5002 values, 4 bytes dropped)" in many
        assert 'small=[1,{"a":2}]' in many
        assert large == "large large=(3 values, 20005 bytes dropped)"
        assert deep.startswith("deep deep=table: ")
        assert len(wide) <= LINE_BYTES
        fields = vars(kept.records[-1])["fields"]
        assert (len(fields), fields["..."]) == (1001, "(more fields dropped)")


@pytest.mark.no_cover
def test_output_that_nobody_listens_to_is_neither_sent_nor_counted(both: list[polycall.Registry], kept: _Kept) -> None:
    logging.getLogger("polycall.entry").setLevel(logging.WARNING)
    assert lines_of(both, "flood", kept) == []
    assert lines_of(both, "names", kept)[0].endswith(": deep")
