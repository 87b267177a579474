"""Workers that crash, hang, lie or are left behind: the parent stays whole, and says what happened once."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import polycall
from lua_guests import FakeInvoker, Target, body, program
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import DeadlineError, PreparationError, WorkerError
from polycall.interop.observer import Ended
from polycall.registry.isolation import IsolatedInstance, IsolationRuntime
from polycall.registry.isolation.process import WORKER_COMMAND
from polycall.registry.observers.trace import Trace
from projects import REPOSITORY, write_project
from worker_scripts import fake_worker

SPIN = "if (...) == 'spin' then print('spinning') while true do end end return ..."
# Nothing is asked while a table grows: for keys that fall on one place that takes the square of their number, minutes.
HANG = "local t, step = {}, (1 << 20) - 1 for i = 1, (1 << 19) + 1 do t[i * step] = 1 end"

Make = Callable[..., IsolatedInstance]


class _AtRecord(logging.Handler):
    """Does something when the guest prints: at a moment in which its call is certainly under way."""

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__()
        self.action = action

    def emit(self, record: logging.LogRecord) -> None:
        self.action()


@pytest.fixture
def guest_log() -> Iterator[logging.Logger]:
    logger = logging.getLogger("polycall.entry.app:main")
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[IsolatedInstance] = []

    def make(text: str, targets: dict[str, Target] | None = None, command: tuple[str, ...] = ()) -> IsolatedInstance:
        folder = Path("/nonexistent")
        runtime = IsolationRuntime(FakeInvoker(targets), cache_directory=folder, command=command or WORKER_COMMAND)
        made.append(runtime.prepare(program(body(text))).instantiate())
        return made[-1]

    yield make
    for instance in made:
        instance.close()


def frame(**options: object) -> CallContext:
    return CallContext("app:main", "lua", **options)  # type: ignore[arg-type]  # passed on as they are


def children() -> set[int]:
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="], stdout=subprocess.PIPE, check=False)
    lines = [line.split(None, 1) for line in listed.stdout.decode().splitlines()]
    return {int(pid) for pid, command in lines if not command.startswith("ps")}


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # a count, of no path


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_worker_that_is_killed_in_mid_call_is_one_clear_error(
    make: Make, guest_log: logging.Logger, number: signal.Signals
) -> None:
    instance = make(SPIN)
    spinning = threading.Event()
    guest_log.addHandler(_AtRecord(spinning.set))

    def kill() -> None:
        spinning.wait()
        os.kill(instance.pid, number)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(WorkerError) as caught:
        instance.call(["spin"], frame())
    killer.join()
    assert caught.value.message == f"the worker process was killed by {number.name}"
    assert instance.poisoned


def test_a_worker_that_is_killed_while_it_waits_for_a_nested_call_is_one_clear_error(make: Make) -> None:
    def kill(_arguments: object, _frame: CallContext) -> None:
        os.kill(instance.pid, signal.SIGKILL)

    instance = make('require("funcs").call("app:kill")', {"app:kill": kill})
    with pytest.raises(WorkerError, match="SIGKILL"):
        instance.call([], frame())


def test_a_worker_that_is_killed_between_calls_is_replaced_without_a_word(make: Make) -> None:
    instance = make(SPIN)
    first = instance.pid
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert instance.call(["fine"], frame()) == "fine"
    assert instance.pid != first


def test_a_guest_that_hangs_in_a_c_function_is_stopped_at_its_deadline(make: Make) -> None:
    instance = make(HANG)
    start = time.monotonic()
    with pytest.raises(DeadlineError, match=r"^the deadline of the call passed$"):
        instance.call([], frame(deadline=start + 1))  # by then it is in there
    assert time.monotonic() - start < 4  # alone on a machine about 1; in process, minutes
    assert instance.poisoned
    assert make("return 1 + 1").call([], frame()) == 2


def test_a_guest_that_hangs_in_a_c_function_is_stopped_by_cancellation(make: Make, guest_log: logging.Logger) -> None:
    instance, cancellation = make("print('here') " + HANG), Cancellation()
    guest_log.addHandler(_AtRecord(cancellation.cancel))
    with pytest.raises(polycall.CancelledError, match=r"^the call was cancelled$"):
        instance.call([], frame(cancellation=cancellation))
    assert instance.poisoned


def test_a_deadline_that_passes_in_a_nested_call_is_the_error_of_that_call(make: Make) -> None:
    def late(_arguments: object, nested: CallContext) -> None:
        while nested.interruption() is None:
            pass
        raise DeadlineError("late in there")

    instance = make('return require("funcs").call("app:late")', {"app:late": late})
    with pytest.raises(DeadlineError, match="late in there"):
        instance.call([], frame(deadline=time.monotonic() + 0.05))


@pytest.mark.parametrize("details", [object(), bytes(70_000_000)])
def test_an_error_with_details_that_cannot_travel_arrives_without_them(make: Make, details: object) -> None:
    def fail(_arguments: object, _frame: CallContext) -> None:
        raise polycall.GuestError("failed", details=details)

    instance = make('local _, err = require("funcs").call("app:fail") return err:message()', {"app:fail": fail})
    assert instance.call([], frame()) == "failed"
    assert instance.call([], frame()) == "failed"
    instance = make('return require("funcs").call("app:fail")', {"app:fail": fail})
    with pytest.raises(polycall.GuestError) as caught:
        instance.call([], frame())
    assert caught.value.details is details


def test_results_and_nested_results_that_are_too_long_are_errors_that_say_so(make: Make) -> None:
    huge = bytes(70_000_000)
    instance = make(
        'local _, err = require("funcs").call("app:huge") return tostring(err)', {"app:huge": lambda *_: huge}
    )
    assert "expected at most 67108864 bytes, for an isolated function" in str(instance.call([], frame()))
    instance = make("return ('x'):rep(40000000) .. ('x'):rep(40000000)")
    with pytest.raises(polycall.ConversionError, match=r"^\$\.result: expected text of at most 67108864 bytes"):
        instance.call([], frame())
    assert not instance.poisoned


def test_a_guest_that_its_runtime_stops_leaves_the_worker_in_use(make: Make) -> None:
    instance = make("x = (x or 0) + 1 if ... then while true do end end return x")
    worker = instance.pid
    assert instance.call([], frame()) == 1
    with pytest.raises(DeadlineError):
        instance.call([True], frame(deadline=time.monotonic() + 0.02))
    if not instance.poisoned:  # on a busy machine the kill may come first
        assert instance.call([], frame()) == 1, "the guest's state is a new one"
        assert instance.pid == worker


def test_an_interrupt_from_the_keyboard_ends_the_call_and_the_worker(make: Make, guest_log: logging.Logger) -> None:
    instance = make(SPIN)
    guest_log.addHandler(_AtRecord(lambda: signal.raise_signal(signal.SIGINT)))
    with pytest.raises(KeyboardInterrupt):
        instance.call(["spin"], frame())
    assert instance.poisoned


def test_ctrl_c_on_the_command_line_ends_the_call_and_leaves_no_worker(tmp_path: Path) -> None:
    source = "return ..."
    write_project(tmp_path, index=INDEX.replace("POOL", "{}").replace(source, "print('spinning') while true do end"))
    script = """
import logging, os, signal, sys
from polycall.registry.cli.main import main
class Interrupt(logging.Handler):
    def emit(self, record):
        os.kill(os.getpid(), signal.SIGINT)
logging.getLogger("polycall.entry.app:echo").addHandler(Interrupt())
logging.getLogger("polycall.entry.app:echo").setLevel(1)
code = main(["--project", sys.argv[1], "call", "app:echo"])
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    sys.exit(code)
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", script, str(tmp_path)]
    ended = subprocess.run(command, env=environment, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (ended.returncode, b"interrupted" in ended.stderr) == (130, True), ended.stderr.decode()


def test_a_worker_is_no_member_of_the_terminals_process_group(make: Make) -> None:
    assert os.getpgid(make(SPIN).pid) != os.getpgid(0)


def test_what_lands_on_stdout_and_stderr_goes_to_the_log_within_bounds(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    command = fake_worker("""
        start()
        print("out", flush=True)
        print("x" * 5000, file=sys.stderr, flush=True)
        for _ in range(1000):
            print("more", file=sys.stderr)
        sys.stderr.flush()
        os.abort()
    """)
    instance = make("", command=command)
    with caplog.at_level(logging.WARNING, "polycall.worker"), pytest.raises(WorkerError, match="SIGABRT"):
        instance.call([], frame())
    lines = [record.getMessage() for record in caplog.records if record.name == "polycall.worker"]
    assert lines[:3] == ["app:main: out", "app:main: " + "x" * 1000, "app:main: more"]
    assert lines[-1] == "app:main: its worker writes more than 200 lines; the rest is left out"
    assert len(lines) == 201


def test_the_exit_code_of_a_worker_that_ends_itself_is_told(make: Make) -> None:
    with pytest.raises(WorkerError, match=r"^the worker process ended with exit code 3$"):
        make("", command=fake_worker("start(); sys.exit(3)")).call([], frame())


def test_a_worker_that_does_not_start_is_one_clear_error(make: Make) -> None:
    with pytest.raises(WorkerError, match=r"^the worker process ended with exit code 1$"):
        make("", command=fake_worker("sys.exit(1)"))
    with pytest.raises(WorkerError, match="no worker process can be started"):
        make("", command=("/nonexistent/python",))


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "pool.max_size"),
        (errno.EAGAIN, "ulimit -u"),
        (errno.ENOMEM, "memory"),
        (errno.EIO, None),
    ],
)
@pytest.mark.parametrize("fails", ["socket.socketpair", "os.pipe", "subprocess.Popen"])
def test_what_the_system_refuses_is_one_clear_error(
    make: Make, monkeypatch: pytest.MonkeyPatch, fails: str, number: int, hint: str | None
) -> None:
    def refuse(*_: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    files = descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(fails, refuse)
        with pytest.raises(WorkerError) as caught:
            make("")
    assert caught.value.message == f"no worker process can be started: {os.strerror(number)}"
    assert (caught.value.hint is None) if hint is None else (hint in str(caught.value.hint))
    assert descriptors() == files


@pytest.mark.parametrize(
    "answer",
    [
        'send("unheard-of")',
        'send("result")',
        'send("result", 1, 2)',
        'send("error", {"code": "guest_error"})',
        'send("error", 0)',
        'send("call", "no list", "app:target")',
        'send("call", [], 1)',
        'send("log", "high", "text", "", {})',
        'send("log", 20, b"text", "", {})',
        'send("log", 20, "text", "", [])',
        'send("waited", 1, 0.5)',
        'send("waited", "a host", "long")',
        'send("waited", "a host", -1.0)',
        'send("waited", "a host", float("nan"))',
        'send("traffic", None, 1, 2, 3)',
        'send("traffic", None, 1, 2, 3, -4)',
        'send("traffic", None, 1, 2, 3, 2**64 - 1)',
        'send("traffic", None, 1, 2, 3, "4")',
        'send("service", ["app:main"], "entry")',
        'send("service", ["A"], "get")',
        'send("service", [], "__class__")',
        'send("service", "get", [])',
        "send(1)",
        "send({})",
        'send("result", {1: 2})',
        'send("result", msgpack.ExtType(3, b"code"))',
        'connection.sendall(b"\\xff" * 100)',
        'connection.sendall(struct.pack("<I", 4) + b"\\xc1\\xc1\\xc1\\xc1")',
        "connection.shutdown(socket.SHUT_WR)",
    ],
)
def test_a_worker_that_breaks_the_protocol_is_killed(make: Make, answer: str) -> None:
    instance = make("", command=fake_worker(f"start()\n{answer}\nuntil_killed()"))
    with pytest.raises(WorkerError, match=r"it was killed$"):
        instance.call([], frame())
    assert instance.poisoned


def test_what_a_worker_says_of_waits_is_safe_to_show(make: Make) -> None:
    trace, context = Trace(), frame()
    context.observer = trace
    finish = trace.start(context, [])
    worker = 'start(); send("waited", "\\x1b[2J" + "x" * 1000, 0.5); send("result", 1); until_killed()'
    assert make("", command=fake_worker(worker)).call([], context) == 1
    finish(Ended(0.5, 1, None))
    (what,) = trace.calls[0].waits
    assert what.startswith("\\x1b[2Jxxx")
    assert len(what) < 120


@pytest.mark.parametrize(
    "answer",
    [
        'send("ready", 1, [], "whole")',
        'send("ready", None, [1], "whole")',
        'send("ready", None, [[1, None, True, True]], "whole")',
        'send("ready", None, [], "by pickle")',
        'send("error", "no")',
        'send("error")',
        'send("result", 1)',
        'send("call", [], "app:target")',
    ],
)
def test_a_worker_that_describes_its_function_wrongly_is_killed(make: Make, answer: str) -> None:
    with pytest.raises(WorkerError, match=r"it was killed$"):
        make("", command=fake_worker(f"receive()\n{answer}\nuntil_killed()"))


def test_a_worker_calls_out_only_if_its_entry_may() -> None:
    command = fake_worker('start(); send("call", [], "app:target"); until_killed()')
    runtime = IsolationRuntime(FakeInvoker({"app:target": lambda *_: 1}), command=command)
    instance = runtime.prepare(program("", modules=["json"])).instantiate()
    with pytest.raises(WorkerError, match="out of place"):
        instance.call([], frame())


def _asking(question: str, modules: list[str]) -> object:
    command = fake_worker(f'start(); send("service", {question}); send("result", receive()[0]); until_killed()')
    lua = program("", modules=["json"], imports={"lib": program("", entry_id="app:lib", method=None, modules=modules)})
    instance = IsolationRuntime(FakeInvoker(), command=command).prepare(lua).instantiate()
    try:
        return instance.call([], frame())
    finally:
        instance.close()


QUESTIONS = [
    ('["A"], "get"', "env"), ('["A", "b"], "set"', "env"), ('[], "get_all"', "env"), ('["app:f"], "folder"', "fs"),
    ('["app:main"], "entry"', "registry"), ('[{}], "find"', "registry"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "module"), QUESTIONS)
def test_a_worker_asks_only_what_its_entry_or_what_it_imports_declares(question: str, module: str) -> None:
    assert _asking(question, [module]) == "error"  # there is nobody who knows the answer, but it may ask
    others = sorted({"env", "fs", "registry"} - {module})
    with pytest.raises(WorkerError, match=r"a question that is out of place; it was killed$"):
        _asking(question, others)


@pytest.mark.parametrize(
    "question",
    [
        '[], "get"', '["A", "app"], "get"', '[1], "get"', '[b"A"], "get"', '["A", 1], "set"', '[None], "get_all"',
        '"A", "get"', '["A"], ["get"]', '["A"], "get", 1', '[[]], "find"', '["f"], "locate"', '["\\ud800"], "get"',
    ],
)  # fmt: skip
def test_a_question_of_a_wrong_shape_kills_the_worker(question: str) -> None:
    with pytest.raises(WorkerError, match=r"it was killed$"):
        _asking(question, ["env", "fs", "registry"])


@pytest.mark.parametrize(
    "behaviour",
    [
        'while True: send("log", 5, "again", "", {})',
        'while True: send("waited", "a host", 0.5)',
        'while True: send("traffic", None, 1, 1, 1, 1)',
        "while True: os.write(2, b'again' * 1000)",
        "until_killed()",
    ],
)
def test_a_worker_that_never_answers_is_killed_at_the_deadline(make: Make, behaviour: str) -> None:
    instance = make("", command=fake_worker(f"start()\n{behaviour}"))
    with pytest.raises(DeadlineError):
        instance.call([], frame(deadline=time.monotonic() + 0.05))
    assert instance.poisoned


def test_a_worker_that_takes_nothing_is_killed_at_the_deadline(make: Make) -> None:
    command = fake_worker("""
        receive(); send("ready", None, [], "whole"); receive(); send("instantiated", None); until_killed()
    """)
    with pytest.raises(DeadlineError):
        make("", command=command).call([bytes(10_000_000)], frame(deadline=time.monotonic() + 0.05))


def test_long_arguments_and_results_travel_while_the_guest_logs(make: Make) -> None:
    text, data = "é" * 1_000_000, bytes(range(256)) * 10_000
    instance = make("print('x') local a, b = ... return { a, b }")
    assert instance.call([text, data], frame()) == [text, data]


def test_nothing_is_left_after_20_crashes() -> None:
    runtime = IsolationRuntime(FakeInvoker(), command=fake_worker("start(); os._exit(1)"))
    function = runtime.prepare(program(""))
    before_descriptors, before_children = None, None
    for _ in range(20):
        with pytest.raises(WorkerError):
            function.instantiate().call([], frame())
        gc.collect()
        before_descriptors = before_descriptors or descriptors()
        before_children = children() if before_children is None else before_children
    assert descriptors() == before_descriptors
    assert children() == before_children


INDEX = """
namespace: app
entries:
  - {name: echo, kind: function.lua, isolation: process, method: echo, pool: POOL,
     source: "return { echo = function(...) return ... end }"}
"""


@pytest.mark.parametrize("pool", ["{type: inline}", "{max_size: 3}", "{workers: 2}", "{type: adaptive}"])
def test_no_worker_outlives_its_registry(tmp_path: Path, pool: str) -> None:
    before, files = children(), descriptors()
    with polycall.load(write_project(tmp_path, index=INDEX.replace("POOL", pool))) as registry:
        function = registry.prepare("app:echo")
        assert len(children() - before) == (2 if "workers" in pool else 1)
        assert registry.call("app:echo", 1) == 1
        function = registry.prepare("app:echo")
    assert function.entry_id == "app:echo", "held on to, but its workers are gone"
    assert children() == before
    assert descriptors() == files


def test_a_prepared_function_that_was_never_called_leaves_no_worker(tmp_path: Path) -> None:
    before = children()
    with polycall.load(write_project(tmp_path, index=INDEX.replace("POOL", "{}"))) as registry:
        function = registry.prepare("app:echo")
        assert registry.check() == []
    assert function.language == "lua"
    assert children() == before


def test_check_runs_no_start_up_code_in_the_parent(tmp_path: Path) -> None:
    source = INDEX.replace("POOL", "{}").replace("return { echo", "error('at start') return { echo")
    with polycall.load(write_project(tmp_path, index=source)) as registry:
        findings = registry.check()
    assert [(finding.code, "at start" in str(finding)) for finding in findings] == [("preparation", True)]
    with pytest.raises(PreparationError, match="at start"), polycall.load(tmp_path) as registry:
        registry.call("app:echo")


def test_a_worker_ends_with_its_parent_even_if_its_guest_never_does(tmp_path: Path) -> None:
    index = INDEX.replace("POOL", "{}").replace("return ...", "print('spinning') while true do end")
    write_project(tmp_path, index=index)
    script = """
import logging, os, polycall, signal, sys
class Die(logging.Handler):
    def emit(self, record):
        instance = next(iter(registry._dispatcher.table.by_id.values())).pool._held
        print(next(iter(instance)).pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
logging.getLogger("polycall.entry").addHandler(Die())
logging.getLogger("polycall.entry").setLevel(1)
registry = polycall.load(sys.argv[1])
registry.call("app:echo")
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    parent = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, stdout=subprocess.PIPE, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    end = time.monotonic() + 10
    while _runs(int(parent.stdout)):
        assert time.monotonic() < end, "the worker outlived its parent"


def _runs(pid: int) -> bool:
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], stdout=subprocess.PIPE, check=False)
    return listed.stdout.strip() != b"" and not listed.stdout.startswith(b"Z")


def test_a_worker_knows_next_to_nothing_of_its_parents_environment(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    look = """
    import contextlib
    held = set()
    for descriptor in range(100):
        with contextlib.suppress(OSError):
            held.add(os.fstat(descriptor).st_ino)
    print(sorted(os.environ), os.getcwd(), len(held), flush=True)
    start()
    send("result", None)
    """
    command = fake_worker(look)
    with caplog.at_level(logging.WARNING, "polycall.worker"):
        make("", command=command).call([], frame())
    assert "PYTHONPATH" in caplog.text
    assert "SECRET_TOKEN" not in caplog.text
    assert "HOME" not in caplog.text.replace("PYTHONHOME", "")
    assert "] / 2" in caplog.text, "a socket, and the pipe of both its outputs"


def test_the_time_to_replace_a_worker_is_none_of_the_call_that_finds_it_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there_when_time_began: list[set[int]] = []
    limit = CallContext.limit

    def noted(context: CallContext, seconds: float) -> None:
        there_when_time_began.append(children())
        limit(context, seconds)

    entry = "{name: f, kind: function.lua, isolation: process, method: f, limits: {max_execution_ms: 20000}, "
    source = 'source: "return { f = function(x) return x end }"}'
    monkeypatch.setattr(CallContext, "limit", noted)
    with polycall.load(write_project(tmp_path, index=f"namespace: app\nentries:\n  - {entry}{source}\n")) as registry:
        assert registry.call("app:f", 1) == 1
        first = there_when_time_began[0]
        for pid in first:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
        assert registry.call("app:f", 2) == 2
    assert there_when_time_began[1]
    assert there_when_time_began[1].isdisjoint(first)


def test_a_worker_that_may_have_discarded_its_instance_makes_another_before_the_call_begins(make: Make) -> None:
    worker = """
    start()
    texts = dict.fromkeys(["entry_id", "hint", "guest_traceback", "retryable", "details", "key", "cause", "conversion"])
    send("error", {**texts, "returned": False, "code": "deadline", "message": "late", "kind": "Timeout", "frames": []})
    asked = receive()[0]
    send("instantiated", None)
    assert receive()[0] == "run"
    send("result", asked)
    assert receive()[0] == "run"  # nothing is asked after a call that went well
    send("result", "again")
    until_killed()
    """
    instance = make("", command=fake_worker(worker))
    with pytest.raises(DeadlineError, match="late"):
        instance.call([], frame())
    assert instance.call([], frame()) == "instantiate"
    assert instance.call([], frame()) == "again"


def test_a_worker_that_is_ready_only_after_the_end_of_its_registry_ends_as_well() -> None:
    runtime, before = IsolationRuntime(FakeInvoker(None)), children()
    runtime.close()
    function = runtime.prepare(program(body("return 1")))
    assert children() == before
    function.close()


def test_a_worker_imports_neither_yaml_nor_what_its_parent_needs() -> None:
    code = (
        "import sys, polycall.registry.isolation.worker; "
        "sys.exit(bool({'yaml', 'subprocess', 'lupa', 'wasmtime'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
