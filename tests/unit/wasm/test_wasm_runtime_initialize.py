"""What runs once for each instance of a core module: `start`, then `_initialize`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polycall.interop.errors import DeadlineError, PreparationError, TrapError
from polycall.interop.limits import LimitsSpec
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import call, open_runtime, prepare

NUMBER = "(global $n (mut i32) (i32.const 0))"
GET = '(func (export "f") (result i32) (global.get $n))'
WIT = "f: func() -> s32"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


def test_initialize_is_called_once_for_each_instance_after_start(runtime: WasmRuntime) -> None:
    guest = f"""(module {NUMBER}
      (func $start (global.set $n (i32.const 2))) (start $start)
      (func (export "_initialize") (global.set $n (i32.mul (i32.add (global.get $n) (i32.const 1)) (i32.const 10))))
      (func (export "f") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"""
    function = prepare(runtime, guest, "f", WIT)
    for _ in range(2):
        instance = function.instantiate()
        assert [call(instance), call(instance)] == [31, 32]


def test_a_module_without_initialize_starts_as_it_is(runtime: WasmRuntime) -> None:
    assert call(prepare(runtime, f"(module {NUMBER} {GET})", "f", WIT).instantiate()) == 0
    not_a_function = f'(module {NUMBER} {GET} (global (export "_initialize") i32 (i32.const 1)))'
    assert call(prepare(runtime, not_a_function, "f", WIT).instantiate()) == 0


@pytest.mark.parametrize("signature", ["(param i32)", "(result i32)"])
def test_an_initialize_that_takes_or_returns_something_is_refused(runtime: WasmRuntime, signature: str) -> None:
    guest = f'(module {NUMBER} {GET} (func (export "_initialize") {signature} unreachable))'
    with pytest.raises(PreparationError) as caught:
        prepare(runtime, guest, "f", WIT)
    assert caught.value.message == (
        f'the export "_initialize" is (func {signature}): what has this name is called once before the first call, '
        "so it must take nothing and return nothing"
    )


def test_a_trap_in_initialize_is_the_guests_error(runtime: WasmRuntime) -> None:
    guest = f'(module $m {NUMBER} {GET} (func $init (export "_initialize") unreachable))'
    with pytest.raises(TrapError) as caught:
        prepare(runtime, guest, "f", WIT).instantiate()
    assert caught.value.entry_id == "app:guest"
    assert (caught.value.guest_traceback or "").startswith("m!init")


def test_an_initialize_without_end_is_stopped_like_all_start_up_code(runtime: WasmRuntime) -> None:
    guest = f'(module {NUMBER} {GET} (func (export "_initialize") (loop br 0)))'
    with pytest.raises(DeadlineError, match="start-up code ran longer"):
        prepare(runtime, guest, "f", WIT, limits=LimitsSpec(max_execution_ms=30)).instantiate()
