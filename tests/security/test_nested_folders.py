"""Attempts to make a folder that an entry names lead elsewhere: by a link in one around it that guests may write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import polycall
from attacks import Attack, attacks
from file_steps import GUEST, Steps
from polycall.interop.errors import CallError, GuestError, PolycallError
from polycall.registry.standalone import Mount, run_file
from polycall.wasm_runtime.wasi.console import Console

LUA = """
local fs = require("fs")
return { f = function(path, text)
    local folder = assert(fs.get("app:inner"))
    if text then return assert(folder:writefile(path, text)) end
    return assert(folder:readfile(path))
end }
"""


def project(folder: Path, isolation: str = "none", **inner: Any) -> Path:
    """Makes a project in which `app:steps` may write ``data``, and `app:lua` what lies at ``data/sub``."""
    (folder / "data/sub").mkdir(parents=True)
    (folder / "data/sub/file").write_text("inside")
    (folder / "src").mkdir()
    (folder / "src/file").write_text("the secret")
    more = {"namespace": "more", "entries": [{"name": "there", "kind": "registry.entry"}]}
    (folder / "src/_index.json").write_text(json.dumps(more))
    wasi = {"mounts": [{"fs": "data", "guest": "/data"}, {"fs": "inner", "guest": "/inner"}]}
    imports = ["wasi:io", "wasi:filesystem"]
    entries = [
        {"name": "data", "kind": "fs.directory", "directory": "data"},
        {"name": "inner", "kind": "fs.directory", "directory": "data/sub", **inner},
        {"name": "steps", "kind": "function.wat", "method": "run", "source": GUEST.read_text(), "wasi": wasi,
         "imports": imports, "isolation": isolation},
        {"name": "lua", "kind": "function.lua", "method": "f", "source": LUA, "modules": ["fs"],
         "isolation": isolation},
    ]  # fmt: skip
    (folder / "_index.json").write_text(json.dumps({"namespace": "app", "entries": entries}))
    return folder


@pytest.fixture(params=["none", "process"])
def registry(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[polycall.Registry]:
    with polycall.load(project(tmp_path, request.param)) as loaded:
        yield loaded


def lay(registry: polycall.Registry, target: str) -> None:
    """Puts a link in the place of the inner folder, as a guest."""
    steps = Steps()
    root = steps.root()
    steps.do("rename-at", root, "sub", root, "moved")
    steps.do("symlink-at", root, target, "sub")
    assert steps.run(lambda values: registry.call("app:steps", values))[-2:] == [{"ok": None}] * 2


@attacks(
    Attack("a link out in the place of a granted folder, read", "component, then Lua", "an error", "a link inside"),
    Attack("a link out in the place of a granted folder, written", "component, then Lua", "an error", "a link inside"),
)
@pytest.mark.parametrize("target", ["../src", "../../../../../../etc"])
def test_a_link_in_the_place_of_a_granted_folder_leads_nowhere(
    tmp_path: Path, registry: polycall.Registry, target: str
) -> None:
    assert registry.call("app:lua", "file") == "inside"
    lay(registry, target)
    for arguments in (["file"], ["passwd"], ["new.lua", "code"]):
        with pytest.raises(GuestError, match="leads out of the folder"):
            registry.call("app:lua", *arguments)
    steps = Steps()
    steps.do("stat", steps.root(1))
    with pytest.raises(CallError, match="leads out of the folder") as caught:
        steps.run(lambda values: registry.call("app:steps", values))
    assert "app:data, where guests may make links" in str(caught.value.hint)
    assert not (tmp_path / "src/new.lua").exists()


def test_a_link_to_the_inside_is_followed(tmp_path: Path, registry: polycall.Registry) -> None:
    lay(registry, "moved")
    assert registry.call("app:lua", "file") == "inside"
    assert registry.call("app:lua", "new", "text") is True
    assert (tmp_path / "data/moved/new").read_text() == "text"


@attacks(
    Attack("a link to sources in the place of a folder of data", "component", "all are still read", "at each load")
)
def test_no_link_makes_data_of_sources(tmp_path: Path) -> None:
    """What is data is not read: so a guest could make entries disappear."""
    with polycall.load(project(tmp_path)) as registry:
        assert "more:there" in registry
        lay(registry, "../src")
        registry.reload()
        assert "more:there" in registry
    with polycall.load(tmp_path) as registry:
        assert "more:there" in registry


@attacks(Attack("a link out where a folder is still to be made", "component", "none is made", "one inside is made"))
def test_no_folder_is_made_through_a_link(tmp_path: Path) -> None:
    project(tmp_path, auto_init=True)
    index = json.loads((tmp_path / "_index.json").read_text())
    index["entries"][1]["directory"] = "data/sub/deep/deeper"
    (tmp_path / "_index.json").write_text(json.dumps(index))
    with polycall.load(tmp_path) as registry:
        lay(registry, "../src")
        with pytest.raises(PolycallError, match="leads out of the folder"):
            registry.call("app:lua", "file")
        assert not (tmp_path / "src/deep").exists()
        (tmp_path / "data/sub").unlink()
        (tmp_path / "data/sub").mkdir()
        assert registry.call("app:lua", "new", "text") is True
        assert (tmp_path / "data/sub/deep/deeper/new").read_text() == "text"


PROGRAM = """
(module
  (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink" (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "sub")
  (data (i32.const 8) "moved")
  (data (i32.const 16) "file")
  (data (i32.const 32) "TARGET")
  (func (export "_start")
    (if (call $rename (i32.const 3) (i32.const 0) (i32.const 3) (i32.const 3) (i32.const 8) (i32.const 5))
      (then (call $exit (i32.const 1))))
    (if (call $symlink (i32.const 32) (i32.const LENGTH) (i32.const 3) (i32.const 0) (i32.const 3))
      (then (call $exit (i32.const 2))))
    (call $exit (i32.add (i32.const 100)
      (call $stat (i32.const 4) (i32.const 1) (i32.const 16) (i32.const 4) (i32.const 64))))))
"""
_NOT_PERMITTED = 63


@attacks(
    Attack(
        "a link out in the place of a second `--dir`", "core module, polycall run", "`EPERM`", "a link to the inside"
    )
)
@pytest.mark.parametrize(("target", "status"), [("../src", 100 + _NOT_PERMITTED), ("moved", 100)])
def test_a_program_leads_no_folder_of_its_own_elsewhere(tmp_path: Path, target: str, status: int) -> None:
    project(tmp_path)
    text = PROGRAM.replace("TARGET", target).replace("LENGTH", str(len(target)))
    (tmp_path / "program.wasm").write_bytes(wasmtime.wat2wasm(text))
    mounts = [Mount(tmp_path / "data", "/a", False), Mount(tmp_path / "data/sub", "/b", False)]
    assert run_file(tmp_path / "program.wasm", Console(None, None, None), mounts) == status
