"""Attempts of guests to have their code built, or run as what was built, each with its honest twin."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import polycall
from attacks import Attack, attacks
from polycall.interop.errors import HashError, PreparationError
from polycall.registry.building.builds import find_builds
from polycall.registry.cli.build import bring_up_to_date
from polycall.registry.cli.session import Session
from projects import GUESTS, hash_of, write_project

HONEST, EVIL = GUESTS / "bin" / "caller.wasm", GUESTS / "bin" / "c-filter.wasm"
PROJECT = """
namespace: app
entries:
  - {{name: out, kind: fs.directory, directory: out, auto_init: true}}
  - {{name: files, kind: fs.directory, directory: {data}, auto_init: true}}
  - name: write
    kind: function.lua
    modules: [fs]
    method: write
    source: |
      return {{ write = function(folder, name, text)
        return assert(require("fs").get(folder)):writefile(name, text)
      end }}
  - name: three
    kind: function.wasm
    fs: out
    path: three.wasm
    method: three
    build: {{command: "sh ./make.sh", workdir: {workdir}}}
"""


def project(folder: Path, data: str, workdir: str) -> Path:
    (folder / "src").mkdir()
    (folder / "src" / "make.sh").write_text(f"cp {HONEST} ../out/three.wasm\n")
    return write_project(folder, index=PROJECT.format(data=data, workdir=workdir))


@attacks(
    Attack("the script of a build, written into the folder it runs in", "Lua", "PreparationError",
           "a build elsewhere runs"),
    Attack("the same, through a link that leads there", "Lua", "PreparationError", "a build elsewhere runs"),
)  # fmt: skip
@pytest.mark.parametrize("workdir", ["src", "link"])
def test_a_build_does_not_run_where_a_guest_may_write(tmp_path: Path, workdir: str) -> None:
    folder = project(tmp_path, "src", workdir)
    (folder / "link").symlink_to("src")
    with pytest.raises(PreparationError, match="hands out to guests as data: a guest could write what is run"):
        find_builds(folder)
    write_project(folder, index=PROJECT.format(data="data", workdir="src"))
    _, (build,) = find_builds(folder)
    assert build.workdir == folder / "src"


@attacks(
    Attack("a binary in the place of what was built, while a watch waits", "Lua", "HashError",
           "what a build has made is run"),
)  # fmt: skip
def test_a_watch_writes_no_hash_of_what_a_guest_has_put_there(tmp_path: Path) -> None:
    folder, session = project(tmp_path, "data", "src"), Session(tmp_path, debug=False)
    bring_up_to_date(session, first=True)
    with polycall.load(folder) as registry:
        assert registry.prepare("app:three").language == "wasm"
        assert registry.call("app:write", "app:out", "three.wasm", EVIL.read_bytes()) is True
        bring_up_to_date(session, first=False)
        registry.reload()
        assert registry.get("app:three").data["hash"] == hash_of(HONEST)
    with polycall.load(folder) as registry, pytest.raises(HashError):
        registry.prepare("app:three")


@attacks(
    Attack("a record of builds that says that a guest's binary was built", "Lua", "HashError", "what was built is run"),
)  # fmt: skip
def test_the_record_of_builds_cannot_be_reached(tmp_path: Path) -> None:
    folder, session = project(tmp_path, ".", "src"), Session(tmp_path, debug=False)
    bring_up_to_date(session, first=True)
    record = (folder / ".polycall" / "builds.json").read_bytes()
    with polycall.load(folder) as registry:
        with pytest.raises(polycall.PolycallError, match="read-only"):
            registry.call("app:write", "app:files", ".polycall/builds.json", "{}")
        registry.call("app:write", "app:out", "three.wasm", EVIL.read_bytes())
    assert (folder / ".polycall" / "builds.json").read_bytes() == record
    with polycall.load(folder) as registry, pytest.raises(HashError):
        registry.prepare("app:three")
    shutil.copy(HONEST, folder / "out" / "three.wasm")
    with polycall.load(folder) as registry:
        assert registry.prepare("app:three").language == "wasm"
