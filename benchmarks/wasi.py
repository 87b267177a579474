"""What guests pay for WASI: files, HTTP, the clock, instances; next to wasmtime-py with its native WASI.

python -m benchmarks.wasi
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import wasmtime
from wasmtime import _ffi, component

import polycall
from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show
from benchmarks.plain import caching_engine
from benchmarks.project import BUILT, GUESTS

__all__ = ["measure"]

_MIB = 1024 * 1024
_GROUPS = ("cli", "clocks", "filesystem", "http", "io", "random", "sockets")
_GUESTS = ("c-libc.wasm", "js-script.wasm")
_LONG_ROUNDS = 5
_FEWEST_ROUNDS = 3
_TICKS = 100_000
_EXAMPLE = GUESTS.parents[1] / "examples" / "10-sleepers" / "nap.wat"
_SLEEPERS = 1_000

_INDEX = """
namespace: bench
entries:
  - {{name: guests, kind: fs.directory, directory: guests}}
  - {{name: data, kind: fs.directory, directory: data}}
  - {{name: file, kind: function.wasm, fs: guests, path: c-libc.wasm, hash: "{libc}", method: copy-through,
     imports: [{groups}], wasi: {{mounts: [{{fs: data, guest: /data}}]}}}}
  - {{name: http, kind: function.wasm, fs: guests, path: js-script.wasm, hash: "{script}", method: evaluate,
     imports: [{groups}], wasi: {{network: {{allow: [loopback]}}}}}}
  - {{name: granted, kind: function.wasm, fs: guests, path: js-script.wasm, hash: "{script}", method: evaluate,
     imports: [{groups}], pool: {{type: inline}}}}
  - {{name: bare, kind: function.wasm, fs: guests, path: js-script.wasm, hash: "{script}", method: evaluate,
     pool: {{type: inline}}}}
  - {{name: nap, kind: function.wat, source: file://nap.wat, method: nap, imports: ["wasi:clocks", "wasi:io"],
     pool: {{type: inline}}}}
  - {{name: ticks, kind: function.wat, source: file://ticks.wat, method: ticks, imports: ["wasi:clocks"]}}
"""

_GET = """
var {{ Fields, OutgoingRequest }} = wasi.http.types;
var request = new OutgoingRequest(new Fields());
request.setScheme({{ tag: "HTTP" }});
request.setAuthority("127.0.0.1:{port}");
request.setPathWithQuery("/");
var future = wasi.http.outgoingHandler.handle(request, null);
var answered = future.subscribe();
answered.block();
var answer = future.get().val.val;
var body = answer.consume();
var stream = body.stream();
var size = 0;
try {{
  for (;;) size += stream.blockingRead(65536).length;
}} catch (error) {{
  if (error.payload.tag !== "closed") throw error;
}}
for (var each of [stream, body, answer, answered, future]) each[Symbol.dispose]?.();
size
"""

_SERVER = """
import os, socket, sys
size = int(sys.argv[1])
head = b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\nconnection: close\\r\\n\\r\\n" % size
body = bytes(size)
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            while b"\\r\\n\\r\\n" not in connection.recv(65536):
                pass
            connection.sendall(head + body)
"""


def measure(effort: Effort) -> list[Measurement]:
    """Measures guests that read, write, fetch, ask the time and start."""
    long = replace(effort, rounds=min(effort.rounds, _LONG_ROUNDS))
    with _project() as (registry, folder), _server(16 * _MIB // effort.scale) as port:
        return [
            *compare(_clock(registry, effort), effort),
            *compare(_fresh(registry), effort),
            *compare(_files(registry, folder, effort), long),
            *compare(_http(registry, port), long),
            *compare(_asleep(registry, effort), replace(long, rounds=min(effort.rounds, _FEWEST_ROUNDS))),
        ]


@contextmanager
def _project() -> Iterator[tuple[polycall.Registry, Path]]:
    with TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("guests", "data", "theirs"):
            (folder / name).mkdir()
        hashes = {}
        for name in _GUESTS:
            shutil.copy(BUILT / name, folder / "guests" / name)
            digest = hashlib.sha256((BUILT / name).read_bytes()).hexdigest()
            hashes[name.removesuffix(".wasm").partition("-")[2]] = f"sha256:{digest}"
        for source in (GUESTS / "ticks.wat", _EXAMPLE):
            shutil.copy(source, folder)
        groups = ", ".join(f'"wasi:{name}"' for name in _GROUPS)
        (folder / "_index.yaml").write_text(_INDEX.format(groups=groups, **hashes), encoding="utf-8")
        with polycall.load(folder) as registry:
            yield registry, folder


@contextmanager
def _server(size: int) -> Iterator[int]:
    """Serves one body on loopback, in a process of its own: threads of this one would take turns with the guests."""
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(size)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


# --- wasmtime-py ---


def _native(guest: str, export: str, folder: Path | None = None) -> Callable[..., Any]:
    """Returns an export of a component that has wasmtime's own WASI."""
    engine = caching_engine()
    store = wasmtime.Store(engine)
    wasi = wasmtime.WasiConfig()
    if folder is not None:
        wasi.preopen_dir(str(folder), "/data", True)
    store.set_wasi(wasi)
    store.set_wasi_http()
    linker: Any = component.Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    path = BUILT / guest if guest.endswith(".wasm") else GUESTS / guest
    compiled = component.Component.from_file(engine, str(path))
    function = linker.instantiate(store, compiled).get_func(store, export)
    if function is None:
        raise LookupError(f"{guest} has no export {export}")
    return partial(function, store)


def _cheapest_callback() -> Callable[[int], object]:
    """Returns a loop around what a host function costs at least: the engine's unchecked callback, and no more."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    one = (1).to_bytes(16, "little")

    def answer(_environment: int, _caller: int, slots: Any, _count: int) -> int:
        ctypes.memmove(slots, one, 16)
        return 0  # no trap

    kept = _ffi.wasmtime_func_unchecked_callback_t(answer)
    made = _ffi.wasmtime_func_t()
    wanted = wasmtime.FuncType([], [wasmtime.ValType.i64()])
    nothing = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(0)
    _ffi.wasmtime_func_new_unchecked(store._context(), wanted.ptr(), kept, None, nothing, ctypes.byref(made))
    text = """(module (import "h" "now" (func $now (result i64)))
      (func (export "ticks") (param i32)
        (loop $again (drop (call $now)) (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
    module = wasmtime.Module(engine, text)
    function = wasmtime.Instance(store, module, [wasmtime.Func._from_raw(made)]).exports(store)["ticks"]
    assert isinstance(function, wasmtime.Func)

    def loop(times: int, _kept: object = kept) -> object:
        return function(store, times)

    return loop


# --- cases ---


def _clock(registry: polycall.Registry, effort: Effort) -> list[Case]:
    times, least = _TICKS // effort.scale, "the cheapest host callback"
    ticks = partial(registry.call, "bench:ticks", times)
    return [
        Case(least, partial(_cheapest_callback(), times), calls=times),
        Case("polycall: the clock, by a guest", ticks, least, times),
        Case("wasmtime-py: the clock, by a guest", partial(_native("ticks.wat", "ticks"), times), least, times),
    ]


def _fresh(registry: polycall.Registry) -> list[Case]:
    bare, granted = (registry._dispatcher.prepared(f"bench:{name}", None, None) for name in ("bare", "granted"))
    without = "polycall: a fresh instance without WASI"
    return [
        Case(without, lambda: bare.instantiate().close()),
        Case("polycall: a fresh instance with all of it", lambda: granted.instantiate().close(), without),
    ]


def _files(registry: polycall.Registry, folder: Path, effort: Effort) -> list[Case]:
    size, alone = 64 * _MIB // effort.scale, "wasmtime-py: 64 MiB written and read"
    native = _native("c-libc.wasm", "copy-through", folder / "theirs")
    return [
        Case(alone, lambda: native("/data/file", size)),
        Case("polycall: 64 MiB written and read", lambda: _ok(registry.call("bench:file", "/data/file", size)), alone),
    ]


def _http(registry: polycall.Registry, port: int) -> list[Case]:
    alone, script = "wasmtime-py: GET of 16 MiB", _GET.format(port=port)
    native = _native("js-script.wasm", "evaluate")
    return [
        Case(alone, lambda: native(script)),
        Case("polycall: GET of 16 MiB", lambda: _ok(registry.call("bench:http", script)), alone),
    ]


def _asleep(registry: polycall.Registry, effort: Effort) -> list[Case]:
    count, milliseconds = _SLEEPERS // effort.scale, 1_000 // effort.scale

    async def asleep() -> None:
        await asyncio.gather(*(registry.call_async("bench:nap", milliseconds) for _ in range(count)))

    def threads() -> None:
        with ThreadPoolExecutor(count) as executor:
            list(executor.map(time.sleep, [milliseconds / 1e3] * count))

    alone = "1,000 threads that sleep for 1 s"
    return [
        Case(alone, threads),
        Case("polycall: 1,000 guests that sleep for 1 s", lambda: asyncio.run(asleep()), alone),
    ]


def _ok(result: polycall.Value) -> None:
    if not isinstance(result, dict) or "ok" not in result:
        raise ValueError(f"the guest failed: {result!r}")


if __name__ == "__main__":
    show(measure(FULL))
