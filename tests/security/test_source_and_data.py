"""Attempts of guests to write what is read as declarations, code or settings, each with its honest twin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

import polycall
from attacks import Attack, attacks
from lua_projects import in_process_and_isolated
from polycall.interop.errors import DeclarationError, PolycallError
from projects import write_project

__all__ = ["in_process_and_isolated"]

EVIL = "namespace: evil\nname: entry\nkind: registry.entry\n"
WRITER = """
namespace: app
entries:
  - {name: files, kind: fs.directory, directory: DIRECTORY}
  - name: write
    kind: function.lua
    isolation: ISOLATION
    modules: [fs]
    method: write
    source: |
      local fs = require("fs")
      return { write = function(path, text, how)
          local files = assert(fs.get("app:files"))
          local done, err
          if how == "mkdir" or how == "remove" or how == "readfile" then done, err = files[how](files, path)
          elseif how then done, err = files:open(path, how)
          else done, err = files:writefile(path, text) end
          return err and err:kind() .. ": " .. err:message() or done
      end }
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_lua", ".lua")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def writer(directory: str, isolation: str = "none") -> str:
    return WRITER.replace("DIRECTORY", directory).replace("ISOLATION", isolation)


class Data(NamedTuple):
    """A folder of data and where in it a guest puts a file that declares entries.

    Attributes:
        declared: What the fs.directory says, PROJECT for the project folder.
        path: What the guest writes, seen from there.
        prepare: Links and folders of the project before anything is loaded: name to what it leads to, or "".
    """

    declared: str
    path: str
    prepare: dict[str, str] = {}  # noqa: RUF012  # never changed


DATA = {
    "a file with entries into a folder of data": Data("data", "x.yaml"),
    "JSON into it": Data("data", "x.json"),
    "one deep inside": Data("data", "a/b/_index.yml", {"data/a/b": ""}),
    "one through another spelling of the folder": Data("./data/../data/.", "x.yaml"),
    "one by an absolute path of the folder": Data("PROJECT/data", "x.yaml"),
    "one through a link to the folder": Data("link", "x.yaml", {"data": "", "link": "data"}),
    "one that a link of the sources leads to": Data("data", "x.yaml", {"data": "", "src/link": "../data"}),
    "one that a link of the sources names": Data(
        "data", "x.yaml", {"data": "", "src": "", "src/x.yaml": "../data/x.yaml"}
    ),
    "one into a folder inside of data": Data("data/inner", "x.yaml", {"data/inner": ""}),
    "one into a folder that is not there yet": Data("new/folder", "x.yaml"),
}


@attacks(*(
    Attack(f"writing {attempt}, and a reload", "Lua", "the file is not read", "the guest writes it, and reads it back")
    for attempt in DATA
))  # fmt: skip
@pytest.mark.parametrize("case", DATA.values(), ids=DATA)
def test_a_guest_declares_no_entries(tmp_path: Path, case: Data, in_process_and_isolated: str) -> None:
    for name, target in case.prepare.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if target:
            (tmp_path / name).symlink_to(target)
        else:
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
    index = writer(f"{case.declared.replace('PROJECT', str(tmp_path))}, auto_init: true", in_process_and_isolated)
    write_project(tmp_path, index=index)
    text = '{"namespace": "evil", "name": "entry", "kind": "registry.entry"}' if case.path.endswith("json") else EVIL
    with polycall.load(tmp_path) as registry:
        assert registry.call("app:write", case.path, text) is True
        registry.reload()
        assert [str(entry.id) for entry in registry] == ["app:files", "app:write"]
        assert registry.call("app:write", case.path, None, "readfile") == text
    with polycall.load(tmp_path) as registry:  # and the first load is no different
        assert "evil:entry" not in registry


def test_the_same_file_beside_the_data_is_read(tmp_path: Path) -> None:
    write_project(tmp_path, index=writer("data, auto_init: true"), x_yaml=EVIL)
    with polycall.load(tmp_path) as registry:
        assert "evil:entry" in registry


SOURCE = {
    "the project's folder": ".",
    "the folder above it": "..",
    "the root of all folders": "/",
    "it by a link": "link",
    "it by an absolute path": "PROJECT",
}
WAYS = {
    "writing": None,
    "appending": "a",
    "updating": "r+",
    "creating": "wx",
    "a folder": "mkdir",
    "removing": "remove",
}


@attacks(*(
    Attack(f"{way} in {where}, handed out from inside", "Lua", "PermissionDenied", "reading in it")
    for where in SOURCE for way in WAYS
))  # fmt: skip
@pytest.mark.parametrize("directory", SOURCE.values(), ids=SOURCE)
def test_source_is_read_only(tmp_path: Path, directory: str, in_process_and_isolated: str) -> None:
    project = tmp_path / "project"
    write(project, note="here", victim="kept")
    (project / "link").symlink_to(".")
    index = writer(directory.replace("PROJECT", str(project)), in_process_and_isolated)
    write_project(project, index=index)
    inside = {"..": "project/", "/": f"{project}/"}.get(directory, "")
    with polycall.load(project) as registry:
        assert registry.call("app:write", inside + "note", None, "readfile") == "here"
        for name, way in WAYS.items():
            file = "victim" if way in {"remove", "a", "r+"} else "x.yaml"
            told = registry.call("app:write", inside + file, EVIL, way)
            assert isinstance(told, str), name
            assert told.startswith("PermissionDenied: "), name
            assert told.endswith(
                "the folder is read-only: it holds the entry file that declares it, or the whole project"
            ), name
            assert sorted(path.name for path in project.iterdir()) == ["_index.yaml", "link", "note", "victim"], name
            assert (project / "victim").read_text() == "kept", name


def told(project: Path) -> str:
    with pytest.raises(DeclarationError) as caught:
        polycall.load(project)
    return str(caught.value)


LUA = "return { f = function() return 1 end }"
FUNCTION = "namespace: run\nname: f\nkind: function.lua\nmethod: f\nsource: file://{}\n"


@attacks(
    Attack("code that file:// reads from data", "Lua", "DeclarationError", "file:// beside it"),
    Attack("code that file:// reads through a link into data", "Lua", "DeclarationError", "file:// beside it"),
    Attack(
        "code that file:// reads by a link of a guest's out of data", "Lua", "DeclarationError", "file:// beside it"
    ),
)
@pytest.mark.parametrize(
    "value", ["data/f.lua", "/data/f.lua", "src/../data/f.lua", "link.lua", "src/f.lua", "back.lua"]
)
def test_no_code_is_read_from_data(tmp_path: Path, value: str) -> None:
    write(tmp_path, data__f_lua=LUA, src__g_lua=LUA, ok_lua=LUA)
    (tmp_path / "link.lua").symlink_to("data/f.lua")
    (tmp_path / "src/f.lua").symlink_to("../data/f.lua")
    (tmp_path / "data/out").symlink_to("../src")
    (tmp_path / "back.lua").symlink_to("data/out/g.lua")
    write_project(tmp_path, index=writer("data"), run_yaml=FUNCTION.format(value))
    message = f"file://{value} lies in data, which app:files hands out to guests as data: a guest could write it"
    assert message in told(tmp_path)
    write_project(tmp_path, run_yaml=FUNCTION.format("ok.lua"))
    with polycall.load(tmp_path) as registry:
        assert registry.call("run:f") == 1


VARIABLES = """
namespace: env
entries:
  - {{name: file, kind: env.storage.file, file_path: {}, auto_create: true}}
  - {{name: variable, kind: env.variable, variable: X, storage: file}}
"""


@attacks(
    Attack("variables that are read from data", "Lua", "DeclarationError", "variables beside it"),
    Attack("variables that are read through a link into data", "Lua", "DeclarationError", "variables beside it"),
)
@pytest.mark.parametrize("file", ["data/.env", "link/.env", "data/not/there"])
def test_no_variables_are_read_from_data(tmp_path: Path, file: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    write_project(tmp_path, index=writer("data"), env_yaml=VARIABLES.format(file))
    assert f"{file} lies in data, which app:files hands out to guests as data" in told(tmp_path)
    write_project(tmp_path, env_yaml=VARIABLES.format(".env"))
    with polycall.load(tmp_path) as registry:
        assert "env:variable" in registry


@attacks(
    Attack("settings that lie in data", "Lua", "DeclarationError", "settings of the project's own"),
    Attack("a wippy.lock that lies in data", "Lua", "DeclarationError", "a lock of the project's own"),
)
@pytest.mark.parametrize("name", ["polycall.yaml", "wippy.lock"])
def test_no_settings_are_read_from_data(tmp_path: Path, name: str) -> None:
    write(tmp_path, data__real="directories: {src: .}" if name == "wippy.lock" else "max_depth: 3")
    write_project(tmp_path, index=writer("data"))
    (tmp_path / name).symlink_to("data/real")
    assert f"{name}:1:1: this file lies in data, which app:files hands out to guests as data" in told(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / "data/real").rename(tmp_path / name)
    polycall.load(tmp_path).close()


def handing_out(name: str, directory: str) -> str:
    return f"namespace: {name}\nname: files\nkind: fs.directory\ndirectory: {directory}\n"


@attacks(
    Attack("a file in data that makes data of the sources", "Lua", "it is not read", "the sources count"),
    Attack("a file in data that makes data of the sources that made it data", "Lua", "DeclarationError", "without it"),
)
def test_data_does_not_make_data_of_the_sources(tmp_path: Path) -> None:
    write(tmp_path, polycall_yaml="", data__x_yaml=handing_out("evil", "src"), src__x_yaml=EVIL)
    write_project(tmp_path, index=writer("data"))
    with polycall.load(tmp_path) as registry:
        assert [str(entry.id) for entry in registry] == ["app:files", "app:write", "evil:entry"]
    (tmp_path / "_index.yaml").unlink()
    write(tmp_path, src__x_yaml=handing_out("app", "data"))
    message = (
        "{}:1:1: source or data? {} in {} hands out the folder of this file to guests, and a file that is data itself "
        "declares nothing (declare one of the two fs.directory entries in the project folder itself, or remove it)"
    )
    problems = told(tmp_path)
    assert message.format("data/x.yaml", "app:files", "src/x.yaml") in problems
    assert message.format("src/x.yaml", "evil:files", "data/x.yaml") in problems
    (tmp_path / "data/x.yaml").unlink()
    with polycall.load(tmp_path) as registry:
        assert [str(entry.id) for entry in registry] == ["app:files"]


def test_what_a_dropped_file_makes_data_stays_source(tmp_path: Path) -> None:
    write(tmp_path, a__x_yaml=handing_out("a", "b"), b__x_yaml=handing_out("b", "c"), c__x_yaml=handing_out("c", "d"))
    write(tmp_path, polycall_yaml="", d__x_yaml=EVIL)
    with polycall.load(tmp_path) as registry:
        assert [str(entry.id) for entry in registry] == ["a:files", "c:files"]
    write_project(tmp_path, index=handing_out("top", "a"))
    with polycall.load(tmp_path) as registry:
        assert [str(entry.id) for entry in registry] == ["b:files", "evil:entry", "top:files"]


def test_a_folder_declared_from_inside_and_from_outside_is_data(tmp_path: Path) -> None:
    write(tmp_path, polycall_yaml="", data__x_yaml=handing_out("inside", "data"))
    with polycall.load(tmp_path) as registry:
        assert "inside:files" in registry
    write_project(tmp_path, index=writer("data"))
    with polycall.load(tmp_path) as registry:
        assert "inside:files" not in registry
        assert registry.call("app:write", "note", "x") is True


def test_what_is_broken_in_data_stops_no_load(tmp_path: Path) -> None:
    write(tmp_path, data__broken_yaml="namespace: x\nentries: [", data__a__x_yaml="namespace: y\nentries: 1\n")
    (tmp_path / "polycall.yaml").touch()
    (tmp_path / "data/link.yaml").symlink_to("/etc/passwd")
    (tmp_path / "src").mkdir()
    for index in ("_index.yaml", "src/_index.yaml"):
        (tmp_path / index).write_text(writer("data"))
        with polycall.load(tmp_path) as registry:
            assert len(registry) == 2
        (tmp_path / index).unlink()
    with pytest.raises(DeclarationError):
        polycall.load(tmp_path)


def test_a_replaced_module_outside_may_hand_the_project_out_for_reading_only(tmp_path: Path) -> None:
    project, module = tmp_path / "project", tmp_path / "module"
    write(project, src__x_yaml=EVIL)
    write(module, _index_yaml=writer("."))
    (module / "_index.yaml").write_text(writer("."))
    (project / "wippy.lock").write_text("replacements: [{from: a/b, to: ../module}]")
    with polycall.load(project) as registry:
        assert "evil:entry" in registry
        told = registry.call("app:write", "wippy.lock", "directories: {src: data}")
    assert isinstance(told, str)
    assert told.startswith("PermissionDenied")


def test_check_says_which_files_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, data__x_yaml=EVIL, data__notes_json='{"a": 1}', data__a__y_yaml="namespace: y\nentries: [")
    write_project(tmp_path, index=writer("data"))
    with polycall.load(tmp_path) as registry:
        found = sorted(finding.problem.message for finding in registry.check())
    assert found == [
        f"app:files: data/{name} has a namespace, but is not read: guests may write in this folder, so it is data"
        for name in ("a/y.yaml", "x.yaml")
    ]
    (tmp_path / "data/a/y.yaml").unlink()
    write_project(tmp_path, index=writer("."))
    with polycall.load(tmp_path) as registry:
        assert registry.check() == []


def test_a_folder_of_data_may_hold_any_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, **{f"data__{number}_yaml": "x: 1" for number in range(30)})
    monkeypatch.setattr("polycall.registry.reading.discovery._MOST_MEMBERS", 15)
    write_project(tmp_path, index=writer("data"))
    polycall.load(tmp_path).close()
    write_project(tmp_path, index=writer("elsewhere"))
    assert "there are more than 15 files and folders" in told(tmp_path)


def test_a_binary_in_data_counts_by_its_hash(tmp_path: Path) -> None:
    write(tmp_path, data__f_wasm="")
    import hashlib

    import wasmtime

    binary = wasmtime.wat2wasm('(module (func (export "f") (result i32) (i32.const 7)))')
    (tmp_path / "data/f.wasm").write_bytes(binary)
    entry = (
        "  - {name: f, kind: function.wasm, fs: files, path: f.wasm, method: f, wit: 'f: func() -> s32', "
        f"hash: 'sha256:{hashlib.sha256(binary).hexdigest()}'}}\n"
    )
    write_project(tmp_path, index=writer("data") + entry)
    with polycall.load(tmp_path) as registry:
        assert registry.call("app:f") == 7
        assert registry.call("app:write", "f.wasm", "other") is True
        registry.reload()
    with (
        polycall.load(tmp_path) as registry,
        pytest.raises(PolycallError) as caught,
    ):
        registry.call("app:f")
    assert "hash" in str(caught.value)


def test_a_folder_with_two_names_is_one(tmp_path: Path) -> None:
    """Stands for a file system where upper and lower case are one, and for a folder that is mounted twice."""
    from polycall.registry.entries.folders import holds

    write(tmp_path, data__x="")
    upper = tmp_path / "DATA"

    class Insensitive(type(upper)):  # type: ignore[misc]  # the platform's own class of paths
        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            return Path(str(self).replace("DATA", "data")).stat(follow_symlinks=follow_symlinks)

    assert holds(Insensitive(upper), tmp_path / "data/x")
    assert not holds(Insensitive(upper), tmp_path)


@attacks(
    Attack("machine code into the cache of compiled code", "Lua", "PermissionDenied", "a file into a folder beside it"),
    Attack("machine code into a folder that holds the cache", "Lua", "PermissionDenied", "a file into one beside it"),
)
@pytest.mark.parametrize("directory", ["cache", "outer", "link"])
def test_compiled_code_is_not_written_by_guests(tmp_path: Path, directory: str, in_process_and_isolated: str) -> None:
    cache, project = tmp_path / "outer/cache", tmp_path / "project"
    for folder in (cache, project, tmp_path / "beside"):
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to("outer")
    handed_out = {"cache": cache, "outer": cache.parent, "link": tmp_path / "link"}[directory]
    for folder, result in (
        (handed_out, "PermissionDenied: x: the folder is read-only: it holds compiled code"),
        (tmp_path / "beside", True),
    ):
        write_project(project, index=writer(str(folder), in_process_and_isolated))
        with polycall.load(project, cache_directory=cache) as registry:
            assert registry.call("app:write", "x", "machine code") == result
