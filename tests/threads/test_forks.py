"""Forked children, as servers make them that load first: each works on its own, and none harms its parent.

Everything runs in a process of its own, which forks. A child that hangs is ended by an alarm, and found by its status.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from projects import GUESTS, REPOSITORY, hash_of, write_project

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SPIN_WAT = '(module (func (export "f") (loop $l br $l)))'
MANY_FUNCTIONS = "(func) " * 200  # so many that the engine shares them out to its threads
INDEX = f"""
namespace: app
entries:
  - {{name: guests, kind: fs.directory, directory: {GUESTS / "bin"}}}
  - {{name: relay, kind: function.wasm, fs: guests, path: caller.wasm, method: relay-or-trap, imports: [funcs],
      hash: "{hash_of(GUESTS / "bin" / "caller.wasm")}"}}
  - {{name: lua, kind: function.lua, method: f, source: "return {{ f = function(...) return ... end }}"}}
  - {{name: single, kind: function.lua, method: f, pool: {{workers: 1}}, modules: [funcs],
      source: "return {{ f = function(to, ...) return require('funcs').call(to, ...) end }}"}}
  - {{name: wat, kind: function.wat, method: f, wit: "f: func(x: s32) -> s32",
      source: '(module (func (export "f") (param i32) (result i32) local.get 0))'}}
  - {{name: later, kind: function.wat, method: f, wit: "f: func() -> s32", source: '(module {MANY_FUNCTIONS}
      (func (export "f") (result i32) i32.const 7))'}}
  - {{name: isolated, kind: function.lua, method: f, isolation: process, modules: [funcs], source: "
      return {{ f = function(to, ...) if not to then return ... end return require('funcs').call(to, ...) end }}"}}
  - {{name: static, kind: function.lua, method: f, isolation: process, pool: {{workers: 2}},
      source: "return {{ f = function(...) return ... end }}"}}
  - {{name: inline, kind: function.lua, method: f, isolation: process, pool: {{type: inline}},
      source: "return {{ f = function(...) return ... end }}"}}
  - {{name: draw, kind: function.lua, method: f, source: "return {{ f = function() return math.random(1 << 40) end }}"}}
  - {{name: spin-lua, kind: function.lua, method: f, source: "return {{ f = function() while true do end end }}"}}
  - {{name: spin-wat, kind: function.wat, method: f, wit: "f: func()", source: '{SPIN_WAT}'}}
  - {{name: spin-isolated, kind: function.lua, method: f, isolation: process,
      source: "return {{ f = function() while true do end end }}"}}
"""

PRELUDE = """
import asyncio, os, signal, sys, threading, time, traceback
import polycall

signal.signal(signal.SIGALRM, signal.SIG_DFL)
registry = polycall.load(sys.argv[1])
registry.function("py:upper")(str.upper)

def fork(work, seconds=40):
    "Forks a child that does some work, and returns its id."
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(seconds)
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)

def ended(*pids):
    for pid in pids:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status == 0, f"a child ended with {status}"

def refused(kind, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except kind as error:
        return error
    raise AssertionError("nothing was raised")

def late(target, timeout):
    begin = time.monotonic()
    refused(polycall.DeadlineError, registry.call, target, timeout=timeout)
    assert time.monotonic() - begin < 10

async def in_async():
    return await asyncio.gather(*(registry.call_async("app:lua", n) for n in range(8)))

def calls():
    assert registry.call("app:lua", 3) == 3
    assert registry.call("app:wat", 4) == 4
    assert registry.call("app:relay", "py:upper", "a") == "A"
    assert registry.call("app:single", "py:upper", "b") == "B"
    assert registry.call("app:isolated", "py:upper", "c") == "C"
    assert registry.call("app:static", 5) == 5
    assert asyncio.run(in_async()) == list(range(8))

def everything():
    calls()
    late("app:spin-lua", 0.05)
    late("app:spin-wat", 0.05)
    late("app:spin-isolated", 0.2)  # time for its worker to start

def in_threads(count, work):
    failures = []
    def run():
        try:
            work()
        except BaseException:
            failures.append(traceback.format_exc())
    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert not failures, failures[0]

def workers():
    listed = os.popen(f"ps -ww --ppid {os.getpid()} -o pid=,args=").read().splitlines()
    return {int(line.split()[0]) for line in listed if "isolation.worker" in line}
"""


def in_process(tmp_path: Path, script: str) -> None:
    write_project(tmp_path, index=INDEX)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PRELUDE + textwrap.dedent(script)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run([*command, str(tmp_path)], env=environment, stderr=subprocess.PIPE, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr.decode()


def test_children_of_a_parent_that_has_called_everything_call_everything(tmp_path: Path) -> None:
    in_process(
        tmp_path,
        """
        everything()
        registry.call("app:draw")
        reading, writing = os.pipe()
        ended(fork(lambda: os.write(writing, b"%d" % registry.call("app:draw"))))
        assert int(os.read(reading, 99)) == registry.call("app:draw"), "an instance is the child's as it was"
        before = workers()
        assert before

        def serve():
            in_threads(3, everything)
            assert registry.call("app:later") == 7, "compiled here, where the engine has no threads"
            assert not workers() & before
            registry.close()

        children = [fork(serve) for _ in range(2)]
        in_threads(2, calls)
        ended(*children)
        assert workers() >= before, "a child has ended workers of its parent"
        everything()
        registry.close()
        assert not workers()
        """,
    )


MIDDLE = """
    here, go_on = threading.Semaphore(0), threading.Event()

    @registry.function("py:wait")
    def wait(*_):
        here.release()
        assert go_on.wait(60)
        return "done"

    results, threads, stop = [], [], polycall.Cancellation()
    for target in ("app:single", "app:relay", "app:isolated"):
        arguments = (target, "py:wait", "") if target == "app:relay" else (target, "py:wait")
        call = lambda arguments=arguments: results.append(registry.call(*arguments, timeout=100))
        threads.append(threading.Thread(target=call))
    for target in ("app:spin-lua", "app:spin-wat", "app:spin-isolated"):
        call = lambda target=target: refused(polycall.CancelledError, registry.call, target, cancellation=stop)
        threads.append(threading.Thread(target=call))
"""


def test_a_child_of_a_parent_in_the_middle_of_calls_waits_for_none_of_them(tmp_path: Path) -> None:
    script = """
    everything()
    for thread in threads:
        thread.start()
    for _ in range(3):
        here.acquire()
    ended(*[fork(everything) for _ in range(2)])
    go_on.set()
    stop.cancel()
    for thread in threads:
        thread.join()
    assert results == ["done"] * 3
    everything()
    """
    in_process(tmp_path, MIDDLE + script)


def test_a_child_prepares_for_itself_what_its_parent_is_preparing(tmp_path: Path) -> None:
    script = """
    assert registry.call("app:wat", 1) == 1
    programs, compiling, go_on = registry._dispatcher._runtimes._wasm._programs, threading.Event(), threading.Event()
    compiled = programs._made

    def compile_slowly(*about):
        compiling.set()
        assert go_on.wait(60)
        return compiled(*about)

    def child():
        programs._made = compiled
        assert registry.call("app:later", timeout=20) == 7

    results = []
    programs._made = compile_slowly
    threads = [threading.Thread(target=lambda: results.append(registry.call("app:later", timeout=60))) for _ in "ab"]
    for thread in threads:
        thread.start()
    assert compiling.wait(60)
    ended(fork(child))
    go_on.set()
    for thread in threads:
        thread.join()
    assert results == [7, 7]
    """
    in_process(tmp_path, script)


def test_a_thread_may_fork_and_its_child_goes_on_with_it_alone(tmp_path: Path) -> None:
    script = """
    for thread in threads:
        thread.start()
    for _ in range(3):
        here.acquire()
    in_threads(2, lambda: ended(fork(everything)))
    go_on.set()
    stop.cancel()
    for thread in threads:
        thread.join()
    assert results == ["done"] * 3
    """
    in_process(tmp_path, MIDDLE + script)


def test_a_call_in_which_a_python_function_forks_goes_on_in_both(tmp_path: Path) -> None:
    script = """
    pids = []

    @registry.function("py:fork")
    def fork_here(*_):
        pids.append(os.fork())
        if not pids[-1]:
            signal.alarm(40)
            late("app:spin-wat", 0.05)
        return "parent" if pids[-1] else "child"

    def told(*call):
        "Calls what forks; ends the child, and says what came of the call in its parent."
        try:
            answer = registry.call(*call, timeout=30)
        except polycall.PolycallError as error:
            answer = error
        if pids[-1]:
            ended(pids[-1])
            return answer
        if call[0] == "app:isolated":  # its worker is the parent's
            good = isinstance(answer, polycall.WorkerError) and "forked" in str(answer)
        else:
            good = answer == "child"
        if good:
            everything()
        print(answer, file=sys.stderr, flush=True)
        os._exit(0 if good else 3)

    assert told("app:single", "py:fork") == "parent"
    assert told("app:relay", "py:fork", "") == "parent"
    assert told("app:isolated", "py:fork") == "parent"
    everything()
    """
    in_process(tmp_path, script)


def test_workers_notice_the_end_of_their_parent_while_its_child_lives_on(tmp_path: Path) -> None:
    script = """
    kept, written = os.pipe()

    def serve():
        assert registry.call("app:isolated", "py:upper", "a") == "A"
        theirs, parent = workers(), os.getpid()

        def live_on():
            end = time.monotonic() + 30
            while any(runs(pid) for pid in theirs):
                assert time.monotonic() < end, "a worker outlived its parent"
                time.sleep(0.05)
            os.write(written, b"+")

        fork(live_on)
        assert all(runs(pid) for pid in theirs)

    def runs(pid):
        state = os.popen(f"ps -p {pid} -o stat=").read().strip()
        return bool(state) and not state.startswith("Z")

    ended(fork(serve))
    os.close(written)
    assert os.read(kept, 1) == b"+"
    """
    in_process(tmp_path, script)


def test_the_end_of_a_worker_is_noticed_while_a_child_lives_on(tmp_path: Path) -> None:
    script = """
    children = []

    @registry.function("py:kill")
    def kill(*_):
        children.append(fork(lambda: time.sleep(60), seconds=80))
        for pid in workers():
            os.kill(pid, signal.SIGKILL)

    begin = time.monotonic()
    error = refused(polycall.WorkerError, registry.call, "app:isolated", "py:kill")
    assert "SIGKILL" in str(error), error
    assert time.monotonic() - begin < 30
    os.kill(children[0], signal.SIGKILL)
    assert registry.call("app:isolated", "py:upper", "a") == "A"
    """
    in_process(tmp_path, script)


def test_a_child_does_not_keep_open_what_its_parent_has_still_to_send(tmp_path: Path) -> None:
    script = """
    import socket
    from polycall.wasm_runtime.wasi.sockets.outgoing import Outgoing

    def left_behind():
        own, peer = socket.socketpair()
        own.setblocking(False)
        outgoing = Outgoing(own)
        outgoing.send(bytes(4_000_000))
        outgoing.end("app:lua", at_once=False)
        return peer

    def received(peer):
        peer.settimeout(20)
        return sum(len(data) for data in iter(lambda: peer.recv(1 << 20), b""))

    def live_on():
        own = [left_behind() for _ in range(16)]  # as many as it may: none of its parent's count
        assert [received(peer) for peer in own] == [4_000_000] * 16
        os.read(reading, 1)

    peers, (reading, writing) = [left_behind() for _ in range(16)], os.pipe()
    child = fork(live_on, seconds=60)
    assert [received(peer) for peer in peers] == [4_000_000] * 16
    os.write(writing, b"+")
    ended(child)
    """
    in_process(tmp_path, script)


def test_a_fork_while_workers_start_holds_up_neither(tmp_path: Path) -> None:
    script = """
    children, stop = [], []

    def start_workers():
        for number in range(6):
            assert registry.call("app:inline", number, timeout=60) == number
        stop.append(1)

    threads = [threading.Thread(target=start_workers) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(stop) < 2:  # each child holds whatever it got, for longer than this test
        children.append(fork(lambda: time.sleep(100), seconds=110))
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    """
    in_process(tmp_path, script)


def test_a_lock_that_another_thread_holds_is_free_in_a_child(tmp_path: Path) -> None:
    script = """
    from polycall.interop.forks import new_lock, new_reentrant_lock

    locks = [new_lock(), new_reentrant_lock()]
    held, done = threading.Event(), threading.Event()

    def hold():
        with locks[0], locks[1]:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()

    def take():
        assert all(lock.acquire(timeout=5) for lock in locks)

    ended(fork(take))
    assert not any(lock.acquire(timeout=0) for lock in locks)
    done.set()
    thread.join()
    """
    in_process(tmp_path, script)


def test_a_signal_reaches_a_child_that_another_thread_forked_while_the_main_one_was_in_a_guest(tmp_path: Path) -> None:
    script = """
    forked, pids = threading.Event(), []

    class Arrived(Exception):
        pass

    def arrive(*_):
        raise Arrived

    signal.signal(signal.SIGTERM, arrive)

    def wait_for_it():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(20)
        except Arrived:
            return
        raise AssertionError("the signal was held back for ever")

    def run():
        while not registry._dispatcher._runtimes._wasm._engine.shield.holding:
            time.sleep(0.001)
        pids.append(fork(wait_for_it))
        stop.cancel()

    registry.prepare("app:spin-wat")
    stop = polycall.Cancellation()
    thread = threading.Thread(target=run)
    thread.start()
    refused(polycall.CancelledError, registry.call, "app:spin-wat", cancellation=stop)
    thread.join()
    ended(*pids)
    """
    in_process(tmp_path, script)


def test_every_lock_of_ours_is_one_that_children_find_free() -> None:
    """In the one other file, one lock goes with its worker, and the other is held by whoever forks."""
    for package in ("polycall", "registry", "lua_runtime", "wasm_runtime", "interop"):
        for file in (REPOSITORY / package).rglob("*.py"):
            name = file.relative_to(REPOSITORY).as_posix()
            if not name.endswith(("interop/forks.py", "registry/isolation/process.py")):
                text = file.read_text(encoding="utf-8")
                for kind in (
                    "Lock(",
                    "Condition()",
                    "Semaphore(",
                    "Barrier(",
                ):  # a condition may be given a lock of ours
                    assert f"threading.{kind}" not in text, name
