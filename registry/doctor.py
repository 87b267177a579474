"""Whether polycall's surroundings are sound: versions, engines, the cache, and names that other packages claim."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import polycall
from polycall.interop.errors import PolycallError
from polycall.registry.loading import load
from polycall.wasm_runtime.engine.cache_bound import cache_usage
from polycall.wasm_runtime.engine.cache_folder import CacheFolder, default_cache_directory

__all__ = ["Diagnosis", "examine"]

_EXTRA = re.compile(r"""\s*(?P<name>[A-Za-z0-9._-]+).*;.*\bextra\s*==\s*["'](?P<extra>[^"']+)["']""")

_PROBE = """
namespace: doctor
entries:
  - name: lua
    kind: function.lua
    source: "return { version = function() return _VERSION end }"
    method: version
  - name: sandboxed
    kind: function.lua
    isolation: sandbox
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
    implementation = f"{platform.python_version()} ({platform.python_implementation()})"
    yield Diagnosis("python", "ok", f"{implementation}, {sys.executable}")
    yield Diagnosis("platform", "ok", platform.platform())
    for distribution in ("polycall", "wasmtime", "lupa"):
        yield _version(distribution)
    yield from _engines()
    yield _cache(default_cache_directory())
    yield _import()
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
            yield _tried("Lua, sandboxed", lambda: project.call("doctor:sandboxed"), "Lua 5.4")
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
    obstacle = CacheFolder(folder).obstacle()
    if obstacle is None:
        usage = cache_usage(folder)
        return Diagnosis("cache", "ok", f"{folder}, {usage.files} files, {usage.size_bytes / 2**20:.1f} MiB")
    hint = f"without it every start compiles anew; {obstacle.remedy}"
    return Diagnosis("cache", "warning", f"{folder} cannot be used: {obstacle.problem}", hint)


def _import() -> Diagnosis:
    """Says where polycall comes from, and who else has a package of that name."""
    claims = importlib.metadata.packages_distributions().get("polycall", ())
    others = ", ".join(sorted({other for other in claims if other.lower() != "polycall"}))
    if not others:
        return Diagnosis("import polycall", "ok", str(Path(polycall.__file__).parent))
    found = f"the distribution {others} has a package of the same name"
    hint = f"install polycall in a virtual environment without {others}"
    return Diagnosis("import polycall", "warning", found, hint)


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
