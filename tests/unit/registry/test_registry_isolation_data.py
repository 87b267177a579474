"""Programs and errors as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polycall.interop import errors
from polycall.interop.errors import (
    ConversionError,
    DeclarationError,
    ExitError,
    Frame,
    GuestError,
    NotFoundError,
    PolycallError,
    Problem,
    TrapError,
)
from polycall.interop.limits import LimitsSpec
from polycall.interop.source import SourceText
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation.error_data import ToldErrors, decode_error, encode_error
from polycall.registry.isolation.messages import MessageError, Reader, pack
from polycall.registry.isolation.program_data import decode_program, encode_program
from polycall.registry.isolation.services import modules_of
from polycall.wasm_runtime.spec import BinaryFile, CappedNetwork, WasiNetworkSpec, WasiSpec, WasmProgram

FIELDS = ("code", "message", "entry_id", "hint", "kind", "retryable", "details", "guest_traceback", "frames")


def over_the_wire(data: Any) -> Any:
    reader = Reader()
    reader.feed(pack("error", data, "$"))
    message = reader.read_checked()
    assert message is not None
    return message[1]


def test_a_program_survives() -> None:
    library = LuaProgram("app:lib", SourceText("return 1", "lib.lua", 3), None, ("json",))
    lua = LuaProgram("app:main", SourceText("x", "main.lua"), "main", ("funcs",), {"lib": library}, LimitsSpec(5, 6))
    assert decode_program(encode_program(lua)) == lua
    for code in (SourceText("(module)", "a.wat"), BinaryFile(Path("/tmp/\udce4"), "ä.wasm", "fs:/ä.wasm", "sha256:0")):
        links = {"shop:rules/tax@1.0.0": "app.rules", "rate": "app:rate"}
        wasm = WasmProgram("app:w", code, "run", "run: func()", frozenset({"funcs", "wasi:io"}), True, links=links)
        assert decode_program(encode_program(wasm)) == wasm


def test_the_rules_of_the_network_survive_with_their_ceiling() -> None:
    own = WasiNetworkSpec(allow=("private", "*.example.org:443"), deny=("10.0.0.5",))
    for network in (WasiNetworkSpec(), own, CappedNetwork(("all",), (), ("loopback",), own)):
        program = WasmProgram("app:w", SourceText("(module)", "a.wat"), "run", wasi=WasiSpec(network=network))
        decoded = decode_program(encode_program(program))
        assert decoded == program
        assert isinstance(decoded, WasmProgram)
        assert type(decoded.wasi.network) is type(network)


def test_libraries_that_share_libraries_travel_once_each() -> None:
    level = LuaProgram("app:0", SourceText("return 1", "0.lua"), None)
    for number in range(1, 41):  # each imports the one below twice: 2^40 ways to the bottom
        imports = {"a": level, "b": level}
        level = LuaProgram(f"app:{number}", SourceText("return 1", f"{number}.lua"), None, (f"m{number}",), imports)
    data = encode_program(level)
    assert len(data) < 10_000
    back = decode_program(data)
    assert isinstance(back, LuaProgram)
    assert [each.entry_id for each in back.with_imports()] == [f"app:{number}" for number in range(40, -1, -1)]
    assert modules_of(back) == {f"m{number}" for number in range(1, 41)}


def test_a_program_with_something_unknown_in_it_is_refused_by_name() -> None:
    program = LuaProgram("app:main", SourceText("x", "main.lua"), object())  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="does not know a object"):
        encode_program(program)


def _classes() -> list[type[PolycallError]]:
    classes = [getattr(errors, name) for name in errors.__all__]
    wanted = [each for each in classes if isinstance(each, type) and issubclass(each, PolycallError)]
    return [each for each in wanted if each not in (PolycallError, DeclarationError, ConversionError, ExitError)]


@pytest.mark.parametrize("kind", _classes())
def test_an_error_of_every_class_survives(kind: type[PolycallError]) -> None:
    error = kind(
        "m", entry_id="app:a", hint="h", kind="Conflict", retryable=True, details={"a": [1]}, guest_traceback="t"
    )
    error.frames = (Frame("app:a", "lua"), Frame("app:b", "wasm"))
    back = decode_error(over_the_wire(encode_error(error)))
    assert type(back) is kind
    assert [getattr(back, name) for name in FIELDS] == [getattr(error, name) for name in FIELDS]
    assert str(back) == str(error)


def test_an_exit_keeps_its_status() -> None:
    error = ExitError(7)
    error.entry_id = "app:a"
    back = decode_error(over_the_wire(encode_error(error)))
    assert isinstance(back, ExitError)
    assert (back.exit_status, back.entry_id, str(back)) == (7, "app:a", str(error))


def test_a_conversion_error_keeps_its_parts_and_an_error_its_causes() -> None:
    error = TrapError("trapped")
    error.__cause__ = ConversionError("$.args[0]", "lower", "u32", '"x"', hint="h")
    cause = decode_error(over_the_wire(encode_error(error))).__cause__
    assert isinstance(cause, ConversionError)
    assert (cause.path, cause.direction, cause.expected, cause.got) == ("$.args[0]", "lower", "u32", '"x"')


def test_an_error_that_came_from_the_other_side_goes_back_as_the_same_object() -> None:
    sent = ToldErrors()
    received = ToldErrors()
    for error in (NotFoundError("a"), GuestError("b")):
        sent.add(error, 10)
        received.add(decode_error(over_the_wire(encode_error(error))), 10)
    wrapper = TrapError("then")
    wrapper.__cause__ = received[0]
    assert decode_error(over_the_wire(encode_error(received[1], received)), sent) is sent[1]
    assert decode_error(over_the_wire(encode_error(wrapper, received)), sent).__cause__ is sent[0]


def test_only_the_last_errors_of_a_call_are_kept() -> None:
    told = ToldErrors()
    for number in range(1000):
        told.add(GuestError(str(number)), 10)
    assert len(told) == 256
    assert decode_error(999, told).message == "999"
    with pytest.raises(MessageError):
        decode_error(0, told)


def test_the_errors_that_are_kept_are_bounded_in_bytes() -> None:
    told = ToldErrors()
    told.add(GuestError("small"), 10)
    for number in range(10):
        told.add(GuestError(str(number)), 1_000_000)
    assert [error.message for error in told.values()] == ["6", "7", "8", "9"]
    assert decode_error(10, told).message == "9"
    told.add(GuestError("huge"), 5_000_000)
    assert not told
    told.add(GuestError("next"), 10)
    assert decode_error(12, told).message == "next"


def test_halves_of_surrogate_pairs_in_the_texts_of_an_error_travel_as_escapes() -> None:
    error = ConversionError("$\ud800", "lower", "text", "\udfff", hint="\ud800h")
    arrived = decode_error(over_the_wire(encode_error(error)))
    assert isinstance(arrived, ConversionError)
    assert (arrived.message, arrived.hint) == ("$\\ud800: expected text, got \\udfff", "\\ud800h")
    assert (arrived.path, arrived.got) == ("$\\ud800", "\\udfff")


def test_an_error_of_a_class_that_is_none_of_ours_becomes_an_internal_one() -> None:
    class OwnError(PolycallError):
        pass

    for error in (OwnError("own"), DeclarationError([Problem("a.yaml", 1, 1, "", "no")])):
        assert decode_error(encode_error(error)).code == "internal"


GOOD = encode_error(GuestError("x"))


@pytest.mark.parametrize(
    "data",
    [
        None, 0, -1, True, "text", [], {}, [1, 2],
        {**GOOD, "code": "nothing"}, {**GOOD, "code": []}, {**GOOD, "message": 1}, {**GOOD, "kind": None},
        {**GOOD, "hint": []}, {**GOOD, "retryable": "yes"}, {**GOOD, "frames": 3}, {**GOOD, "frames": [["a"]]},
        {**GOOD, "frames": [[1, 2]]}, {**GOOD, "frames": [["a", "lua"]] * 65}, {**GOOD, "cause": 7},
        {**GOOD, "code": "conversion"}, {**GOOD, "code": "conversion", "conversion": ["a"]},
        {**GOOD, "code": "conversion", "conversion": [1, 2, 3, 4]},
    ],
)  # fmt: skip
def test_what_is_no_error_is_refused(data: Any) -> None:
    with pytest.raises(MessageError):
        decode_error(data)


def test_causes_are_bounded() -> None:
    data = GOOD
    for _ in range(20):
        data = {**GOOD, "cause": data}
    with pytest.raises(MessageError, match="too many"):
        decode_error(data)
