"""A core module of preview 1 as a component of WASI 0.2: wrapped by wasm-tools, with jco's copy of the adapter.

Both come with the tools of `tests/guests/build.py`, at the versions that are pinned there; `install_tools` installs
them if they are not there yet, which takes npm and the network.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from guests.build import ADAPTER, TOOLS, tool

__all__ = ["ADAPTER_FAILURES", "adapt"]

_MEMORY = "the adapter keeps its state where AssemblyScript's allocator believes that memory is free"
ADAPTER_FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "assemblyscript/args_get-multiple-arguments": _MEMORY,
        "assemblyscript/environ_get-multiple-variables": _MEMORY,
        "assemblyscript/fd_write-to-invalid-fd": "the adapter writes no buffers without a look at the descriptor",
    }
)
"""What fails in the adapter, in any engine, and why."""


def adapt(binary: Path, folder: Path) -> Path:
    """Returns the component that a core module becomes.

    Args:
        binary: The core module, a command.
        folder: Where the component is put.

    Raises:
        subprocess.CalledProcessError: It cannot be wrapped.
    """
    adapter = f"wasi_snapshot_preview1={TOOLS / ADAPTER.format('command')}"
    component = folder / binary.name
    command = (tool("wasm-tools"), "component", "new", binary, "--adapt", adapter, "-o", component)
    subprocess.run(command, check=True, capture_output=True, text=True)
    return component
