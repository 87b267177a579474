"""Workers that a guest has taken over: what they send, and when, costs the parent neither memory nor time nor truth."""

from __future__ import annotations

import select
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import polycall
from attacks import Attack, attacks
from lua_guests import FakeInvoker, body, program
from polycall.interop.context import CallContext
from polycall.interop.errors import DeadlineError, WorkerError
from polycall.interop.source import SourceText
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation import IsolatedInstance, IsolationRuntime
from polycall.registry.services.entry_data import EntryData
from polycall.wasm_runtime.spec import WasmProgram
from worker_scripts import fake_worker

MEGABYTE = 1 << 20
ANSWERS = "while True:\n    {}\n    message = receive()\n"

Make = Callable[..., IsolatedInstance]


@pytest.fixture
def taken_over() -> Iterator[Make]:
    made: list[IsolatedInstance] = []

    def make(text: str, of: LuaProgram | WasmProgram | None = None, **targets: Any) -> IsolatedInstance:
        invoker = FakeInvoker({f"app:{name}": target for name, target in targets.items()})
        runtime = IsolationRuntime(invoker, cache_directory=Path("/nonexistent"), command=fake_worker(text))
        made.append(runtime.prepare(of or program(body(""))).instantiate())
        return made[-1]

    yield make
    for instance in made:
        instance.close()


def frame(seconds: float | None = None, **options: Any) -> CallContext:
    return CallContext("app:main", "lua", deadline=None if seconds is None else time.monotonic() + seconds, **options)


def serving(action: str) -> str:
    return f"message = start()\nwhile True:\n    {action}\n    message = receive()\n"


@contextmanager
def stalls() -> Iterator[list[float]]:
    """Gives the gaps that another thread saw, beyond the 5 ms for which it slept."""
    gaps, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            begin = time.monotonic()
            time.sleep(0.005)
            gaps.append(time.monotonic() - begin - 0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield gaps
    finally:
        stop.set()
        thread.join()


def peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


RAW = """
message = start()
many = (64 << 20) - 30
def raw(body):
    connection.sendall(struct.pack("<I", len(body)) + body)
raw({})
until_killed()
"""
BOMBS = {
    "64 million empty lists": 'b"\\x92\\xa6result\\xdd" + many.to_bytes(4, "big") + b"\\x90" * many',
    "64 million empty records inside of arguments": (
        'b"\\x93\\xa4call\\xdd" + many.to_bytes(4, "big") + b"\\x80" * (many - 14) + b"\\xa8app:call"'
    ),
    "16 million nested lists of three": (
        'b"\\x92\\xa6result\\xdd" + (many // 4).to_bytes(4, "big") + b"\\x93\\x90\\x90\\x90" * (many // 4)'
    ),
    "21 million records of one key in an error's details": (
        'b"\\x92\\xa5error\\xdd" + (many // 4).to_bytes(4, "big") + b"\\x81\\xa1a\\x01" * (many // 4)'
    ),
    "64 million fields of a log record": (
        'b"\\x95\\xa3log\\x14\\xa1x\\xa0\\x81\\xa1f\\xdd" + many.to_bytes(4, "big") + b"\\xc0" * many'
    ),
}


@pytest.mark.no_cover
@attacks(
    *(
        Attack(
            f"a worker that was taken over sends {name}", "worker", "WorkerError, no memory taken, no stall", "a list"
        )
        for name in BOMBS
    )
)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
@pytest.mark.parametrize("bomb", BOMBS)
def test_one_message_becomes_neither_gigabytes_nor_a_standstill(taken_over: Make, bomb: str) -> None:
    assert taken_over(serving('send("result", [[]] * 10000)')).call([], frame()) == [[]] * 10000
    instance = taken_over(RAW.format(BOMBS[bomb]), call=lambda *_: None)
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_bytes()
    with stalls() as gaps, pytest.raises(WorkerError, match="it was killed"):
        instance.call([], frame(60))
    assert peak_bytes() - before < 600 * MEGABYTE  # the message itself, twice, and what grows while it comes
    assert max(gaps) < 1  # alone on a machine 0.03, where building the values takes 5 s


@pytest.mark.no_cover
@attacks(
    Attack("a worker sends the largest message there may be just before the deadline", "worker", "DeadlineError", "7")
)
def test_the_time_that_a_message_takes_counts_for_the_call(taken_over: Make) -> None:
    assert taken_over(serving('send("result", 7)')).call([], frame(30)) == 7
    many = "[[1]] * 300000"
    instance = taken_over(serving(f'send("result", {many})'))
    assert instance.call([], frame(60)) == [[1]] * 300000
    with pytest.raises(DeadlineError):
        instance.call([], frame(0.02))


CTX = program("", modules=["ctx"])
READERS: dict[str, tuple[LuaProgram | WasmProgram, bool]] = {
    "an entry without ctx": (program("", modules=["json", "env"]), False),
    "an entry whose library has no ctx": (
        program("", modules=[], imports={"lib": program("", entry_id="app:lib", method=None, modules=["json"])}),
        False,
    ),
    "a core module": (WasmProgram("app:main", SourceText("(module)", "a.wat"), "f", "f: func()"), False),
    "an entry with ctx": (CTX, True),
    "an entry whose library has ctx": (
        program("", modules=[], imports={"lib": program("", entry_id="app:lib", method=None, modules=["ctx"])}),
        True,
    ),
}


@attacks(
    *(
        Attack(f"the worker of {name} asks its call for context values", "worker", "gives `{}`", "with ctx it is told")
        for name, (_, told) in READERS.items()
        if not told
    )
)
@pytest.mark.parametrize("reader", READERS)
def test_context_values_go_only_to_workers_whose_guests_may_read_them(taken_over: Make, reader: str) -> None:
    of, told = READERS[reader]
    instance = taken_over(serving('send("result", message[4])'), of)
    values = {"secret": "s3cret", "other": [1]}
    assert instance.call([], frame(values=values)) == (values if told else {})


NO_VALUES = {
    "half of a surrogate pair": '"a\\ud800b"',
    "half of a surrogate pair for a key": '{"\\udfff": 1}',
    "half of a surrogate pair far inside": '[{"a": [["\\udc00"]]}]',
    "bytes that are no UTF-8 as text": 'Raw(b"\\xa2\\xff\\xff")',
    "an overlong encoding": 'Raw(b"\\xa2\\xc0\\x80")',
    "an integer of 200 bits": 'msgpack.ExtType(1, b"\\x7f" * 25)',
    "an integer of 32,767 bits": 'msgpack.ExtType(1, b"\\x7f" * 4096)',
    "a moment": "msgpack.Timestamp(1, 2)",
    "an unknown extension": 'msgpack.ExtType(5, b"code")',
    "nan for a key": 'Raw(b"\\x81\\xcb\\x7f\\xf8" + bytes(6) + b"\\x01")',
    "a number for a key": "{1: 2}",
    "bytes for a key": '{b"a": 1}',
    "nothing for a key": "{None: 1}",
    "a list for a key": 'Raw(b"\\x81\\x91\\x01\\x01")',
    "300 levels": 'Raw(b"\\x91" * 300 + b"\\xc0")',
    "a reserved byte": 'Raw(b"\\xc1")',
    "a text that claims four gigabytes": 'Raw(b"\\xdb\\xff\\xff\\xff\\xffx")',
    "a list that claims four billion": 'Raw(b"\\xdd\\xff\\xff\\xff\\xff\\x01")',
}
WAYS = {"result": "\\x92\\xa6result", "call": "\\x93\\xa4call\\x91"}
SEND = """
class Raw(bytes):
    pass
def body(value):
    return bytes(value) if isinstance(value, Raw) else msgpack.packb(value, unicode_errors="surrogatepass")
message = start()
sent = b"{head}" + body({value}) + {tail}
connection.sendall(struct.pack("<I", len(sent)) + sent)
until_killed()
"""


@attacks(
    *(Attack(f"a worker returns {name}", "worker", "WorkerError", "values of all kinds arrive") for name in NO_VALUES),
    Attack("a worker calls another entry with each of these", "worker", "WorkerError, not called", "the call is made"),
)
@pytest.mark.parametrize("name", NO_VALUES)
def test_what_is_no_value_of_a_guest_gets_no_further_than_its_worker(taken_over: Make, name: str) -> None:
    called: list[object] = []
    for way, tail in (("result", 'b""'), ("call", 'b"\\xa8app:call"')):
        text = SEND.format(head=WAYS[way], value=NO_VALUES[name], tail=tail)
        with pytest.raises(WorkerError, match="it was killed"):
            taken_over(text, call=called.append).call([], frame(60))
    assert called == []


def test_values_of_all_kinds_arrive(taken_over: Make) -> None:
    value = '[None, True, -(2**63), 2**64 - 1, 1.5, "\\U0001f600", b"\\xff", {"a": []}]'
    expected: list[Any] = [None, True, -(2**63), 2**64 - 1, 1.5, "\U0001f600", b"\xff", {"a": []}]
    assert taken_over(serving(f'send("result", {value})')).call([], frame()) == expected

    def call(arguments: Any, _frame: CallContext) -> Any:
        return list(arguments)

    worker = serving(f'send("call", {value}, "app:call"); send("result", receive()[1])')
    assert taken_over(worker, call=call).call([], frame()) == expected


TWICE = 'send("result", "first"); send({})'
UNASKED = {
    "a second result": TWICE.format('"result", "stale"'),
    "an error after its result": TWICE.format('"error", {}'),
    "a log record after its result": TWICE.format('"log", 20, "text", "", {}'),
    "a question after its result": TWICE.format('"service", ["A"], "get"'),
    "a call after its result": TWICE.format('"call", [], "app:call"'),
    "that it is ready, once more": TWICE.format('"ready", None, [], "whole"'),
    "half a message after its result": 'send("result", "first"); connection.sendall(b"\\x50\\x00\\x00\\x00\\x92")',
    "a single byte after its result": 'send("result", "first"); connection.sendall(b"\\x00")',
    "a second call before the answer to the first": 'send("call", [], "app:call"); send("call", [], "app:call")',
    "its result before the answer to its call": 'send("call", [], "app:call"); send("result", "stale")',
    "a second question before the answer to the first": (
        'send("service", ["A"], "get"); send("service", ["A"], "get")'
    ),
}


@attacks(
    *(
        Attack(f"a worker sends {name}", "worker", "WorkerError; the next call has another worker", "one answer each")
        for name in UNASKED
    )
)
@pytest.mark.parametrize("name", UNASKED)
def test_a_message_that_answers_nothing_ends_the_worker(taken_over: Make, name: str) -> None:
    def call(*_: Any) -> str:
        time.sleep(0.1)  # what the worker sends meanwhile has come by then
        return "called"

    asks = program("", modules=["funcs", "env"])
    honest = taken_over(serving('send("call", [], "app:call"); send("result", receive()[1])'), asks, call=call)
    assert [honest.call([], frame()), honest.call([], frame())] == ["called", "called"]
    instance = taken_over(serving(UNASKED[name]), asks, call=call)
    results: list[object] = []

    def call_on() -> None:
        while True:
            results.append(instance.call([], frame(30)))
            select.select([instance._worker._socket], [], [], 30)  # until the rest is there

    with pytest.raises(WorkerError, match="more than it was asked for; it was killed"):  # at once, or at the next call
        call_on()
    assert set(results) <= {"first"}
    assert instance.poisoned


ORDERS = {
    "ready twice before it is asked": 'receive(); send("ready", None, [], "whole"); send("ready", None, [], "whole")',
    "a result where an instance was asked for": (
        'receive(); send("ready", None, [], "whole"); receive(); send("result", 1)'
    ),
    "ready where an instance was asked for": (
        'receive(); send("ready", None, [], "whole"); receive(); send("ready", None, [], "whole")'
    ),
    "a call where an instance was asked for": (
        'receive(); send("ready", None, [], "whole"); receive(); send("call", [], "app:call")'
    ),
    "an instance and more": 'receive(); send("ready", None, [], "whole"); receive(); send("instantiated", None, 1)',
    "two megabytes of imports": 'receive(); send("ready", None, [["x" * 2000000, None, True, True]], "whole")',
}


@attacks(*(Attack(f"a worker says {name}", "worker", "WorkerError", "ready, then an instance") for name in ORDERS))
@pytest.mark.parametrize("name", ORDERS)
def test_a_worker_that_starts_out_of_order_is_ended(taken_over: Make, name: str) -> None:
    assert taken_over(serving('send("result", 1)')).call([], frame()) == 1
    with pytest.raises(WorkerError, match="it was killed"):
        taken_over(f"{ORDERS[name]}\nuntil_killed()", call=lambda *_: None).call([], frame(30))


HANG_UPS = {
    "hangs up and lives on": "start(); connection.close(); os.close(0); until_killed()",
    "says no more and lives on": "start(); connection.shutdown(socket.SHUT_WR); until_killed()",
    "hangs up in the middle of a message": (
        'start(); connection.sendall(b"\\x09"); connection.close(); os.close(0); until_killed()'
    ),
    "hangs up before it is ready": "receive(); connection.close(); os.close(0); until_killed()",
}
LONG_WAYS = {
    "hangs up while it is sent a long message": 'receive(); send("ready", None, [], "whole"); receive(); '
    'send("instantiated", None); connection.recv(10); connection.close(); os.close(0); until_killed()',
    "says no more while it is sent a long message": 'receive(); send("ready", None, [], "whole"); receive(); '
    'send("instantiated", None); connection.recv(10); connection.shutdown(socket.SHUT_WR); until_killed()',
    "speaks while it is sent a long message": 'receive(); send("ready", None, [], "whole"); receive(); '
    'send("instantiated", None); connection.recv(10); send("result", 1); until_killed()',
}


@attacks(
    *(
        Attack(f"a worker {name}", "worker", "WorkerError at once, and not after half a second", "it answers")
        for name in (*HANG_UPS, *LONG_WAYS)
    )
)
@pytest.mark.parametrize("name", [*HANG_UPS, *LONG_WAYS])
def test_a_worker_that_hangs_up_costs_no_time(taken_over: Make, name: str) -> None:
    long = bytes(30 * MEGABYTE) if name in LONG_WAYS else b""
    assert taken_over(serving('send("result", len(message[1][0]))')).call([long], frame()) == len(long)
    times = []
    for _ in range(5):  # the best of some: another process may have been busy
        begin = time.monotonic()
        if "ready" in name:
            with pytest.raises(WorkerError):
                taken_over(HANG_UPS[name])
        else:
            instance = taken_over((HANG_UPS | LONG_WAYS)[name])
            begin = time.monotonic()
            with pytest.raises(WorkerError):
                instance.call([long], frame())  # nobody would end it by a deadline
        times.append(time.monotonic() - begin)
    assert min(times) < (0.4 if "ready" not in name else 2), times  # with the start of Python


@attacks(Attack("a worker hangs up again and again under a deadline", "worker", "no call overruns it", "it answers"))
def test_a_worker_that_hangs_up_does_not_overrun_the_deadline(taken_over: Make) -> None:
    worker = serving("time.sleep(0.05); connection.close(); os.close(0); until_killed()")
    overrun = []
    for _ in range(5):
        instance = taken_over(worker)
        begin = time.monotonic()
        with pytest.raises((WorkerError, DeadlineError)):
            instance.call([], frame(0.06))
        overrun.append(time.monotonic() - begin - 0.06)
    assert min(overrun) < 0.2, overrun


@attacks(
    Attack("a worker has 40 calls of a megabyte fail, for their errors", "worker", "the last few are", "the last is")
)
def test_the_errors_that_are_kept_for_a_worker_are_bounded_in_bytes(taken_over: Make) -> None:
    def call(*_: Any) -> Any:
        raise polycall.GuestError("no")

    worker = """
    start()
    for _ in range(40):
        send("call", [b"x" * 1000000], "app:call")
        assert receive()[0] == "error"
    send("error", {})
    until_killed()
    """
    with pytest.raises(polycall.GuestError, match="no"):
        taken_over(textwrap.dedent(worker).format(39), call=call).call([], frame(60))
    with pytest.raises(WorkerError, match="no error of a call"):
        taken_over(textwrap.dedent(worker).format(0), call=call).call([], frame(60))


@attacks(
    Attack(
        "a worker logs at a million levels, for loggers keep each", "worker", "WorkerError", "levels of logging pass"
    ),
    Attack("a worker logs a line of a megabyte", "worker", "WorkerError", "levels of logging pass"),
)
@pytest.mark.parametrize("record", ['2**40, "text"', '0, "text"', '-5, "text"', '20, "x" * 1000000'])
def test_a_log_record_is_one_that_an_honest_worker_sends(taken_over: Make, record: str) -> None:
    assert taken_over(serving('send("log", 20, "text", "", {}); send("result", 1)')).call([], frame()) == 1
    with pytest.raises(WorkerError, match="no log record"):
        taken_over(serving(f'send("log", {record}, "", {{}}); send("result", 1)')).call([], frame(30))


@attacks(Attack("a search that outlives its call", "worker", "DeadlineError", "one that is done in time"))
def test_a_question_is_answered_no_longer_than_the_call_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_self: EntryData, _filters: object, check: Callable[[], None]) -> list[Any]:
        while True:
            check()

    entry = """
namespace: app
entries:
  - name: main
    kind: function.lua
    isolation: process
    modules: [registry]
    method: main
    source: |
      local registry = require("registry")
      return { main = function() return #registry.find({}) end }
"""
    (tmp_path / "_index.yaml").write_text(entry)
    with polycall.load(tmp_path) as registry:
        assert registry.call("app:main") == 1
        monkeypatch.setattr(EntryData, "find", find)
        started = time.monotonic()
        with pytest.raises(DeadlineError):
            registry.call("app:main", timeout=0.5)
        assert time.monotonic() - started < 5


ERROR = (
    'dict(code={code!r} * {times}, message="no", kind="Internal", entry_id=None, hint=None, guest_traceback=None, '
    "retryable=None, details=None, key=None, frames=[], cause=None, conversion=None)"
)


@attacks(
    Attack("an error whose code is a text of megabytes", "worker", "WorkerError, in one line", "a code that is one")
)
def test_what_is_no_error_takes_a_line_to_say(taken_over: Make) -> None:
    with pytest.raises(polycall.CallError, match="no"):
        taken_over(serving(f'send("error", {ERROR.format(code="call", times=1)})')).call([], frame())
    with pytest.raises(WorkerError, match="no error of a call") as caught:
        taken_over(serving(f'send("error", {ERROR.format(code="x", times=10_000_000)})')).call([], frame(30))
    error: BaseException | None = caught.value
    while error is not None:
        assert len(repr(error)) < 1000
        error = error.__cause__ or error.__context__
