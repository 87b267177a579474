"""Documents made to hold a reader up: YAML that guests decode, and files of a project that are nobody's entry files."""

from __future__ import annotations

import contextlib
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import polycall
from attacks import Attack, attacks
from polycall.registry.documents.text_files import read_beginning
from polycall.registry.reading.entry_file import seems_entry_file
from projects import write_project

INDEX = """
namespace: app
entries:
  - name: decode
    kind: function.lua
    modules: [yaml]
    method: decode
    source: |
      local yaml = require("yaml")
      return { decode = function(text)
          local value, err = yaml.decode(text)
          return err and err:kind() or type(value)
      end }
"""
SIZE = 1_000_000
STALL_SECONDS = 1.2  # what holds the GIL in one step; 0.05 s on an idle machine, several seconds for an attack
LATE_SECONDS = 3


@contextlib.contextmanager
def stalls() -> Iterator[list[float]]:
    """Gives what this process computed while another thread waited for its next tick.

    That is as long as the wait where the lock was held all the time, and nothing where the machine had no time for us.
    """
    gaps, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            started = time.process_time()
            stop.wait(0.005)
            gaps.append(time.process_time() - started)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield gaps
    finally:
        stop.set()
        watching.join()


class Decoding(NamedTuple):
    """What a guest decodes: units repeated, with what stands before and behind them."""

    unit: Callable[[int], str]
    before: str = ""
    behind: str = ""

    def text(self, size: int) -> str:
        parts, length, number = [self.before], 0, 0
        while length < size:
            parts.append(self.unit(number))
            length += len(parts[-1])
            number += 1
        return "".join([*parts, self.behind])


DECODING = {
    "directives %TAG": Decoding(lambda number: f"%TAG !a{number}! b\n", behind="--- x\n"),
    "directives behind the end of a document": Decoding(lambda number: f"%TAG !a{number}! b\n", "x\n...\n", "--- x\n"),
    "directives with old line ends": Decoding(lambda number: f"%TAG !a{number}! b\r", behind="--- x\n"),
    "anchors": Decoding(lambda number: f"&a{number} x, ", "[", "]"),
    "aliases": Decoding(lambda _: "*a, ", "[&a x, ", "]"),
    "one long text": Decoding(lambda _: "x" * 1000),
    "one long text of empty lines": Decoding(lambda _: "\n" * 1000, "|\n", " x"),
    "indentation that goes up and down": Decoding(lambda number: " " * (number % 300) + "\n", "|\n", " x"),
    "comments": Decoding(lambda _: "#\n"),
    "escapes": Decoding(lambda _: "\\U0001F600", '"', '"'),
    "a quote that never ends": Decoding(lambda _: '\\"', '"'),
    "byte order marks": Decoding(lambda _: "\ufeff"),
    "complex keys": Decoding(lambda _: "? "),
    "the same key again and again": Decoding(lambda _: "a: 1\n"),
    "ends of documents": Decoding(lambda _: "...\n"),
    "one huge number": Decoding(lambda _: "1" * 1000),
    "one huge fraction": Decoding(lambda _: "0" * 1000, "0.", "1"),
}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    with polycall.load(write_project(tmp_path, index=INDEX)) as registry:
        yield registry


@attacks(*(Attack(f"1 MB of YAML: {what}", "Lua", "no other thread waits", "a few of them") for what in DECODING))
@pytest.mark.parametrize("decoding", DECODING.values(), ids=DECODING)
def test_yaml_of_a_guest_stalls_no_other_thread(registry: polycall.Registry, decoding: Decoding) -> None:
    assert isinstance(registry.call("app:decode", decoding.text(30)), str)
    started = time.process_time()
    with stalls() as gaps, contextlib.suppress(polycall.PolycallError):
        registry.call("app:decode", decoding.text(SIZE), timeout=0.3)
    assert max(gaps) < STALL_SECONDS
    assert time.process_time() - started < LATE_SECONDS


PROBLEMS = {
    "tags": "!x a",
    "keys that are no text": "{[]: 1}",
    "keys twice": "{a: 1, a: 2}",
    "numbers that are none": "!!int a",
}


@attacks(*(Attack(f"{what} below a key of 500 KB", "Lua", "the host keeps little", "one below a short key")
           for what in PROBLEMS))  # fmt: skip
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_problems_in_yaml_of_a_guest_take_no_memory(registry: polycall.Registry, problem: str) -> None:
    def text(length: int, count: int) -> str:
        return "? " + "k" * length + "\n:\n" + f"  - {problem}\n" * count

    assert registry.call("app:decode", text(5, 1)) == "Internal"
    bad = text(500_000, 1000)
    tracemalloc.start()
    try:
        assert registry.call("app:decode", bad) == "Internal"
        assert tracemalloc.get_traced_memory()[1] < 40 << 20  # 500 MB where each problem keeps the key
    finally:
        tracemalloc.stop()


FOREIGN = {
    "escaped quotes": '{ a: [ namespace: , "' + '\\"' * 30_000,
    "escaped quotes before the end of a line": '{ a: [ namespace: , "' + '\\"' * 30_000 + "\\\n",
    "single quotes": "{ [ namespace: , '" * 4_000,
    "words": "{ [ namespace: " + "namespace " * 6_000,
    "spaces": "{ [ namespace: , namespace" + " " * 60_000,
    "braces": "{ [ namespace: " + "{" * 60_000,
}


@attacks(*(Attack(f"a foreign file of 60 KB: {what}", "a file", "it is ignored at once", "a short one")
           for what in FOREIGN))  # fmt: skip
@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("name", ["x.yaml", "x.json"])
def test_a_foreign_file_does_not_hold_the_load_up(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    write_project(tmp_path, index=INDEX)
    started = time.process_time()
    with stalls() as gaps, polycall.load(tmp_path) as registry:
        assert len(registry) == 1
    assert max(gaps) < STALL_SECONDS
    assert time.process_time() - started < LATE_SECONDS
    seems_entry_file(tmp_path / name)
    assert time.process_time() - started < 2 * LATE_SECONDS


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "text",
    [
        "".join(f"nmespace{number}: 1\n" for number in range(20_000)) + "entries: [{kind: x}]\n",
        "namespace: x\nentries: []\n" + "".join(f"entires{number}: 1\n" for number in range(20_000)),
        "namespace: x\nentries:\n- {name: a, kind: fs.directory, directory: x, "
        + ", ".join(f"auto_int{number}: 1" for number in range(20_000)) + "}\n",
        "namespace: x\nentries:\n" + "".join(f"- {{name: a{n}, kind: function.lau{n}}}\n" for n in range(10_000)),
    ],
    ids=["top", "beside entries", "in an entry", "kinds"],
)  # fmt: skip
def test_thousands_of_misspelt_names_do_not_hold_the_load_up(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    started = time.process_time()
    with contextlib.suppress(polycall.PolycallError):
        polycall.load(tmp_path).close()
    assert time.process_time() - started < 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("namespace: x\n", True),
        ('{"namespace": "x", "a": "\\"b"}', True),
        ('{"a": {"namespace": "x"}}', False),
        ("a:\n  namespace: x\n", False),
        ("{ a: 'it''s', namespace: x", True),
        ('{ "a', False),
    ],
)
def test_a_glance_tells_entry_files_from_others(tmp_path: Path, text: str, expected: bool) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert seems_entry_file(path) is expected
    assert not seems_entry_file(path.rename(tmp_path / "x.txt"))
    assert not seems_entry_file(tmp_path / "absent.yaml")
    assert read_beginning(tmp_path) == ""
