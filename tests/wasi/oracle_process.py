"""Runs one guest with wasmtime's own WASI: a script for an interpreter that has wasmtime, and nothing of ours.

A process of its own, since that WASI aborts the one that it is in when it is set up wrongly, since a guest that exits
or hangs is then easily ended, and since an older wasmtime than ours must do it where sockets are concerned.

    python oracle_process.py REQUEST ANSWER     both files hold pickled plain values, see `oracle.py`
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import Engine, ExitTrap, Store, WasiConfig, WasmtimeError, _ffi, component


def main(request_file: str, answer_file: str) -> None:
    request: dict[str, Any] = pickle.loads(Path(request_file).read_bytes())
    engine = Engine()
    store = Store(engine)
    store.set_wasi(wasi_of(request))
    store.set_wasi_http()
    linker = component.Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    answer: dict[str, Any] = {"results": [], "exit_status": None, "failure": None}
    try:
        guest = compiled(engine, Path(request["guest"]), Path(request["cache"]))
        instance = linker.instantiate(store, guest)
        for path, arguments in request["calls"] or [((run_interface(engine, guest), "run"), ())]:
            answer["results"].append(call(store, instance, path, arguments))
    except ExitTrap as error:
        answer["exit_status"] = error.code
    except WasmtimeError as error:
        answer["failure"] = str(error)
    Path(answer_file).write_bytes(pickle.dumps(answer))


def compiled(engine: Engine, guest: Path, cache: Path) -> component.Component:
    """Compiles a guest, or finds it compiled: a JavaScript engine takes seconds."""
    digest = hashlib.sha256(guest.read_bytes() + wasmtime.__file__.encode()).hexdigest()
    file = cache / digest
    if file.is_file():
        return component.Component.deserialize_file(engine, str(file))
    made = component.Component.from_file(engine, str(guest))
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = cache / f"{digest}.{os.getpid()}"
    unfinished.write_bytes(made.serialize())
    unfinished.replace(file)
    return made


def wasi_of(request: dict[str, Any]) -> WasiConfig:
    wasi = WasiConfig()
    wasi.argv = request["arguments"]
    wasi.env = list(request["variables"].items())
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    for host, guest, read_only in request["folders"]:
        preopen(wasi, host, guest, read_only=read_only)
    if request["network"]:
        _ffi.wasi_config_inherit_network(wasi.ptr())
        _ffi.wasi_config_allow_ip_name_lookup(wasi.ptr(), True)
    return wasi


def preopen(wasi: Any, host: str, guest: str, *, read_only: bool) -> None:
    older: Any = wasmtime  # which has two enums where ours has a flag
    if not hasattr(older, "DirPerms"):
        wasi.preopen_dir(host, guest, not read_only)
    elif read_only:
        wasi.preopen_dir(host, guest, older.DirPerms.READ_ONLY, older.FilePerms.READ_ONLY)
    else:
        wasi.preopen_dir(host, guest)


def run_interface(engine: Engine, guest: component.Component) -> str:
    return next(name for name in guest.type.exports(engine) if name.startswith("wasi:cli/run@"))


def call(store: Store, instance: component.Instance, path: tuple[str, ...], arguments: tuple[Any, ...]) -> Any:
    index = None
    for name in path:
        index = instance.get_export_index(store, name, index)
    assert index is not None
    function = instance.get_func(store, index)
    assert function is not None
    type_ = function.type(store)
    lowered = [to_wasmtime(of, value) for (_, of), value in zip(type_.params, arguments, strict=True)]
    result = function(store, *lowered)
    return None if type_.result is None else from_wasmtime(type_.result, result)


def to_wasmtime(of: Any, value: Any) -> Any:
    """Brings a value of polycall into the shape that wasmtime wants; what the tests hand over, no more."""
    if isinstance(of, component.RecordType):
        record = component.Record()
        for name, field in of.fields:
            setattr(record, name, to_wasmtime(field, value[name]))
        return record
    if isinstance(of, component.ListType) and not isinstance(value, bytes):
        return [to_wasmtime(of.element, item) for item in value]
    return value


def from_wasmtime(of: Any, value: Any) -> Any:
    """Brings a result of wasmtime into polycall's shape."""
    if isinstance(of, component.RecordType):
        return {name: from_wasmtime(field, getattr(value, name)) for name, field in of.fields}
    if isinstance(of, component.TupleType):
        return [from_wasmtime(field, item) for field, item in zip(of.elements, value, strict=True)]
    if isinstance(of, component.ListType):
        return value if isinstance(value, bytes) else [from_wasmtime(of.element, item) for item in value]
    if isinstance(of, component.OptionType):
        return None if value is None else from_wasmtime(of.payload, value)
    if isinstance(of, component.ResultType | component.VariantType):
        return variant_from_wasmtime(of, value)
    if isinstance(of, component.FlagsType):
        return [name for name in of.names if name in value]
    return value


def variant_from_wasmtime(of: Any, value: Any) -> dict[str, Any]:
    """Finds the case of a variant, which wasmtime leaves out where the class of the payload tells it."""
    is_result = isinstance(of, component.ResultType)
    without = None if is_result else True  # the payload of a case that has none
    for name, payload in of._cases():
        classes: set[type] = set()
        if payload is not None:
            payload.add_classes(classes)
        if isinstance(value, component.Variant):
            found, inner = value.tag == name, value.payload
        else:
            found, inner = (value is None if payload is None else isinstance(value, tuple(classes))), value
        if found:
            return {name: without if payload is None else from_wasmtime(payload, inner)}
    raise ValueError(f"no case of {of} for {value!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
