"""Core modules compiled: each once, for every component that holds it, and kept on disk."""

from __future__ import annotations

import hashlib
import platform
import weakref
from pathlib import Path

import wasmtime

from polycall.interop.errors import PreparationError
from polycall.interop.forks import watch_forks
from polycall.interop.locks import Locks
from polycall.wasm_runtime.engine.compile_cache import CompileCache
from polycall.wasm_runtime.engine.engine_version import engine_version
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

__all__ = ["Compiler", "SharedModule"]

_SHOWN_CHARACTERS = 1_000
_SMALL_BYTES = 128 * 1024


class SharedModule:
    """A compiled core module, for as long as somebody uses it: whoever takes `module` out keeps this as well.

    The compiler refers weakly to this and not to the module. wasmtime's objects free what they stand for when they are
    finalized, and a weak reference still gives out an object that is being finalized: another thread would get a module
    that is freed. This has nothing to finalize: its weak references are gone before the module is let go.

    Attributes:
        module: wasmtime's.
    """

    __slots__ = ("__weakref__", "module")

    def __init__(self, module: wasmtime.Module) -> None:
        self.module = module


class Compiler:
    """The machine code of core modules, by the digest of their bytes. Shared by threads.

    Two threads that want the same module compile it once. Threads that want different ones do not wait for each other.
    """

    def __init__(self, engine: WasmEngine, cache: CompileCache) -> None:
        """Compiles nothing yet.

        Args:
            engine: What the modules are for.
            cache: Where they are kept.
        """
        self._engine = engine.engine
        self._compiler: wasmtime.Engine | None = engine.engine
        self._alone = engine.alone
        self._cache = cache
        self._settings = (
            engine_version(),
            engine.settings,
            platform.system(),
            platform.machine(),
        )
        self._locks: Locks[str] = Locks()
        self._modules: weakref.WeakValueDictionary[str, SharedModule] = weakref.WeakValueDictionary()
        watch_forks(self)

    def after_fork(self) -> None:
        """Has forked children compile alone: the engine would wait for threads of its own that are not there."""
        self._compiler = None

    def module(self, digest: str, binary: bytes | memoryview) -> SharedModule:
        """Returns a module.

        Args:
            digest: The sha256 of its bytes, in hexadecimal.
            binary: Its bytes.

        Raises:
            PreparationError: It does not compile.
        """
        with self._locks.of(digest):
            shared = self._modules.get(digest)
            if shared is None:
                key = hashlib.sha256("\n".join(("module", digest, *self._settings)).encode()).hexdigest()
                shared = self._modules[digest] = SharedModule(self._kept(key) or self._compiled(key, binary))
            return shared

    def _kept(self, key: str) -> wasmtime.Module | None:
        found = self._cache.find(key)
        if isinstance(found, Path):
            try:
                return wasmtime.Module.deserialize_file(self._engine, str(found))
            except (wasmtime.WasmtimeError, UnicodeEncodeError):
                # A file system may forbid to run what is mapped from it ("noexec"), a path may be more than UTF-8; or
                # the file is gone by now. What is read into memory has nothing to do with that.
                found = self._cache.load(key)
        try:
            return None if found is None else wasmtime.Module.deserialize(self._engine, found)
        except wasmtime.WasmtimeError as error:
            self._cache.reject(key, _one_line(str(error)))
            return None

    def _compiled(self, key: str, binary: bytes | memoryview) -> wasmtime.Module:
        # The engine's threads take one thing after the other: what is small would wait there for what is large, and
        # is compiled at once in the thread that wants it.
        compiler = (None if len(binary) < _SMALL_BYTES else self._compiler) or self._alone()
        try:
            module = wasmtime.Module(compiler, bytes(binary))
            content = module.serialize()
        except wasmtime.WasmtimeError as error:
            raise PreparationError(f"does not compile: {_one_line(str(error))}") from error
        self._cache.store(key, content)
        return module if compiler is self._engine else wasmtime.Module.deserialize(self._engine, content)


def _one_line(message: str) -> str:
    lines = (line.strip() for line in message[:_SHOWN_CHARACTERS].splitlines())
    return shown(": ".join(line for line in lines if line and line != "Caused by:"), _SHOWN_CHARACTERS)
