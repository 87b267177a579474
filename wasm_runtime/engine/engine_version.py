"""Which version of the engine is installed: what was compiled or planned with another one is of no use."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import wasmtime

__all__ = ["engine_version"]


@cache
def engine_version() -> str:
    """Returns the version of the package ``wasmtime``.

    Its folder of metadata has it in its name. `importlib.metadata` looks there as well, and loads what reads e-mail
    and archives: a twentieth of what a call from the command line takes.

    Raises:
        PackageNotFoundError: The package is there, and nothing that says which it is.
    """
    folders = list(Path(wasmtime.__file__).parent.parent.glob("wasmtime-*.dist-info"))
    if len(folders) == 1:
        return folders[0].name.removeprefix("wasmtime-").removesuffix(".dist-info")
    from importlib.metadata import version  # noqa: PLC0415  # see above

    return version("wasmtime")
