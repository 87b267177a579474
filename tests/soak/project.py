"""The project that is soaked: Lua, core modules, components, resources in every pool, isolated too; hostile guests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from projects import GUESTS, hash_of
from soak import carts, hostile, wasi

__all__ = ["NAMESPACE", "PARTS", "POOLS", "VERSIONS", "Part", "write_part", "write_project"]

NAMESPACE = "soak"
VERSIONS = ("A", "B")
Part = str
PARTS: tuple[Part, ...] = ("lua", "wat", "carts", "lua-sandboxed", "lua-isolated", "wat-isolated")
"""What a reload may change: the sources of one language, of the entries in this process, the sandbox, or workers."""

POOLS: dict[str, dict[str, Any]] = {
    "inline": {"type": "inline"},
    "lazy": {"type": "lazy", "max_size": 3},
    "static": {"type": "static", "workers": 2},
    "adaptive": {"type": "adaptive", "max_size": 3},
}
_ISOLATED_POOLS: dict[str, dict[str, Any]] = {
    "inline": {"type": "inline"},
    "lazy": {"type": "lazy", "max_size": 2},
    "static": {"type": "static", "workers": 1},
    "adaptive": {"type": "adaptive", "max_size": 2},
}
_PLACES: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "": ("none", POOLS),
    "-sandboxed": ("sandbox", POOLS),
    "-isolated": ("process", _ISOLATED_POOLS),
}
_LUA_MEMORY_BYTES = 4_000_000
_WAT_MEMORY_BYTES = 16 * 65536

# The library carries the version a second time: code that is half old and half new would say "AB".
_LUA = """
local VERSION = "@VERSION" .. require("lib")
local modes = {
    good = function(tag) return tag .. " " .. VERSION end,
    fail = function(tag) error("refused " .. tag .. " " .. VERSION, 0) end,
    spin = function() while true do end end,
    hang = function() return ("a"):rep(30):find(("a*"):rep(20) .. "b") end,
    hoard = function()
        local kept = {}
        while true do kept[#kept + 1] = ("x"):rep(1000) .. #kept end
    end,
}
local function run(text)
    local mode, tag = text:match("^(%a+) (.+)$")
    return modes[mode](tag)
end
return { run = run }
"""
_WAT = """
(module
  (memory (export "memory") 1)
  (func (export "run") (param $mode i32) (param $tag i64) (result i64)
    (if (i32.eq (local.get $mode) (i32.const 1)) (then unreachable))
    (if (i32.eq (local.get $mode) (i32.const 2)) (then (loop $spin (br $spin))))
    (if (i32.eq (local.get $mode) (i32.const 3))
      (then (loop $hoard (br_if $hoard (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable))
    (i64.add (i64.mul (local.get $tag) (i64.const 2)) (i64.const @VERSION))))
"""
_CRASH = 'return { crash = function(tag) return require("funcs").call("py:crash", tag) end }'
_ASK = 'local call = require("funcs").call; return { ask = function(...) return call(...) end }'


def write_project(folder: Path) -> None:
    """Writes the project, every part in the first version."""
    for part in PARTS:
        write_part(folder, part, VERSIONS[0])
    wasi.write_files(folder)
    document = {"namespace": NAMESPACE, "entries": list(_entries())}
    (folder / "_index.json").write_text(json.dumps(document), encoding="utf-8")


def write_part(folder: Path, part: Part, version: str) -> None:
    """Writes the sources of a part in a version."""
    if part.startswith("lua"):
        (folder / f"{part}-lib.lua").write_text(f'return "{version}"', encoding="utf-8")
        (folder / f"{part}.lua").write_text(_LUA.replace("@VERSION", version), encoding="utf-8")
    elif part == "carts":
        (folder / "carts.wat").write_text(carts.source(version), encoding="utf-8")
    else:
        text = _WAT.replace("@VERSION", str(VERSIONS.index(version)))
        (folder / f"{part}.wat").write_text(text, encoding="utf-8")


def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [{"name": "guests", "kind": "fs.directory", "directory": str(GUESTS / "bin")}]
    for suffix, (isolation, pools) in _PLACES.items():
        entries.append({"name": f"lib{suffix}", "kind": "library.lua", "source": f"file://lua{suffix}-lib.lua"})
        for name, pool in pools.items():
            shared = {"pool": pool, "isolation": isolation}
            entries.append(_lua(f"lua{suffix}-{name}", suffix) | shared)
            if isolation != "sandbox":  # what is WebAssembly is there already
                entries.append(_wat(f"wat{suffix}-{name}", suffix) | shared)
    ask = {"kind": "function.lua", "modules": ["funcs"], "source": _ASK, "method": "ask"}
    for name, pool in POOLS.items():
        entries += [
            _component(f"relay-{name}", "relay-string") | {"pool": pool},
            _component(f"relay-or-trap-{name}", "relay-or-trap") | {"pool": pool},
            {"name": f"ask-{name}", **ask, "pool": pool},
            {"name": f"ask-sandboxed-{name}", **ask, "pool": pool, "isolation": "sandbox"},
        ]
    # It never changes: across a reload there would be two workers, and the crash would hit the other call as well.
    victim = {"name": "victim", "kind": "function.lua", "modules": ["funcs"], "source": _CRASH, "method": "crash"}
    return [
        *entries,
        *carts.entries(POOLS),
        *wasi.entries(POOLS),
        *hostile.entries(),
        victim | {"pool": {"type": "static", "workers": 1}, "isolation": "process"},
    ]


def _lua(name: str, suffix: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "function.lua",
        "imports": {"lib": f"lib{suffix}"},
        "source": f"file://lua{suffix}.lua",
        "method": "run",
        "limits": {"max_memory_bytes": _LUA_MEMORY_BYTES},
    }


def _wat(name: str, suffix: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "function.wat",
        "source": f"file://wat{suffix}.wat",
        "method": "run",
        "wit": "run: func(mode: s32, tag: s64) -> s64",
        "limits": {"max_memory_bytes": _WAT_MEMORY_BYTES},
    }


def _component(name: str, method: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "function.wasm",
        "fs": "guests",
        "path": "caller.wasm",
        "hash": hash_of(GUESTS / "bin" / "caller.wasm"),
        "method": method,
        "imports": ["funcs"],
    }
