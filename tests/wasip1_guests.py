"""Core modules that call WASI preview 1, made for a test: a list of calls with what lies in memory before, and after.

steps = Steps()
done = steps.call("fd_write", 1, steps.buffers(steps.text("hello")), 1, OUT).run()
done.errnos == [0]
done.u32(OUT) == 5
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from polycall.interop.confined import ConfinedFolder
from polycall.interop.context import CallContext, Cancellation, deadline_in
from polycall.interop.errors import NotFoundError
from polycall.interop.ids import EntryId
from polycall.interop.source import SourceText
from polycall.wasm_runtime.function import WasmFunction, WasmInstance
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.spec import WasiEnvSpec, WasiLimitsSpec, WasiMountSpec, WasiSpec, WasmProgram
from polycall.wasm_runtime.wasi.console import Console
from polycall.wasm_runtime.wasi.preview1.interface import PREVIEW1
from wasm_guests import NobodyToCall

__all__ = ["OUT", "At", "Done", "Host", "Steps", "at", "imports"]

OUT = 1024
"""Where results go that a test has no other place for."""

_TEXTS = 4096
_ERRNOS = 60_000
_RESULT = 65_000
_PAGE = 65_536
_MODULE = "wasi_snapshot_preview1"


class At(NamedTuple):
    """An argument that stands in memory, such as a descriptor that a step before has opened."""

    address: int


def at(address: int = OUT) -> At:
    """Returns an argument that is read from memory when its step comes."""
    return At(address)


def imports(names: Sequence[str]) -> str:
    """Returns the imports of some functions, each with its own type, as WebAssembly text."""
    lines = []
    for name in names:
        parameters, results = PREVIEW1[name].core_type
        result = f" (result {results[0]})" if results else ""
        lines.append(
            f'(import "{_MODULE}" "{name}" (func ${name} (param {" ".join(parameters)}){result}))'
            if parameters
            else f'(import "{_MODULE}" "{name}" (func ${name}{result}))'
        )
    return "\n".join(lines)


@dataclass
class Host:
    """What stands around a guest.

    Attributes:
        folders: What it sees: guest path to folder; those that end in ``:ro`` are read-only.
        variables: Its environment.
        arguments: Its arguments.
        granted: Whether it may use preview 1.
        console: Its stdin, stdout and stderr; None for its entry's log.
        limits: Of ``wasi.limits``.
    """

    folders: Mapping[str, Path] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    granted: bool = True
    console: Console | None = None
    limits: WasiLimitsSpec = field(default_factory=WasiLimitsSpec)

    @contextmanager
    def instance(self, source: str, method: str = "run", wit: str | None = None) -> Iterator[WasmInstance]:
        """Lends an instance of a core module."""
        with self.function(source, method, wit) as function, closing(function.instantiate(None, self.console)) as one:
            yield one

    @contextmanager
    def function(self, source: str, method: str = "run", wit: str | None = None) -> Iterator[WasmFunction]:
        """Lends a core module, ready to be made instances of."""
        mounts = [
            WasiMountSpec(EntryId("t", str(place)), guest.removesuffix(":ro"), guest.endswith(":ro"))
            for place, guest in enumerate(self.folders)
        ]
        env = [WasiEnvSpec(EntryId("t", name), name) for name in self.variables]
        program = WasmProgram(
            entry_id="t:guest",
            code=SourceText(source, "guest.wat"),
            method=method,
            wit=wit,
            grants=frozenset({"wasi1"} if self.granted else ()),
            wasi=WasiSpec(args=self.arguments, mounts=tuple(mounts), env=tuple(env), limits=self.limits),
        )
        with tempfile.TemporaryDirectory() as cache:
            runtime = WasmRuntime(NobodyToCall(), Path(cache), services=_Services(self))
            with closing(runtime):
                yield runtime.prepare(program)


class _Services:
    def __init__(self, host: Host) -> None:
        self._folders = list(host.folders.values())
        self._variables = host.variables

    @property
    def environment(self) -> Any:
        return self

    @property
    def file_systems(self) -> Any:
        return self

    @property
    def entries(self) -> Any:
        raise NotImplementedError

    def get(self, name: str, namespace: str | None = None) -> str:
        found = self._variables.get(name.removeprefix("t:"))
        if found is None:
            raise NotFoundError(name)
        return found

    def folder(self, name: str, namespace: str | None = None) -> ConfinedFolder:
        return ConfinedFolder(self._folders[int(name.removeprefix("t:"))])


@dataclass(frozen=True)
class Done:
    """What became of the steps.

    Attributes:
        errnos: What each returned.
        memory: The guest's memory afterwards.
    """

    errnos: list[int]
    memory: bytes

    def u32(self, address: int = OUT) -> int:
        """Returns a number of the memory."""
        found: int = struct.unpack_from("<I", self.memory, address)[0]
        return found

    def u64(self, address: int = OUT) -> int:
        """Returns a number of the memory."""
        found: int = struct.unpack_from("<Q", self.memory, address)[0]
        return found

    def text(self, address: int, size: int) -> bytes:
        """Returns bytes of the memory."""
        return self.memory[address : address + size]


class Steps:
    """A list of calls, all in one call of the guest."""

    def __init__(self, host: Host | None = None) -> None:
        self.host = host or Host()
        self._calls: list[tuple[str, tuple[int | At, ...]]] = []
        self._data: dict[int, bytes] = {}
        self._next = _TEXTS

    def put(self, data: bytes, address: int | None = None) -> int:
        """Puts bytes into the memory, for the start; returns where they are."""
        if address is None:
            address = self._next
            self._next = -(-(address + len(data)) // 8) * 8
        self._data[address] = data
        return address

    def text(self, text: str) -> tuple[int, int]:
        """Puts a text into the memory; returns where it is and how long."""
        data = text.encode()
        return self.put(data), len(data)

    def buffers(self, *found: tuple[int, int]) -> int:
        """Puts a list of buffers into the memory; returns where it is."""
        return self.put(b"".join(struct.pack("<II", *each) for each in found))

    def call(self, name: str, *arguments: int | At) -> Steps:
        """Adds a step."""
        self._calls.append((name, arguments))
        return self

    def open(
        self,
        path: str,
        *,
        how: int = 0,
        rights: int = 2,
        flags: int = 0,
        fd: int | At = 3,
        out: int = OUT,
        lookup: int = 0,
    ) -> Steps:
        """Adds a step that opens something, its descriptor at `out`."""
        return self.call("path_open", fd, lookup, *self.text(path), how, rights, 2**30 - 1, flags, out)

    def source(self) -> str:
        """Returns the guest as WebAssembly text."""
        body = "\n".join(self._step(place, *each) for place, each in enumerate(self._calls))
        placed = {**self._data, _RESULT: struct.pack("<II", 0, _PAGE)}
        data = "\n".join(f'(data (i32.const {where}) "{_escaped(found)}")' for where, found in placed.items())
        return f"""(module {imports(list(dict.fromkeys(name for name, _ in self._calls)))}
            (memory (export "memory") 1)
            {data}
            (func (export "run") (result i32) {body} (i32.const {_RESULT})))"""

    def _step(self, place: int, name: str, arguments: tuple[int | At, ...]) -> str:
        parameters, results = PREVIEW1[name].core_type
        given = " ".join(
            f"({kind}.load (i32.const {each.address}))" if isinstance(each, At) else f"({kind}.const {each})"
            for kind, each in zip(parameters, arguments, strict=True)
        )
        call = f"(call ${name} {given})"
        return f"(i32.store (i32.const {_ERRNOS + 4 * place}) {call})" if results else call

    def run(self, seconds: float | None = 10, cancellation: Cancellation | None = None) -> Done:
        """Runs the steps in a fresh instance."""
        with self.host.instance(self.source(), wit="run: func() -> list<u8>") as instance:
            return self.run_in(instance, seconds, cancellation)

    def run_in(
        self, instance: WasmInstance, seconds: float | None = 10, cancellation: Cancellation | None = None
    ) -> Done:
        """Runs the steps in an instance of theirs."""
        deadline = None if seconds is None else deadline_in(seconds)
        memory = instance.call((), CallContext("t:guest", "wasm", None, deadline, cancellation))
        assert isinstance(memory, bytes)
        errnos = list(struct.unpack_from(f"<{len(self._calls)}I", memory, _ERRNOS))
        return Done(errnos, memory)


def _escaped(data: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in data)
