"""Components: exports, signatures, calls, state and memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from echo_components import PADDING, echo_component_wat
from polycall.interop.errors import ConversionError, MissingExportError, PreparationError
from polycall.interop.values import Value
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.wit.wit_types import ListType, OptionType, Primitive, RecordType, ResultType, VariantType
from wasm_guests import call, core_in_component, open_runtime, prepare

ADD = """
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (global $count (mut i32) (i32.const 0))
  (func (export "count") (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))
  (func (export "nothing"))"""
COMPONENT = core_in_component(ADD, 'add (param "a" s32) (param "b" s32) (result s32)', "count (result u32)", "nothing")
INTERFACE = """(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (instance $math (export "add" (func $add)))
  (export "test:calc/math@1.0.0" (instance $math))
  (export "plain" (instance $math)))"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


def test_a_world_level_export_is_called_by_its_name(runtime: WasmRuntime) -> None:
    function = prepare(runtime, COMPONENT, "add")
    assert function.entry_id == "app:guest"
    assert function.language == "wasm"
    assert str(function.signature) == "func(a: s32, b: s32) -> s32"
    assert function.imports == ()
    assert call(function.instantiate(), -2, 3) == 1


@pytest.mark.parametrize("method", ["test:calc/math@1.0.0#add", "plain#add"])
def test_an_export_of_an_interface_is_called_by_both_names(runtime: WasmRuntime, method: str) -> None:
    assert call(prepare(runtime, INTERFACE, method).instantiate(), 2, 3) == 5


def test_a_function_without_parameters_and_result_gives_nothing(runtime: WasmRuntime) -> None:
    function = prepare(runtime, COMPONENT, "nothing")
    assert str(function.signature) == "func()"
    assert call(function.instantiate()) is None


def test_a_missing_export_is_told_with_the_ones_there_are(runtime: WasmRuntime) -> None:
    with pytest.raises(MissingExportError) as caught:
        prepare(runtime, COMPONENT, "ad")
    assert str(caught.value) == 'no export "ad" (did you mean "add"?; it exports add, count, nothing)'
    assert caught.value.entry_id == "app:guest"


def test_a_component_without_functions_says_so(runtime: WasmRuntime) -> None:
    with pytest.raises(MissingExportError, match="it exports no functions"):
        prepare(runtime, "(component)", "run")


def test_a_long_list_of_exports_is_cut(runtime: WasmRuntime) -> None:
    functions = "".join(f'(func (export "f{index}"))' for index in range(20))
    many = core_in_component(functions, *(f"f{index}" for index in range(20)))
    with pytest.raises(MissingExportError, match="and 8 more"):
        prepare(runtime, many, "nope")


def test_instances_share_nothing_and_each_keeps_its_state(runtime: WasmRuntime) -> None:
    function = prepare(runtime, COMPONENT, "count")
    first, second = function.instantiate(), function.instantiate()
    assert [call(first), call(first), call(second)] == [1, 2, 1]


def test_arguments_that_do_not_fit_leave_the_instance_good(runtime: WasmRuntime) -> None:
    instance = prepare(runtime, COMPONENT, "add").instantiate()
    with pytest.raises(ConversionError) as caught:
        call(instance, 1, 2**31)
    assert str(caught.value) == "$.args[1]: expected s32, got 2147483648"
    assert not instance.poisoned
    assert call(instance, 1, 2) == 3


def test_a_closed_instance_is_not_called(runtime: WasmRuntime) -> None:
    instance = prepare(runtime, COMPONENT, "add").instantiate()
    instance.close()
    instance.close()
    with pytest.raises(Exception, match="must not be used again"):
        call(instance, 1, 2)


def test_the_post_return_function_is_called_after_each_result(runtime: WasmRuntime) -> None:
    guest = """(component
      (core module $m (memory (export "memory") 1) (global $returned (mut i32) (i32.const 0))
        (func (export "text") (result i32)
          (i32.store (i32.const 8) (i32.const 100)) (i32.store (i32.const 12) (global.get $returned)) (i32.const 8))
        (func (export "post") (param i32) (global.set $returned (i32.add (global.get $returned) (i32.const 1)))))
      (core instance $i (instantiate $m))
      (func (export "text") (result (list u8))
        (canon lift (core func $i "text") (memory (core memory $i "memory")) (post-return (core func $i "post")))))"""
    instance = prepare(runtime, guest, "text").instantiate()
    assert [call(instance), call(instance), call(instance)] == [b"", b"\0", b"\0\0"]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ('(type $t (stream u8)) (func (export "f") (param "x" $t) (canon lift (core func $i "f")))', "of WASI 0.3"),
        ('(type $t (future u8)) (func (export "f") (param "x" $t) (canon lift (core func $i "f")))', "of WASI 0.3"),
        ('(func (export "f") async (param "x" u32) (canon lift (core func $i "f")))', "of WASI 0.3"),
        ('(func (export "f") (param "x" error-context) (canon lift (core func $i "f")))', "does not compile: ."),
    ],
    ids=["stream", "future", "async", "error-context"],
)
def test_what_is_of_wasi_03_is_refused_when_it_is_asked_for(runtime: WasmRuntime, function: str, why: str) -> None:
    core = """(core module $m (func (export "f") (param i32)) (func (export "g"))) (core instance $i (instantiate $m))
    (func (export "g") (canon lift (core func $i "g")))"""
    with pytest.raises(PreparationError, match=why):
        prepare(runtime, f"(component {core} {function})", "f")
    if "does not compile" not in why:
        assert call(prepare(runtime, f"(component {core} {function})", "g").instantiate()) is None


def test_one_mebibyte_of_bytes_comes_back_whole(runtime: WasmRuntime) -> None:
    instance = prepare(runtime, echo_component_wat(ListType(Primitive("u8"))), "echo").instantiate()
    data = bytes(range(256)) * 4096
    assert call(instance, data, *PADDING) == data
    assert call(instance, b"small", *PADDING) == b"small"


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident size from /proc")
def test_calls_and_instances_give_back_all_their_memory(runtime: WasmRuntime) -> None:
    string = Primitive("string")
    record = RecordType((("name", string), ("tags", ListType(string)), ("note", OptionType(string))))
    wit_type = VariantType((("record", record), ("outcome", ResultType(ListType(Primitive("u8")), string))))
    function = prepare(runtime, echo_component_wat(wit_type), "echo")
    values: list[Value] = [
        {"record": {"name": "n" * 200, "tags": ["t" * 200] * 5, "note": "x" * 200}},
        {"outcome": {"ok": bytes(500)}},
        {"outcome": {"err": "e" * 500}},
    ]

    def work(rounds: int) -> None:
        for _ in range(rounds):
            instance = function.instantiate()
            for value in values:
                assert call(instance, value, *PADDING) == value
            instance.close()

    work(50)
    before = _resident_bytes()
    work(1500)  # one leaked value a call would be 5 MB and more
    assert _resident_bytes() - before < 3_000_000


def test_importing_the_package_does_not_load_the_engine() -> None:
    code = "import sys, wasm_runtime; print('wasmtime' in sys.modules, wasm_runtime.WasmProgram.__name__)"
    folder = str(Path(__file__).parents[3])
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "False WasmProgram\n"


def test_an_instance_inside_of_an_instance_is_told_apart_from_a_missing_one(runtime: WasmRuntime) -> None:
    nested = INTERFACE.replace(
        '(export "plain" (instance $math))',
        '(instance $outer (export "inner" (instance $math))) (export "outer" (instance $outer))',
    )
    assert call(prepare(runtime, nested, "test:calc/math@1.0.0#add").instantiate(), 2, 3) == 5
    with pytest.raises(MissingExportError) as caught:
        prepare(runtime, nested, "outer#inner#add")
    assert caught.value.hint == (
        'the component exports "inner" as an instance inside of the instance "outer"; '
        "only its own functions and those of its own instances can be called, so export it at the top"
    )
