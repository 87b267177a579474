"""Who may import preview 1, as what, and how a command of it is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import polycall
from polycall.interop.errors import ExitError, ImportDeniedError, PreparationError
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.wasi.preview1.interface import PREVIEW1
from wasip1_guests import OUT, Host, Steps, imports
from wasm_guests import call, open_runtime, prepare

ONE_OF_EACH_GROUP = (
    "args_get",
    "environ_sizes_get",
    "clock_time_get",
    "random_get",
    "fd_write",
    "fd_filestat_get",
    "fd_prestat_get",
    "fd_readdir",
    "path_open",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "sched_yield",
    "sock_send",
)


def calling(name: str) -> Steps:
    parameters, _ = PREVIEW1[name].core_type
    return Steps().call(name, *[0 for _ in parameters])


@pytest.mark.parametrize("name", PREVIEW1)
def test_what_is_not_granted_is_not_there(name: str) -> None:
    steps = calling(name)
    with (
        Host(granted=False).instance(steps.source(), wit="run: func() -> list<u8>") as instance,
        pytest.raises(ImportDeniedError) as caught,
    ):
        call(instance)
    assert caught.value.message == f"the guest called wasi_snapshot_preview1#{name}, which its entry does not grant"
    assert caught.value.hint == 'add "wasi1" to its imports'


@pytest.mark.parametrize("name", ONE_OF_EACH_GROUP)
def test_what_is_granted_answers(name: str) -> None:
    steps = calling(name)
    with Host().instance(steps.source(), wit="run: func() -> list<u8>") as instance:
        call(instance)


def test_strict_imports_refuse_what_is_not_granted(tmp_path: Path) -> None:
    source = f'(module {imports(["sched_yield"])} (func (export "run")))'
    with open_runtime(tmp_path) as runtime:
        with pytest.raises(ImportDeniedError, match="wasi_snapshot_preview1"):
            prepare(runtime, source, wit="run: func()", strict_imports=True)
        prepare(runtime, source, wit="run: func()", strict_imports=True, grants=["wasi1"])


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[WasmRuntime]:
    with open_runtime(tmp_path) as opened:
        yield opened


def test_an_import_of_another_type_is_refused_by_its_name(runtime: WasmRuntime) -> None:
    source = """(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32)))
        (func (export "run")))"""
    with pytest.raises(PreparationError) as caught:
        prepare(runtime, source, wit="run: func()", grants=["wasi1"])
    assert caught.value.message == (
        "the module imports wasi_snapshot_preview1#fd_close as (func (param i64) (result i32)); "
        "it is (func (param i32) (result i32))"
    )
    prepare(runtime, source, wit="run: func()").instantiate().close()


def test_a_name_that_there_is_not_is_told_when_it_is_called(runtime: WasmRuntime) -> None:
    source = """(module (import "wasi_snapshot_preview1" "fd_clsoe" (func $f (param i32) (result i32)))
        (func (export "idle")) (func (export "run") (drop (call $f (i32.const 1)))))"""
    assert call(prepare(runtime, source, "idle", "idle: func()", grants=["wasi1"]).instantiate()) is None
    with pytest.raises(ImportDeniedError, match="fd_clsoe, which is not in wasi_snapshot_preview1") as caught:
        call(prepare(runtime, source, wit="run: func()", grants=["wasi1"]).instantiate())
    assert "fd_close" in str(caught.value.hint)


def test_what_the_entry_needs_is_shown(runtime: WasmRuntime) -> None:
    source = f'(module {imports(["sched_yield", "fd_close"])} (func (export "run")))'
    for grants, granted in (((), False), (("wasi1",), True)):
        (need,) = prepare(runtime, source, wit="run: func()", grants=grants).imports
        assert (need.name, need.group, need.granted, need.available) == (
            "wasi_snapshot_preview1",
            "wasi1",
            granted,
            True,
        )


COMMAND = f"""(module {imports(["fd_write", "proc_exit"])}
    (memory (export "memory") 1)
    (global $times (mut i32) (i32.const 0))
    (data (i32.const 0) "\\08\\00\\00\\00\\04\\00\\00\\00ran\\n")
    (func (export "_start")
      (if (global.get $times) (then unreachable))
      (global.set $times (i32.const 1))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
      %s))"""


def project(folder: Path, source: str) -> Path:
    (folder / "tool.wat").write_text(source, "utf-8")
    (folder / "_index.yaml").write_text(
        "version: '1.0'\nnamespace: app\nentries:\n  - name: tool\n    kind: function.wat\n"
        "    source: file://tool.wat\n    method: _start\n    imports: [wasi1]\n",
        "utf-8",
    )
    return folder


@pytest.mark.parametrize("end", ["", "(call $proc_exit (i32.const 0))"])
def test_a_command_is_a_function_of_nothing_each_time_in_an_instance_of_its_own(tmp_path: Path, end: str) -> None:
    with polycall.load(project(tmp_path, COMMAND % end)) as registry:
        assert [registry.call("app:tool") for _ in range(3)] == [None] * 3


def test_a_command_that_fails_says_with_what(tmp_path: Path) -> None:
    with polycall.load(project(tmp_path, COMMAND % "(call $proc_exit (i32.const 3))")) as registry:
        with pytest.raises(ExitError, match="the guest exited with status 3"):
            registry.call("app:tool")
        assert registry.run("app:tool") == 3


def test_what_a_guest_reads_and_writes_is_counted(tmp_path: Path) -> None:
    with polycall.load(project(tmp_path, COMMAND % "")) as registry:
        registry.call("app:tool")
        assert registry.stats().entries["app:tool"].host == polycall.HostTraffic(calls=1, bytes_out=4)


def test_a_reactor_is_made_ready_before_its_first_call() -> None:
    source = f"""(module {imports(["clock_res_get"])} (memory (export "memory") 1)
        (func (export "_initialize") (drop (call $clock_res_get (i32.const 1) (i32.const {OUT}))))
        (func (export "run") (result i64) (i64.load (i32.const {OUT}))))"""
    with Host().instance(source, wit="run: func() -> u64") as instance:
        assert call(instance) == 1
