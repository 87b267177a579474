"""The native stack: whatever nests, and wherever the call is made, its end is an error, not the end of the process."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import polycall
from attacks import Attack, attacks
from effort import times
from foreign_threads import in_thread
from projects import write_project

DEEP = '(module (func $f (export "f") (result i32) (i32.add (i32.const 1) (call $f))))'
INDEX = f"""
namespace: app
entries:
  - {{name: deep, kind: function.wat, source: '{DEEP}', method: f, wit: "f: func() -> u32"}}
  - {{name: isolated, kind: function.wat, source: '{DEEP}', method: f, wit: "f: func() -> u32", isolation: process}}
  - {{name: down, kind: function.lua, source: file://down.lua, method: down, modules: [funcs], pool: {{type: inline}}}}
  - {{name: spin, kind: function.lua, source: file://down.lua, method: spin, modules: [funcs]}}
"""
DOWN = """
local funcs = require("funcs")
return {
  down = function(levels)
    if levels > 0 then return funcs.call("app:down", levels - 1) end
    return funcs.call("py:where")
  end,
  spin = function() funcs.call("py:where") while true do end end,
}"""
SMALL = 128 * 1024
DEEP_CHAIN = Path(__file__).with_name("deep_chain_process.py")
CONTROL = "32 calls that need no stack give their value"


def small_main_stack() -> None:
    resource.setrlimit(resource.RLIMIT_STACK, (300 * 1024, resource.getrlimit(resource.RLIMIT_STACK)[1]))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    with polycall.load(write_project(tmp_path, index=INDEX, down_lua=DOWN)) as registry:
        yield registry


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has nothing that was compiled for another size of the stack."""
    return tmp_path_factory.mktemp("cache")


@attacks(
    Attack(
        "32 guests that call each other, each with its stack used up",
        "component",
        "a TrapError each, the process alive",
        CONTROL,
    ),
    Attack(
        "16 such guests between 16 of Lua, each at the end of what it can nest",
        "component",
        "TrapError at the last, the process alive",
        CONTROL,
    ),
)
@pytest.mark.parametrize(
    "where",
    ["main", "async", "64", "main with 300 KiB", *["thread", "256", "thread 65536", "main 8388608"][: times(4, 0)]],
)
def test_the_deepest_chain_of_guests_that_each_use_all_their_stack_leaves_the_process_alive(
    cache: Path, where: str
) -> None:
    words, _, small = where.partition(" with ")
    command = [sys.executable, str(DEEP_CHAIN), str(cache), *words.split()]
    begin = small_main_stack if small else None
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, preexec_fn=begin)
    expected = "32 hops, each with a trap\n" + 3 * "32 hops, 1 with a trap\n"
    assert (done.returncode, done.stdout) == (0, expected), done.stderr


@attacks(
    Attack(
        "a recursion without end, called from a thread with 128 KiB of stack",
        "core module",
        "TrapError",
        "32 calls of Lua in such a thread give their value",
    ),
    Attack("the same in a worker with 300 KiB", "worker", "TrapError", "the same"),
)
def test_a_thread_or_a_worker_with_little_stack_survives_a_recursion_without_end(tmp_path: Path) -> None:
    text = f"""
import sys, threading
import polycall
def run():
    with polycall.load({str(write_project(tmp_path, index=INDEX, down_lua=DOWN))!r}, cache_directory="c") as registry:
        registry.function("py:where")(lambda: "here")
        print(registry.call("app:down", 30), flush=True)
        for target in ("app:deep", "app:isolated"):
            try:
                registry.call(target)
            except polycall.TrapError as error:
                print(error.hint, flush=True)
threading.stack_size({SMALL})
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    command = [sys.executable, "-c", text]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, preexec_fn=small_main_stack, cwd=tmp_path
    )
    hint = "raise max_stack_bytes in polycall.yaml, which is 524288, unless this is a recursion without end\n"
    assert (done.returncode, done.stdout) == (0, "here\n" + 2 * hint), done.stderr


def test_a_chain_runs_in_its_callers_thread_unless_that_has_too_little_stack(registry: polycall.Registry) -> None:
    registry.function("py:where")(threading.get_ident)

    def stays() -> object:
        return registry.call("app:down", 30) == threading.get_ident()

    assert in_thread(stays, 8 * 1024 * 1024) is True
    assert in_thread(stays, SMALL) is False


def test_more_stack_lets_a_guest_recurse_deeper_on_the_same_machine_code(tmp_path: Path) -> None:
    def levels(stack_bytes: int) -> int:
        command = [sys.executable, str(DEEP_CHAIN), str(tmp_path), "levels", str(stack_bytes)]
        return int(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout)

    least = levels(64 * 1024)
    kept = {each.name for each in tmp_path.rglob("*.compiled")}
    usual, most = levels(512 * 1024), levels(8 * 1024 * 1024)
    assert 7 < usual / least < 9
    assert 15 < most / usual < 17
    assert kept
    assert {each.name for each in tmp_path.rglob("*.compiled")} == kept


@attacks(
    Attack(
        "a loop in a thread of polycall's while the main one is interrupted",
        "Lua",
        "what the handler raised",
        "the next call gives its value",
    )
)
def test_a_call_that_went_on_elsewhere_ends_with_what_a_signal_handler_raises(tmp_path: Path) -> None:
    """In a hop of 8 MiB no main thread has room; so this one waits while the guest spins."""

    class Stop(Exception):  # noqa: N818 - what a handler raises is no error
        pass

    def stop(_number: int, _frame: object) -> None:
        raise Stop

    signals = [signal.SIGUSR1]

    def where() -> str:
        assert threading.current_thread() is not threading.main_thread()
        while signals:
            signal.pthread_kill(threading.main_thread().ident or 0, signals.pop())
        return "here"

    write_project(tmp_path, index=INDEX, down_lua=DOWN, polycall_yaml=f"max_stack_bytes: {8 * 1024 * 1024}")
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with polycall.load(tmp_path) as registry:
            registry.function("py:where")(where)
            with pytest.raises(Stop):
                registry.call("app:spin", timeout=60)
            assert registry.stats().entries["app:spin"].pool.in_use == 0
            assert registry.stats().entries["app:spin"].errors == {"cancelled": 1}
            assert registry.call("app:down", 0) == "here"
    finally:
        signal.signal(signal.SIGUSR1, before)
