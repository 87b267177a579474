"""``wasi_snapshot_preview1``: all its functions, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from polycall.wasm_runtime.component.core_function import CoreFunction
from polycall.wasm_runtime.wasi.preview1 import (
    clocks,
    data,
    descriptors,
    environment,
    files,
    folders,
    paths,
    poll,
    process,
    sockets,
)

__all__ = ["PREVIEW1"]

_ROOMS = (environment, clocks, descriptors, data, files, folders, paths, poll, process, sockets)

PREVIEW1: Mapping[str, CoreFunction] = MappingProxyType(
    {name: function for room in _ROOMS for name, function in room.FUNCTIONS.items()}
)
