"""Guests that use WASI leave nothing behind, however their calls end."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator

import pytest

import polycall
from effort import times
from polycall.interop.io_thread import io_thread
from polycall.wasm_runtime.wasi.io.poll import Pollable
from polycall.wasm_runtime.wasi.io.streams import OutputStream
from polycall.wasm_runtime.wasi.session import Session
from soak.machine import measure
from wasi_guests import SLEEPER
from wasi_shell import SHELL

ENDS: dict[str, tuple[str, tuple[object, ...], dict[str, float], type[polycall.PolycallError] | None]] = {
    "sleeps": ("sleep", (1000,), {}, None),
    "sleeps too long": ("sleep", (10**15,), {"timeout": 0.002}, polycall.DeadlineError),
    "prints": ("print", (3,), {}, None),
    "takes stdout and never drops it": ("leak", (20,), {}, None),
    "takes pollables and never drops them": ("subscribe", (20,), {}, None),
    "takes too many": ("subscribe", (300,), {}, polycall.LimitError),
    "exits": ("exit-with-code", (0,), {}, None),
    "exits with a status": ("exit-with-code", (3,), {}, polycall.ExitError),
    "polls nothing": ("poll-none", (), {}, polycall.TrapError),
    "writes too much": ("too-much", (), {}, polycall.TrapError),
    "asks for too many bytes": ("bytes", (2**40,), {}, polycall.LimitError),
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    folder = tmp_path_factory.mktemp("wasi")
    (folder / "shell.wat").write_text(SHELL)
    (folder / "sleeper.wat").write_text(SLEEPER)
    entries = ["namespace: app\nentries:\n"]
    for method in sorted({method for method, *_ in ENDS.values()}):
        source = "sleeper" if method == "sleep" else "shell"
        grants = '["wasi:cli", "wasi:io", "wasi:clocks", "wasi:random"]'
        entries.append(f"  - {{name: {method}, kind: function.wat, source: file://{source}.wat, method: {method}, ")
        entries.append(f"imports: {grants}, wasi: {{limits: {{max_pollables: 200}}}}}}\n")
    (folder / "_index.yaml").write_text("".join(entries))
    with polycall.load(folder) as registry:
        yield registry


def caller(registry: polycall.Registry, end: str) -> Callable[[], None]:
    method, arguments, options, error = ENDS[end]

    def call() -> None:
        expected = contextlib.nullcontext() if error is None else pytest.raises(error)
        with expected:
            registry.call(f"app:{method}", *arguments, timeout=options.get("timeout"))

    return call


@pytest.mark.parametrize("end", ENDS)
def test_however_a_call_ends_nothing_is_left_for_the_garbage_collector(registry: polycall.Registry, end: str) -> None:
    call = caller(registry, end)
    method, arguments, options, _ = ENDS[end]

    def plain() -> None:  # `pytest.raises` makes garbage of its own
        with contextlib.suppress(polycall.PolycallError):
            registry.call(f"app:{method}", *arguments, timeout=options.get("timeout"))

    call()
    gc.collect()
    gc.disable()
    try:
        left = []
        for _ in range(3):  # what other threads have just ended leaves garbage as well, but not each time
            for _ in range(5):
                plain()
            left.append(gc.collect())
        assert 0 in left
    finally:
        gc.enable()


@pytest.mark.parametrize("end", ENDS)
def test_however_calls_end_descriptors_threads_and_kept_things_stay_as_they_were(
    registry: polycall.Registry, end: str
) -> None:
    call = caller(registry, end)
    for _ in range(3):
        call()
    before, kept = measure(), in_use()
    for _ in range(times(100, 30)):
        call()
    after = measure()
    assert (after.descriptors, after.threads) == (before.descriptors, before.threads)
    left = in_use()
    # Fewer are all right: instances that were idle for long are let go meanwhile.
    assert left["Session"] <= kept["Session"]
    if "never drops" not in end:  # those handles are in the guest's table, with nothing behind them
        assert all(left[name] <= kept[name] for name in left)
    assert after.rss_mib - before.rss_mib < 24


def in_use() -> dict[str, int]:
    gc.collect()
    names = [type(each).__name__ for each in gc.get_objects() if isinstance(each, (Pollable, Session, OutputStream))]
    return {name: names.count(name) for name in ("Pollable", "Session", "OutputStream")}


def test_ten_thousand_calls_of_one_instance_stay_flat(registry: polycall.Registry) -> None:
    for _ in range(100):
        registry.call("app:print", 1)
        registry.call("app:sleep", 0)
    before = measure()
    for _ in range(times(5_000, 1_000)):
        registry.call("app:print", 1)
        registry.call("app:sleep", 0)
    after = measure()
    assert (after.descriptors, after.threads) == (before.descriptors, before.threads)
    assert after.rss_mib - before.rss_mib < 24
    assert registry.stats().entries["app:print"].pool.made <= 2


def test_watches_that_are_over_are_forgotten() -> None:
    reader, writer = os.pipe()
    try:
        for _ in range(1000):
            io_thread().watch(reader, "read", lambda: None)()

        async def known() -> int:
            return len(io_thread()._watches)

        assert io_thread().run(known()).result(30) == 0
    finally:
        os.close(reader)
        os.close(writer)


def test_a_leak_would_be_seen(registry: polycall.Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "end", lambda _session: None)
    call = caller(registry, "takes pollables and never drops them")
    failures = 0
    for _ in range(1_000):
        with contextlib.suppress(polycall.LimitError):  # 20 stay open with each call
            call()
            continue
        failures += 1
    assert failures
