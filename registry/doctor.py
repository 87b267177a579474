"""Whether polycall's surroundings are sound: versions, engines, the cache, and names that other packages claim."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import registry
from interop.errors import PolycallError
from registry.registry import load
from wasm_runtime.compile_cache import CompileCache, default_cache_directory

__all__ = ["Diagnosis", "examine"]

_PACKAGES = ("interop", "lua_runtime", "polycall", "registry", "wasm_runtime")
_EXTRA = re.compile(r"""\s*(?P<name>[A-Za-z0-9._-]+).*;.*\bextra\s*==\s*["'](?P<extra>[^"']+)["']""")

_PROBE = """
namespace: doctor
entries:
  - name: lua
    kind: function.lua
    source: "return { version = function() return _VERSION end }"
    method: version
  - name: component
    kind: function.wat
    source: |
      (component
        (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
        (core instance $i (instantiate $m))
        (func (export "add") (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "add"))))
    method: add
"""
"""A project that uses both engines in the way that every project does."""


class Diagnosis(NamedTuple):
    """What was found of one thing.

    Attributes:
        name: The thing.
        status: ``broken`` keeps polycall from working, ``warning`` may.
        value: What was found.
        hint: What would mend it, or None.
    """

    name: str
    status: Literal["ok", "warning", "broken"]
    value: str
    hint: str | None = None


def examine() -> Iterator[Diagnosis]:
    """Looks at one thing after the other, and yields what was found; nothing is changed."""
    yield Diagnosis("python", "ok", f"{platform.python_version()} ({platform.python_implementation()})")
    yield Diagnosis("platform", "ok", platform.platform())
    for distribution in ("polycall", "wasmtime", "lupa"):
        yield _version(distribution)
    yield from _engines()
    yield _cache(default_cache_directory())
    yield from _imports()
    yield from _extras()


def _version(distribution: str) -> Diagnosis:
    try:
        return Diagnosis(distribution, "ok", importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return Diagnosis(distribution, "broken", "not installed", f"pip install {distribution}")


def _engines() -> Iterator[Diagnosis]:
    with tempfile.TemporaryDirectory(prefix="polycall-doctor-") as folder:
        (Path(folder) / "_index.yaml").write_text(_PROBE, encoding="utf-8")
        with load(folder, cache_directory=Path(folder) / "cache") as project:
            yield _tried("Lua", lambda: project.call("doctor:lua"), "Lua 5.4")
            yield _tried("components", lambda: project.call("doctor:component", 2, 3), 5)


def _tried(name: str, run: Callable[[], object], expected: object) -> Diagnosis:
    try:
        result = run()
    except (PolycallError, ImportError, OSError) as error:
        return Diagnosis(
            name, "broken", f"{type(error).__name__}: {error}", "reinstall polycall and what it depends on"
        )
    if result != expected:
        return Diagnosis(name, "broken", f"expected {expected!r}, got {result!r}")
    return Diagnosis(name, "ok", f"runs {expected}" if isinstance(expected, str) else "compile and run")


def _cache(folder: Path) -> Diagnosis:
    files = list(folder.glob("*.compiled")) if folder.is_dir() else []
    size_bytes = sum(file.stat().st_size for file in files)
    what = f"{folder}, {len(files)} compiled, {size_bytes / 2**20:.1f} MiB"
    obstacle = CompileCache(folder).obstacle()
    if obstacle is None:
        return Diagnosis("cache", "ok", what)
    hint = "without it every start compiles anew; set POLYCALL_CACHE_DIR to a folder of your own"
    return Diagnosis("cache", "warning", f"{folder} cannot be used: {obstacle}", hint)


def _imports() -> Iterator[Diagnosis]:
    """Says where polycall's own packages come from, and who else has one of the same name."""
    home = Path(registry.__file__).resolve().parents[1]
    claims = importlib.metadata.packages_distributions()
    for name in _PACKAGES:
        origin = _origin(name)
        others = sorted({other for other in claims.get(name, ()) if other.lower() != "polycall"})
        hint = f"install polycall in a virtual environment without {', '.join(others) or 'what else has that name'}"
        if origin is None or home not in Path(origin).resolve().parents:
            yield Diagnosis(f"import {name}", "broken", f"comes from {origin}, not from {home}", hint)
        elif others:
            found = f"the distribution {', '.join(others)} has a package of the same name"
            yield Diagnosis(f"import {name}", "warning", found, hint)
        else:
            yield Diagnosis(f"import {name}", "ok", str(Path(origin).parent))


def _origin(name: str) -> str | None:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return found.origin if found else None


def _extras() -> Iterator[Diagnosis]:
    for requirement in importlib.metadata.requires("polycall") or ():
        extra = _EXTRA.match(requirement)
        if extra:
            name = f"extra {extra['extra']}"
            try:
                yield Diagnosis(name, "ok", f"{extra['name']} {importlib.metadata.version(extra['name'])}")
            except importlib.metadata.PackageNotFoundError:
                yield Diagnosis(
                    name, "ok", f"{extra['name']} is not installed (pip install 'polycall[{extra['extra']}]')"
                )
