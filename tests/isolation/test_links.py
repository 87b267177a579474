"""Links between entries of any language, in this process and in workers: a linked call is a call like any other."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import polycall
from linked_guests import RATE, TAX, linked_project, lua, relay, write_rules
from polycall.interop.context import Cancellation
from polycall.interop.errors import PoolDeadlockError
from polycall.registry.observers.trace import Trace

FIGURE = re.compile(r" +\d+\.\d{3} ms +")
WHO = ["none", "process"]
Open = Callable[..., polycall.Registry]

RATES = lua('local rates = {PT = 23} return rates[...], not rates[...] and "no rate for " .. ... or nil')


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    made: list[polycall.Registry] = []

    def open_project(*entries: str, **options: Any) -> polycall.Registry:
        linked_project(tmp_path, *entries, **options)
        made.append(polycall.load(tmp_path))
        return made[-1]

    yield open_project
    for registry in made:
        registry.close()


@contextmanager
def in_time(seconds: float = 20) -> Iterator[None]:
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds


SERVERS = {
    "lua": RATES,
    "lua in a worker": lua('if ... == "PT" then return 23 end return nil, "no rate for " .. ...', isolation="process"),
    "lua with a value of its own": lua('if ... == "PT" then return {ok = 23} end return {err = "no rate for " .. ...}'),
    "lua that passes an error on": lua(
        'if ... == "PT" then return 23 end\nreturn require("funcs").call("app.rules:other", ...)', modules="[funcs]"
    )
    + lua('return nil, "no rate for " .. ...', "other"),
    "lua in a worker that returns what was raised below": lua(
        'if ... == "PT" then return 23 end\nreturn require("funcs").call("app.rules:other", ...)',
        modules="[funcs]",
        isolation="process",
    )
    + lua('error("no rate for " .. ..., 0)', "other"),
    "lua in a worker that passes an error on": lua(
        'if ... == "PT" then return 23 end\nreturn require("funcs").call("app.rules:other", ...)',
        modules="[funcs]",
        isolation="process",
    )
    + lua('return nil, "no rate for " .. ...', "other"),
}


@pytest.mark.parametrize("isolation", WHO)
@pytest.mark.parametrize("server", SERVERS)
def test_lua_serves(opened: Open, server: str, isolation: str) -> None:
    registry = opened(SERVERS[server], isolation=isolation)
    assert registry.call("app:guest", "PT") == {"ok": 23}
    assert registry.call("app:guest", "XX") == {"err": "no rate for XX"}
    assert registry.call("app:guest", "PT") == {"ok": 23}


@pytest.mark.parametrize("isolation", WHO)
def test_python_serves(opened: Open, isolation: str) -> None:
    registry = opened(isolation=isolation, links=f'{{"{TAX}": py}}')
    answers: dict[str, Any] = {"PT": 23, "FR": {"ok": 20}, "XX": {"err": "no rate for XX"}, "DE": "x"}

    @registry.function("py:rate")
    def rate(country: str) -> Any:
        return answers[country]

    assert registry.call("app:guest", "PT") == {"ok": 23}
    assert registry.call("app:guest", "FR") == {"ok": 20}
    assert registry.call("app:guest", "XX") == {"err": "no rate for XX"}
    with pytest.raises(polycall.ConversionError, match=r'py:rate: \$\.result\.ok: expected u32, got "x"'):
        registry.call("app:guest", "DE")
    with pytest.raises(
        polycall.GuestError, match=r"^app:guest \(wasm\) -> py:rate \(python\): KeyError: 'IT'"
    ) as caught:
        registry.call("app:guest", "IT")
    assert [str(frame) for frame in caught.value.frames] == ["app:guest (wasm)", "py:rate (python)"]


WAT = """
- name: rate
  kind: function.wat
  method: rate
  source: |
    (component
      (core module $m (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        (func (export "rate") (param i32 i32) (result i32)
          (i32.store (i32.const 68) (i32.add (local.get 1) (i32.const 20))) (i32.const 64)))
      (core instance $i (instantiate $m))
      (func (export "rate") (param "text" string) (result (result u32 (error string)))
        (canon lift (core func $i "rate") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
"""


@pytest.mark.parametrize("isolation", WHO)
@pytest.mark.parametrize("own", WHO)
def test_a_component_serves_another(opened: Open, isolation: str, own: str) -> None:
    registry = opened(WAT.replace("method: rate", f"method: rate\n  isolation: {own}"), isolation=isolation)
    assert registry.call("app:guest", "PT") == {"ok": 22}
    assert [finding for finding in registry.check() if finding.severity == "error"] == []


def test_hyphens_and_underscores_are_alike_and_the_exact_name_comes_first(opened: Open, tmp_path: Path) -> None:
    wit = "tax-rate-of: func() -> u32;"
    registry = opened(lua("return 1", "tax_rate_of"), guest=relay(wit), method="tax-rate-of")
    assert registry.call("app:guest") == 1
    write_rules(tmp_path, lua("return 1", "tax_rate_of"), lua("return 2", "tax-rate_of"))
    registry.reload()
    assert registry.call("app:guest") == 2  # of two that are alike, the first in the order of ids
    write_rules(tmp_path, lua("return 1", "tax_rate_of"), lua("return 3", "tax-rate-of"))
    registry.reload()
    assert registry.call("app:guest") == 3


@pytest.mark.parametrize("isolation", WHO)
def test_a_reload_changes_what_serves(opened: Open, tmp_path: Path, isolation: str) -> None:
    registry = opened(lua("return 1"), isolation=isolation)
    assert registry.call("app:guest", "PT") == {"ok": 1}
    write_rules(tmp_path, lua("return 2"))
    registry.reload()
    assert registry.call("app:guest", "PT") == {"ok": 2}
    write_rules(tmp_path, lua("return 3", "other"))
    registry.reload()
    with pytest.raises(polycall.NotFoundError, match=r"there is no entry app\.rules:rate"):
        registry.call("app:guest", "PT")
    write_rules(tmp_path, lua("return 4"), lua("return 3", "other"))
    registry.reload()
    assert registry.call("app:guest", "PT") == {"ok": 4}
    registry.function("py:rate")(lambda _country: 5)
    linked_project(tmp_path, isolation=isolation, links=f'{{"{TAX}#rate": "py:rate"}}')
    registry.reload()
    assert registry.call("app:guest", "PT") == {"ok": 5}


@pytest.mark.parametrize("isolation", WHO)
def test_an_entry_that_is_raised_through_is_no_err_of_the_one_above(opened: Open, isolation: str) -> None:
    # app:guest -> app.rules:rate, a component whose import gives no result -> app.rules:deep, which returns an error
    inner = relay("plain: func(country: string) -> u32;", "shop:inner/plain")
    entry = f"""
    - name: rate
      kind: function.wat
      method: plain
      isolation: {isolation}
      links: {{"shop:inner/plain#plain": "app.rules:deep"}}
      source: |
"""
    source = "".join(f"        {line}\n" for line in inner.splitlines())
    registry = opened(entry + source, lua('return nil, "deep"', "deep"), isolation=isolation)
    with pytest.raises(
        polycall.GuestError, match=r"app:guest .* -> app.rules:rate \(wasm\) -> app.rules:deep .* deep$"
    ):
        registry.call("app:guest", "PT")


RAISES = lua('local _, err = require("funcs").call("app.rules:other", ...)\nerror(err)', modules="[funcs]")
PYTHON_PASSES = '{"%s": py}'


@pytest.mark.parametrize("isolation", WHO)
@pytest.mark.parametrize("own", WHO)
def test_an_error_that_is_returned_below_and_raised_above_is_a_failure(opened: Open, isolation: str, own: str) -> None:
    raises = RAISES.replace("modules: [funcs]", f"modules: [funcs]\n  isolation: {own}")
    registry = opened(raises, lua('return nil, "deep"', "other"), isolation=isolation)
    with pytest.raises(polycall.GuestError, match=r"app.rules:other \(lua\): deep$"):
        registry.call("app:guest", "PT")


def test_an_error_that_python_lets_through_is_a_failure(opened: Open) -> None:
    registry = opened(lua('return nil, "deep"', "other"), links=PYTHON_PASSES % TAX)
    registry.function("py:rate")(lambda country: registry.call("app.rules:other", country))
    with pytest.raises(polycall.GuestError, match=r"py:rate \(python\) -> app.rules:other \(lua\): deep$"):
        registry.call("app:guest", "PT")


# --- what holds for calls through funcs holds here -------------------------------------------------------------------


@pytest.mark.parametrize("isolation", WHO)
def test_the_chain_has_its_depth(opened: Open, tmp_path: Path, isolation: str) -> None:
    again = lua('local r, err = require("funcs").call("app:guest", ...) if err then error(err) end\nreturn r',
                modules="[funcs]")  # fmt: skip
    opened(again, isolation=isolation)
    with polycall.load(tmp_path, max_depth=6) as shallow:
        with pytest.raises(polycall.DepthError) as caught:
            shallow.call("app:guest", "PT")
        assert [frame.entry_id for frame in caught.value.frames][:6] == ["app:guest", "app.rules:rate"] * 3


@pytest.mark.parametrize("isolation", WHO)
@pytest.mark.parametrize("own", WHO)
def test_the_deadline_holds_below(opened: Open, isolation: str, own: str) -> None:
    registry = opened(lua('while ... == "PT" do end return 7', isolation=own), isolation=isolation)
    assert registry.call("app:guest", "XX") == {"ok": 7}  # so that the deadline finds all of the chain there
    with in_time(), pytest.raises(polycall.DeadlineError):
        registry.call("app:guest", "PT", timeout=0.2)


@pytest.mark.parametrize("isolation", WHO)
def test_a_limit_of_its_own_ends_the_served_call_and_the_guest_with_it(opened: Open, isolation: str) -> None:
    registry = opened(lua("while true do end", limits="{max_execution_ms: 50}"), isolation=isolation)
    with pytest.raises(polycall.DeadlineError) as caught:
        registry.call("app:guest", "PT")
    assert [frame.entry_id for frame in caught.value.frames] == ["app:guest", "app.rules:rate"]


@pytest.mark.parametrize("isolation", WHO)
def test_a_cancellation_reaches_what_serves(opened: Open, isolation: str) -> None:
    registry = opened(isolation=isolation, links=PYTHON_PASSES % TAX, also=lua("while true do end", "spin"))
    cancellation = Cancellation()

    @registry.function("py:rate")
    def rate(_country: str) -> Any:
        threading.Timer(0.05, cancellation.cancel).start()
        return registry.call("app:spin")

    with in_time(), pytest.raises(polycall.CancelledError):
        registry.call("app:guest", "PT", cancellation=cancellation)


@pytest.mark.parametrize("isolation", WHO)
def test_context_values_are_inherited(opened: Open, isolation: str) -> None:
    registry = opened(lua('return require("ctx").get("rate")', modules="[ctx]"), isolation=isolation)
    assert registry.call("app:guest", "PT", values={"rate": 6}) == {"ok": 6}


@pytest.mark.parametrize("isolation", WHO)
def test_a_wait_that_could_never_end_is_an_error_at_once(opened: Open, tmp_path: Path, isolation: str) -> None:
    again = lua('local r, err = require("funcs").call("app:guest", ...) if err then error(err) end\nreturn r',
                modules="[funcs]")  # fmt: skip
    linked_project(tmp_path, again, isolation=isolation)
    index = tmp_path / "_index.yaml"
    index.write_text(index.read_text().replace("method: rate", "method: rate, pool: {type: static, workers: 1}"))
    with (
        polycall.load(tmp_path) as registry,
        in_time(),
        pytest.raises(PoolDeadlockError),
    ):
        registry.call("app:guest", "PT")


@pytest.mark.parametrize("isolation", WHO)
def test_observers_and_statistics_see_the_call(opened: Open, isolation: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "polycall.call")
    registry = opened(RATES, isolation=isolation)
    trace = Trace()
    registry.call("app:guest", "PT", observer=trace)
    registry.call("app:guest", "XX")
    assert [FIGURE.sub(" * ", line) for line in trace.lines()] == [
        "app:guest (wasm) * (text of 2 bytes) -> record of 1 field",
        "└─ app.rules:rate (lua) * (text of 2 bytes) -> number",
    ]
    counted = registry.stats().entries
    assert counted["app.rules:rate"].calls == 2
    assert counted["app.rules:rate"].errors == {"guest_error": 1}
    assert counted["app:guest"].errors == {}
    assert sum("app.rules:rate" in record.getMessage() for record in caplog.records) >= 2


@pytest.mark.parametrize("isolation", WHO)
def test_a_failure_has_frames_from_the_outermost_on(opened: Open, isolation: str) -> None:
    registry = opened(lua('error("boom", 0)'), isolation=isolation, also=lua(
        'return require("funcs").call("app:guest", ...)', "outer", modules="[funcs]"))  # fmt: skip
    with pytest.raises(polycall.GuestError) as caught:
        registry.call("app:outer", "PT")
    assert str(caught.value) == "app:outer (lua) -> app:guest (wasm) -> app.rules:rate (lua): boom"


@pytest.mark.parametrize("isolation", WHO)
def test_a_link_grants_no_funcs_and_funcs_no_link(opened: Open, isolation: str) -> None:
    registry = opened(RATES, isolation=isolation, links="{}")
    with pytest.raises(polycall.ImportDeniedError, match="which polycall does not offer"):
        registry.call("app:guest", "PT")


def test_results_of_a_million_values_are_converted_while_the_clock_runs(opened: Open) -> None:
    registry = opened(
        lua("local t = {} for i = 1, 1000000 do t[i] = i % 7 end t[1000000] = t[1000000] + ... return t"),
        guest=relay("rate: func(last: u32) -> list<u32>;"),
    )
    answer = registry.call("app:guest", 3, timeout=60)
    assert isinstance(answer, list)
    assert (len(answer), answer[-1]) == (1_000_000, 1_000_000 % 7 + 3)


def test_a_link_is_declared_once_for_many_functions(opened: Open) -> None:
    wit = f"{RATE} lowest: func() -> u32;"
    registry = opened(RATES, lua("return 5", "lowest"), guest=relay(wit), method="lowest")
    assert registry.call("app:guest") == 5
