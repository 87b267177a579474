"""Any bytes as a program, any text as a signature, any value for any type: only errors of polycall's come out.

That the process is alive is shown by the tests that run after these.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echo_components import wit_types
from effort import times
from lua_guests import body, context, program
from polycall.interop.errors import ConversionError, PolycallError, PreparationError
from polycall.interop.limits import LimitsSpec
from polycall.interop.payload import PayloadForm
from polycall.interop.values import Value, plain
from polycall.lua_runtime.runtime import LuaRuntime
from polycall.registry.services.guest_yaml import GuestYaml
from polycall.wasm_runtime import WasmProgram
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.spec import BinaryFile
from polycall.wasm_runtime.wit.check_values import compile_check
from polycall.wasm_runtime.wit.signature import ArgumentCheck, Signature
from polycall.wasm_runtime.wit.wit_parser import parse_wit
from polycall.wasm_runtime.wit.wit_types import WitType
from strategies import plain_values
from wasm_guests import FUNCS_CALLER, NobodyToCall, call, core_in_component, open_runtime

quick = settings(deadline=None, max_examples=times(150, 40), suppress_health_check=list(HealthCheck))
WIT = (
    "export add: func(a: s32, b: list<option<tuple<u8, string>>>) -> result<u32, string>; // why\nf: func(%list: char);"
)
WIT_PIECES = (
    "func",
    "(",
    ")",
    "<",
    ">",
    "->",
    ":",
    ";",
    ",",
    "%",
    "list<",
    "result",
    "_",
    "u8",
    "/*",
    "*/",
    "//",
    "\n",
    "\0",
    "é",
)
SEEDS = [
    bytes(wasmtime.wat2wasm(text))
    for text in (
        '(module (memory (export "memory") 1) (table 2 funcref) (data (i32.const 8) "abc") (global i32 (i32.const 1)) '
        '(func $f (export "f") (result i32) (i32.load (i32.const 8))) (elem (i32.const 0) $f))',
        core_in_component('(func (export "f") (result i32) (i32.const 1))', "f (result u32)"),
        FUNCS_CALLER,
    )
]
HEADERS = (b"", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0", b"\x7fELF")


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A valid binary with a few bytes changed, dropped, doubled or put in, or cut short."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        end = at + draw(st.integers(0, 6))
        change = draw(st.sampled_from(["set", "drop", "double", "insert", "cut"]))
        if change == "set":
            content[at : at + 1] = draw(
                st.binary(min_size=1, max_size=1) | st.sampled_from([b"\xff", b"\x80", b"\x7f"])
            )
        elif change == "insert":
            content[at:at] = draw(st.binary(max_size=5))
        elif change == "cut":
            del content[at + 1 :]
        else:
            content[at:end] = content[at:end] * (2 if change == "double" else 0)
    return bytes(content)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


def run_binary(runtime: WasmRuntime, folder: Path, content: bytes, wit: str | None) -> Value:
    (folder / "guest.wasm").write_bytes(content)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    file = BinaryFile(folder, "guest.wasm", "files:/guest.wasm", digest)
    limits = LimitsSpec(max_execution_ms=200, max_memory_bytes=1 << 20)
    instance = runtime.prepare(WasmProgram("app:guest", file, "f", wit, limits=limits)).instantiate()
    with contextlib.closing(instance):
        return call(instance)


@quick
@given(st.builds(bytes.__add__, st.sampled_from(HEADERS), st.binary(max_size=200)))
def test_any_bytes_as_a_binary_run_or_are_refused(runtime: WasmRuntime, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PolycallError):
        run_binary(runtime, tmp_path, content, None)


@quick
@given(mutated(SEEDS))
def test_a_damaged_binary_runs_or_is_refused(runtime: WasmRuntime, tmp_path: Path, content: bytes) -> None:
    for wit in ("f: func() -> u32", None):
        with contextlib.suppress(PolycallError):
            run_binary(runtime, tmp_path, content, wit)


def test_the_binaries_that_the_mutations_start_from_are_good(runtime: WasmRuntime, tmp_path: Path) -> None:
    assert run_binary(runtime, tmp_path, SEEDS[0], "f: func() -> u32") == int.from_bytes(b"abc", "little")
    assert run_binary(runtime, tmp_path, SEEDS[1], None) == 1
    for cut in range(len(SEEDS[1]) // 2):  # what lies behind are names, which may be missing
        with pytest.raises(PolycallError):
            run_binary(runtime, tmp_path, SEEDS[1][:cut], None)


def test_machine_code_is_not_accepted_as_a_binary(runtime: WasmRuntime, tmp_path: Path) -> None:
    compiled = bytes(wasmtime.Module(wasmtime.Engine(), SEEDS[0]).serialize())
    with pytest.raises(PreparationError, match="is not WebAssembly"):
        run_binary(runtime, tmp_path, compiled, "f: func() -> u32")
    assert os.listdir(tmp_path) == ["guest.wasm"]  # noqa: PTH208 - the names are what is compared


@st.composite
def mutated_wit(draw: st.DrawFn) -> str:
    text = WIT
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        piece = draw(st.sampled_from(WIT_PIECES) | st.text(max_size=3))
        text = text[:at] + piece + text[min(end, at + 5) :]
    return text


@quick
@given(st.text(max_size=100) | st.lists(st.sampled_from(WIT_PIECES), max_size=40).map(" ".join) | mutated_wit())
def test_any_text_as_a_signature_is_read_or_refused_with_a_place(text: str) -> None:
    message = ""
    try:
        parse_wit(text)
    except PreparationError as error:
        message = error.message
    assert not message or re.match(r"wit:\d+:\d+: ", message)


def test_the_signature_that_the_mutations_start_from_is_good_and_endless_ones_are_refused() -> None:
    assert list(parse_wit(WIT)) == ["add", "f"]
    for endless in ("f: func(a: " + "list<" * 100_000, "/*" * 100_000, "f: func(" + "a: u8, " * 20_000):
        with pytest.raises(PreparationError):
            parse_wit(endless)


class Odd(int):
    """An integer that is none to a strict check."""


ANYTHING = st.recursive(
    st.one_of(
        plain_values(allow_nan=True),
        st.integers(),
        st.text(),  # with lone surrogates
        st.complex_numbers(),
        st.dates(),
        st.builds(object),
        st.builds(Odd, st.integers(0, 9)),
        st.binary().map(bytearray),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.integers(), st.sampled_from(["ok", "err", "some", "a"])),
            inner,
            max_size=3,
        ),
        st.dictionaries(st.sampled_from(["ok", "err", "some", "a", "b"]), inner, min_size=1, max_size=1),
    ),
    max_leaves=6,
)


@quick
@given(wit_types(), st.lists(ANYTHING, max_size=3))
def test_any_value_for_any_type_is_put_in_form_or_refused(wit_type: WitType, values: list[object]) -> None:
    check = ArgumentCheck(Signature((("v", wit_type),), None))
    for value in [values, *values]:
        with contextlib.suppress(ConversionError):
            checked = check([plain(value)])
            assert list(check(checked)) == list(checked)


@quick
@given(st.lists(ANYTHING, max_size=3))
def test_any_value_reaches_lua_or_is_refused(lua_echo: LuaRuntime, values: list[object]) -> None:
    function = lua_echo.prepare(program(body("return select('#', ...)")))
    with contextlib.closing(function.instantiate()) as instance, contextlib.suppress(ConversionError):
        assert instance.call([plain(value) for value in values], context()) == len(values)


@pytest.fixture(scope="module")
def lua_echo() -> LuaRuntime:
    return LuaRuntime(NobodyToCall(), GuestYaml())


@quick
@given(
    st.sampled_from(PayloadForm),
    wit_types(),
    st.one_of(
        st.text(),
        st.binary(),
        st.sampled_from(["[" * 100_000, "1e999", '"\\ud800"', "[NaN]", "{", b"\xff", "9" * 10_000]),
    ),
)
def test_any_payload_for_a_typed_target_is_read_or_refused(
    form: PayloadForm, wit: WitType, payload: str | bytes
) -> None:
    check = ArgumentCheck(Signature((("v", wit),), None))
    with contextlib.suppress(ConversionError):
        check(form.arguments(payload))


def test_the_checks_take_honest_values() -> None:
    assert compile_check(parse_wit("f: func(v: list<u32>)")["f"].params[0][1])([1, 2.0]) == [1, 2]
    assert PayloadForm.JSON.arguments("[1, 2]") == [1, 2]
