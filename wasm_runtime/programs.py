"""Binaries and text made into programs: read, hashed and compiled once, however many entries name them."""

from __future__ import annotations

import errno
import hashlib
import os
import weakref

from polycall.interop.aside import Asides
from polycall.interop.confined import ConfinedFolder
from polycall.interop.context import CallContext
from polycall.interop.errors import HashError, NotFoundError, PolycallError, PreparationError
from polycall.interop.locks import Locks
from polycall.interop.program_files import MOST_BINARY_BYTES
from polycall.interop.slow_work import told_if_slow
from polycall.interop.source import SourceText
from polycall.wasm_runtime.binaries import assemble, is_component
from polycall.wasm_runtime.component.plan import Plan
from polycall.wasm_runtime.component.plans import Plans
from polycall.wasm_runtime.engine.compile_cache import CompileCache
from polycall.wasm_runtime.engine.compiler import Compiler, SharedModule
from polycall.wasm_runtime.engine.footprint import Footprint, together
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
from polycall.wasm_runtime.spec import BinaryFile

__all__ = ["CompiledProgram", "Programs"]

_FileIdentity = tuple[int, int, int, int, int]


class CompiledProgram:
    """What one binary is made into; shared by every entry that names it.

    Attributes:
        modules: Its core modules, compiled: those of the plan, or the one that a core module is.
        plan: What an instance of a component does; None for a core module, where that depends on the entry.
        footprint: The memory that its instances take.
    """

    __slots__ = ("__weakref__", "_shared", "footprint", "modules", "plan")

    def __init__(self, shared: tuple[SharedModule, ...], plan: Plan | None, footprint: Footprint) -> None:
        self._shared = shared
        self.modules = tuple(each.module for each in shared)
        self.plan = plan
        self.footprint = footprint


class Programs:
    """Every program of a runtime. Shared by threads: each program is made by one, and only who wants it waits."""

    def __init__(self, engine: WasmEngine, cache: CompileCache) -> None:
        self._compiler = Compiler(engine, cache)
        self._plans = Plans(cache)
        self._locks: Locks[str | BinaryFile] = Locks()
        self._aside: Asides[BinaryFile | SourceText, CompiledProgram] = Asides()
        self._digests: dict[_FileIdentity, str] = {}
        self._compiled: weakref.WeakValueDictionary[str, CompiledProgram] = weakref.WeakValueDictionary()

    def load(self, code: BinaryFile | SourceText, context: CallContext) -> CompiledProgram:
        """Returns the compiled program of a binary or a text.

        Nothing interrupts a compilation: when the call is over first, it goes on for the next one that wants it.

        Args:
            code: What to compile.
            context: The call that waits for it.

        Raises:
            DeadlineError, CancelledError: The call is over.
            NotFoundError: The binary is not there.
            HashError: It is not the one that the entry declares.
            PreparationError: It cannot be read, assembled or compiled.
        """
        return self._aside.done(code, lambda: self._load(code), context, f"{code.name} to be compiled")

    def _load(self, code: BinaryFile | SourceText) -> CompiledProgram:
        if isinstance(code, SourceText):
            binary = assemble(code)
            return self._program(hashlib.sha256(binary).hexdigest(), binary, code.name)
        with self._locks.of(code):  # of many entries that name a file, one reads it
            return self._from_file(code)

    def _from_file(self, file: BinaryFile) -> CompiledProgram:
        try:
            descriptor = ConfinedFolder(file.folder).open(file.path, os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as opened:
                identity = _identity(os.fstat(descriptor))
                if identity[-1] > MOST_BINARY_BYTES:
                    raise OSError(errno.EFBIG, f"it has more than {MOST_BINARY_BYTES:,} bytes")
                digest = self._digests.get(identity, "")
                program = self._compiled.get(digest)
                binary = b"" if program else opened.read(MOST_BINARY_BYTES)
        except OSError as error:
            raise _unreadable(file, error) from error
        if program is None:
            digest = self._digests[identity] = hashlib.sha256(binary).hexdigest()
        if digest != file.hash.partition(":")[2].lower():
            raise HashError(
                f"{file.name}: expected {file.hash}, got sha256:{digest}",
                hint="if the file was rebuilt on purpose, polycall hash --write puts the new hash into the entry",
            )
        return program or self._program(digest, binary, file.name)

    def _program(self, digest: str, binary: bytes, name: str) -> CompiledProgram:
        with self._locks.of(digest):
            program = self._compiled.get(digest)
            if program is None:
                program = self._compiled[digest] = self._told(digest, binary, name)
            return program

    def _told(self, digest: str, binary: bytes, name: str) -> CompiledProgram:
        try:
            with told_if_slow(f"{shown(name)} is being compiled: this takes a while, once"):
                return self._made(digest, binary)
        except PreparationError as error:
            raise PreparationError(f"{name} {error.message}", hint=error.hint) from error

    def _made(self, digest: str, binary: bytes) -> CompiledProgram:
        if not is_component(binary):
            from polycall.wasm_runtime.component.core_module import read_core_module  # noqa: PLC0415  # as in `Plans`

            module = self._compiler.module(digest, binary)
            return CompiledProgram((module,), None, read_core_module(binary).footprint)
        plan, digests = self._plans.of(digest, binary)
        parts = (memoryview(binary)[start:end] for start, end in plan.modules)
        shared = tuple(map(self._compiler.module, digests, parts))
        return CompiledProgram(shared, plan, together(plan.footprints))


def _identity(status: os.stat_result) -> _FileIdentity:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def _unreadable(file: BinaryFile, error: OSError) -> PolycallError:
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"{file.name}: no such file")
    return PreparationError(f"{file.name} cannot be read: {error.strerror or error}").at("path")
