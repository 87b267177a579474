"""`env#abort` of AssemblyScript: a failed assertion with its message, whatever the guest points at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks import Attack, attacks
from polycall.interop.errors import ImportDeniedError, TrapError
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import call, open_runtime, prepare


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


def text(words: str) -> str:
    data = words.encode("utf-16-le")
    return "".join(f"\\{byte:02x}" for byte in len(data).to_bytes(4, "little") + data)


MESSAGE, FILE, HUGE, STEERING = 8, 200, 400, 500
ABORT = f"""(module $m (import "env" "abort" (func $abort (param i32 i32 i32 i32))) (memory (export "memory") 1)
  (data (i32.const {MESSAGE - 4}) "{text("index out of range")}")
  (data (i32.const {FILE - 4}) "{text("assembly/index.ts")}")
  (data (i32.const {HUGE - 4}) "\\ff\\ff\\ff\\ff")
  (data (i32.const {STEERING - 4}) "{text("a" + chr(27) + "[31m" + chr(10) + "b")}")
  (func (export "f") (param i32 i32)
    (call $abort (local.get 0) (local.get 1) (i32.const 3) (i32.const 14)) unreachable))"""
WIT = "f: func(message: u32, file: u32)"


def message_of(runtime: WasmRuntime, message: int, file: int, guest: str = ABORT) -> str:
    instance = prepare(runtime, guest, "f", WIT).instantiate()
    with pytest.raises(TrapError) as caught:
        call(instance, message, file)
    assert instance.poisoned
    return caught.value.message


def test_a_failed_assertion_says_message_and_place(runtime: WasmRuntime) -> None:
    assert message_of(runtime, MESSAGE, FILE) == "the guest aborted at assembly/index.ts:3:14: index out of range"
    assert message_of(runtime, 0, FILE) == "the guest aborted at assembly/index.ts:3:14: an assertion failed"
    assert message_of(runtime, MESSAGE, 0) == "the guest aborted: index out of range"


@attacks(
    Attack("`env#abort` with pointers beyond the memory", "core module", "TrapError", "a true one tells its message")
)
@pytest.mark.parametrize("pointer", [1, 3, HUGE, 65536, 65537, 2**31, 2**32 - 1])
def test_what_points_nowhere_is_no_message(runtime: WasmRuntime, pointer: int) -> None:
    assert message_of(runtime, pointer, pointer) == "the guest aborted: an assertion failed"


def test_a_module_that_hides_its_memory_has_no_message(runtime: WasmRuntime) -> None:
    hidden = ABORT.replace('(memory (export "memory") 1)', "(memory 1)")
    assert message_of(runtime, MESSAGE, FILE, hidden) == "the guest aborted: an assertion failed"


@attacks(
    Attack(
        "`env#abort` with control characters in its message",
        "core module",
        "they are shown escaped",
        "plain text is shown",
    )
)
def test_the_message_is_safe_on_a_terminal(runtime: WasmRuntime) -> None:
    assert message_of(runtime, STEERING, 0) == "the guest aborted: a\\x1b[31m\\nb"


def test_an_abort_is_no_import_that_must_be_granted(runtime: WasmRuntime) -> None:
    assert prepare(runtime, ABORT, "f", WIT, strict_imports=True).imports == ()
    other = ABORT.replace("(param i32 i32 i32 i32)", "(param i32 i32)").replace("(i32.const 3) (i32.const 14)", "")
    with pytest.raises(ImportDeniedError):
        prepare(runtime, other, "f", WIT, strict_imports=True)
