"""What is fuzzed: everything that reads what others wrote. Only errors of polycall's may come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from echo_components import PADDING, echo_component_wat
from fuzz.choices import Choices
from lua_guests import FakeInvoker, body, program
from polycall.interop.context import CallContext
from polycall.interop.errors import InternalError, PolycallError
from polycall.lua_runtime.runtime import LuaRuntime
from polycall.registry.binary_hashes import binary_hashes, write_hashes
from polycall.registry.isolation.error_data import decode_error
from polycall.registry.isolation.messages import MessageError, Reader, pack
from polycall.registry.reading.load import load_index
from polycall.registry.services.dotenv import read_dotenv, with_value
from polycall.registry.services.guest_yaml import GuestYaml
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.wit.wit_parser import parse_wit
from wasm_guests import NobodyToCall, prepare

__all__ = ["TARGETS", "Run", "Target"]

Run = Callable[[bytes], None]
"""Takes an input; what it raises is a fault."""


class Target(NamedTuple):
    """One thing to fuzz.

    Attributes:
        open: Makes it ready, with an empty folder of its own.
        seeds: Inputs to begin with.
    """

    open: Callable[[Path], Run]
    seeds: tuple[bytes, ...]


_PROJECT = b"""namespace: app
meta: &m {team: shop, tags: [a, "b", 'c']}
entries:
  - {name: main, kind: function.lua, meta: *m, source: "return { f = 1 }", method: f, modules: [json], pool: {size: 2}}
  - name: lib
    kind: library.lua
    source: |
      return {}
  - {name: files, kind: fs.directory, directory: ., mode: "0755"}
  - name: guest
    kind: function.wasm
    fs: files
    path: guest.wasm # here
    method: f
    imports: [funcs]
    limits: {max_execution_ms: 100}
"""
_JSON_LIKE = b"""{"namespace": "app", "entries": [{"name": "files", "kind": "fs.directory", "directory": "."},
 {"name": "g", "kind": "function.wasm", "fs": "files", "path": "guest.wasm", "hash": "", "method": "f"}]}"""


@contextmanager
def _errors_allowed() -> Iterator[None]:
    """Lets errors of polycall's pass, but not the one that says there is a fault in polycall."""
    try:
        yield
    except InternalError:
        raise
    except PolycallError:
        pass


def _project_file(folder: Path) -> Path:
    (folder / "guest.wasm").write_bytes(b"\0asm\x01\0\0\0")
    return folder / "_index.yaml"


def _yaml(folder: Path) -> Run:
    file = _project_file(folder)

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with _errors_allowed():
            load_index(folder)

    return run


def _hashes(folder: Path) -> Run:
    file = _project_file(folder)

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with _errors_allowed():
            write_hashes(binary_hashes(folder))
            if any(found.differs for found in binary_hashes(folder)):
                raise AssertionError("a hash that was written is not the one that is read")

    return run


def _wit(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        with _errors_allowed():
            parse_wit(data.decode("utf-8", "surrogateescape"))

    return run


def _dotenv(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        text, _, value = data.decode("utf-8", "replace").partition("\x01")
        read_dotenv(text)
        try:
            changed = with_value(text, "A", value)
        except ValueError as error:
            if not ('"' in text or "'" in text):
                raise AssertionError("refused without reason") from error
            return
        if read_dotenv(changed).get("A") != value:
            raise AssertionError("a value that was written is not the one that is read")

    return run


def _messages(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        reader = Reader()
        with suppress(MessageError):
            reader.feed(data)
            while (message := reader.read_checked()) is not None:
                decode_error(message[-1])

    return run


def _lua(_folder: Path) -> Run:
    function = LuaRuntime(FakeInvoker(), GuestYaml()).prepare(program(body("return ...")))
    instance = function.instantiate()

    def run(data: bytes) -> None:
        nonlocal instance
        with _errors_allowed():
            instance.call([Choices(data).value()], CallContext("app:main", "lua"))
        if instance.poisoned:
            instance = function.instantiate()

    return run


_TYPES = (
    *("bool", "s8", "u64", "f32", "f64", "char", "string", "list<u8>", "list<string>"),
    *("option<option<u32>>", "tuple<u8, string>", "result<list<s16>, string>", "result", "list<tuple<char, f32>>"),
)


def _components(folder: Path) -> Run:
    runtime = WasmRuntime(NobodyToCall(), folder)
    functions = [
        prepare(runtime, echo_component_wat(parse_wit(f"f: func(v: {text})")["f"].params[0][1]), "echo")
        for text in _TYPES
    ]

    def run(data: bytes) -> None:
        choices = Choices(data)
        instance = functions[choices.below(len(functions))].instantiate()
        with _errors_allowed():
            instance.call([choices.value(), *PADDING], CallContext("app:guest", "wasm"))
        instance.close()

    return run


_WIT = (
    b"export add: func(a: s32, b: list<option<tuple<u8, string>>>) -> result<u32, string>; // why\nf: func(%l: char);"
)
_DOTENV = b'A=1\nexport B = \'x\' # why\nA="a\\n\\"b" \nC=plain # text\x01new\nvalue'
_ERROR = {
    **{"code": "trap", "message": "m", "kind": "Internal", "entry_id": "a:b", "hint": None, "guest_traceback": None},
    **{"retryable": None, "details": {"a": [1, 2**63, b"x"]}, "frames": [["a:b", "lua"]], "cause": None},
    **{"conversion": None, "key": None, "returned": False},
}
_VALUES = (bytes(4), b"\x07\x03\x05\x03abc\x06\x02xy\x02\x05", b"\x08\x02\x02\x08\x01\x03\x01\x01\x04" + bytes(8))

TARGETS: Mapping[str, Target] = {
    "yaml": Target(_yaml, (_PROJECT, _JSON_LIKE)),
    "hashes": Target(_hashes, (_PROJECT, _JSON_LIKE)),
    "wit": Target(_wit, (_WIT,)),
    "dotenv": Target(_dotenv, (_DOTENV,)),
    "messages": Target(_messages, (pack("error", _ERROR, "$"), pack("value", [1.5, "é", {}], "$"))),
    "lua": Target(_lua, _VALUES),
    "components": Target(_components, tuple(bytes([index]) + b"\x05\x03abc" for index in range(len(_TYPES)))),
}
