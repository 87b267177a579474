from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from commands import run
from polycall import load
from polycall.registry.stubs.lua_stubs import lua_definitions
from projects import GUESTS, REPOSITORY, hash_of, write_project

LUA = REPOSITORY / "registry" / "stubs" / "lua"
MODULES = sorted(path.stem for path in LUA.iterdir())

TOUR = """
namespace: app
entries:
  - name: tour
    kind: function.wat
    method: tour
    source: file://tour.wat
  - name: plain
    kind: function.lua
    meta: {comment: 'Says "so"'}
    method: plain
    source: return { plain = function(...) return select("#", ...) end }
  - name: typed
    kind: function.lua
    method: typed
    source: |
      return { typed = function(from, size)
        if from == "none" then return nil, "no" end
        return { ["to-is"] = from, size = size }
      end }
    wit: |
      enum place { none, here }
      record answer { to-is: place, size: option<u32> }
      typed: func(from: place, size: option<u32>) -> result<answer, string>
  - {name: test, kind: function.lua, meta: {type: test}, method: f, source: "return { f = print }"}
  - {name: wrong, kind: function.lua, method: f, source: "return { f = print }", wit: "f: func(a: nothing)"}
  - {name: from, kind: function.lua, method: f, source: "return { f = print }", wit: "f: func(lambda: list<u8>)"}
"""
WAT = """
(component
  (type $colour' (enum "red" "dark-blue"))
  (import "colour" (type $colour (eq $colour')))
  (type $rights' (flags "read" "write"))
  (import "rights" (type $rights (eq $rights')))
  (type $shape' (variant (case "point") (case "disc" f64)))
  (import "shape" (type $shape (eq $shape')))
  (type $item' (record (field "unit-cents" u64) (field "class" $colour) (field "note" (option string))))
  (import "item" (type $item (eq $item')))
  (type $items (list $item))
  (type $bytes (list u8))
  (type $pair (tuple u8 string))
  (type $result (result $items (error $shape)))
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "tour") (param i32 i32 i32 i32 f64 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 64)))
  (core instance $code (instantiate $code))
  (func (export "tour")
    (param "items" $items) (param "rights" $rights) (param "shape" $shape) (param "raw" $bytes) (param "pair" $pair)
    (param "from" bool) (result $result)
    (canon lift (core func $code "tour")
      (memory (core memory $code "memory")) (realloc (core func $code "realloc")))))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=TOUR, tour_wat=WAT)


def test_the_functions_of_a_project_are_typed_for_mypy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "-C", str(project), "stubs", "--python", str(project / "stubs"))
    assert done.code == 0, done.err
    assert done.err.startswith('no types: app:wrong: wit:1:12: unknown type "nothing"')
    (project / "use.py").write_text(USE)
    mypy = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "use.py"],
        cwd=project, env={"MYPYPATH": str(REPOSITORY), "PATH": ""}, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    told = [line for line in mypy.stdout.splitlines() if line.startswith("use.py:")]
    assert [line.partition(":")[2].partition(":")[0] for line in told] == ["16", "17"], mypy.stdout
    assert "Literal['there']" in told[0]
    assert '"unit-cents"' in told[1]


USE = """\
from typing import assert_type

import polycall
from stubs.app import Answer, Err, Item, Ok, Shape, from_, plain, tour, typed

with polycall.load(".") as registry:
    item: Item = {"unit-cents": 4, "class": "red"}
    answer = tour(registry, [item], ["read"], {"disc": 1.5}, b"raw", [1, "a"], True)
    assert_type(answer, Ok[list[Item]] | Err[Shape])
    if "ok" in answer:
        assert_type(answer["ok"][0]["unit-cents"], int)
    assert_type(plain(registry, 1, 2, timeout=1.0), polycall.Value)
    assert_type(typed(registry, "here", 4), Answer)
    from_(registry, b"")
    # and what is wrong:
    typed(registry, "there")
    tour(registry, [{"unit-cents": "4", "class": "red"}], [], {"point": True}, b"", [], False)
"""


def test_they_call_what_they_say(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "-C", str(project), "stubs", "--python", str(project / "stubs"))
    names: dict[str, Any] = {}
    exec((project / "stubs" / "app.py").read_text(), names)
    with load(project) as registry:
        assert names["typed"](registry, "here", 3) == {"to-is": "here", "size": 3}
        assert names["plain"](registry, 1, 2, timeout=5.0) == 2
    assert "test" not in names
    assert names["plain"].__doc__ == '``app:plain`` (function.lua): Says "so'


def test_odd_names_are_code_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    function = {"kind": "function.lua", "method": "f", "source": "return { f = function() return 7 end }"}
    names = ["a-b", "a_b", "Any", "Registry", "7", "class", "²", 'quote"""\\', "Ok"]
    comment = {"comment": 'is "so"\x00\u202e\\'}
    entries = [{"name": name, "meta": comment, **function} for name in names]
    (tmp_path / "_index.yaml").write_text(yaml.safe_dump({"namespace": "a.b", "entries": entries}))
    (tmp_path / "more.yaml").write_text(yaml.safe_dump({"namespace": "a_b", "entries": entries[:1]}))
    done = run(capsys, "-C", str(tmp_path), "stubs", "--python", str(tmp_path / "stubs"))
    assert done.code == 0, done.err
    assert sorted(path.name for path in (tmp_path / "stubs").iterdir()) == ["a_b.py", "a_b_2.py"]
    found: dict[str, Any] = {}
    exec((tmp_path / "stubs" / "a_b.py").read_text(), found)
    with load(tmp_path) as registry:
        for name in ("a_b", "a_b_2", "Any_2", "Registry_2", "_7", "class_", "_", "quote____", "Ok_2"):
            assert found[name](registry) == 7, name


def test_a_file_of_somebody_else_stays(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "stubs").mkdir()
    (project / "stubs" / "app.py").write_text("mine")
    done = run(capsys, "-C", str(project), "stubs", "--python", str(project / "stubs"))
    assert (done.code, (project / "stubs" / "app.py").read_text()) == (5, "mine")
    assert "was not made by polycall stubs" in done.err


def test_lua_is_told_of_every_target(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "-C", str(project), "stubs")
    text = (project / ".polycall" / "lua" / "funcs.lua").read_text()
    assert text.startswith("---@meta funcs\n")
    for line in (
        "---@class app.Answer",
        '---@field ["to-is"] app.Place',
        "---@field size? integer",
        '---@overload fun(id: "app:plain", ...: any): any, polycall.Error?',
        '---@overload fun(id: "app:typed", from: app.Place, size?: integer): app.Answer?, polycall.Error?',
        '---@overload fun(id: "app:tour", items: app.Item[], rights: ("read"|"write")[], shape: app.Shape, raw: '
        "string, pair: [integer, string], from: boolean): ({ok: app.Item[]}|{err: app.Shape})?, polycall.Error?",
        '---@overload fun(id: "app:tour", items: app.Item[], rights: ("read"|"write")[], shape: app.Shape, raw: '
        "string, pair: [integer, string], from: boolean): app.Item[]?, polycall.Error?",
        "---@alias app.Shape",
        "---| {point: true}",
        "---| {disc: number}",
        '---| "dark-blue"',
    ):
        assert f"{line}\n" in text, line
    assert "app:test" not in text


LISTED = """
local function list(value)
  local found = {}
  for key, item in pairs(value) do
    if type(key) == "string" and key:sub(1, 2) ~= "__" then
      local listed, inner = pcall(list, item)
      found[key] = type(item) == "table" and listed and next(inner) and inner or type(item)
    end
  end
  return found
end
"""


def looking(name: str, required: str, module: str) -> dict[str, Any]:
    """Returns an entry that lists what `require` gives."""
    return {
        "name": name,
        "kind": "function.lua",
        "method": "f",
        "modules": [] if module == "errors" else [module],
        "imports": {"told": "told"},
        "source": f"{LISTED} return {{ f = function() return list(require('{required}')) end }}",
    }


@pytest.mark.parametrize("module", [module for module in MODULES if module != "logger"])
def test_what_lua_is_told_of_a_module_is_what_the_module_has(tmp_path: Path, module: str) -> None:
    """Runs the definitions and looks at the module itself: both have the same names, of the same types."""
    definitions = (LUA / f"{module}.lua").read_text().replace("time.utc = nil", "time.utc = {}")
    write_project(tmp_path, told_lua=definitions.replace("time.localtz = nil", "time.localtz = {}"))
    told_entry = {"name": "told", "kind": "library.lua", "source": "file://told.lua"}
    entries = [told_entry, looking("stub", "told", module), looking("real", module, module)]
    (tmp_path / "_index.yaml").write_text(yaml.safe_dump({"namespace": "app", "entries": entries}))
    with load(tmp_path) as registry:
        told, real = registry.call("app:stub"), registry.call("app:real")
    assert isinstance(told, dict)
    assert isinstance(real, dict)
    if module == "payload":  # the formats are texts that nobody should write out
        assert dict(told, format=None) == dict(real, format=None)
    elif module == "time":
        assert told.keys() == real.keys()
    else:
        assert told == real


@pytest.mark.parametrize(
    ("module", "methods"),
    [
        ("fs", {"Folder": 'fs.get("files")', "File": 'fs.get("files"):open("a.txt", "w+")'}),
        ("time", {"Time": "time.now()", "Duration": 'time.parse_duration("1s")'}),
        ("errors", {"Error": 'errors.new("x")'}),
        ("payload", {"Payload": "payload.new({})"}),
        ("logger", {"logger": "logger"}),
    ],
)
def test_what_objects_can_do_is_there(tmp_path: Path, module: str, methods: dict[str, str]) -> None:
    text = (LUA / f"{module}.lua").read_text()
    calls = []
    for name, made in methods.items():
        found = re.findall(rf"^function {name}:(\w+)", text, re.MULTILINE)
        assert found, name
        calls += [f'assert(type(({made}).{method}) == "function", "{name}:{method}")\n' for method in found]
    function = looking("f", module, module) | {
        "source": f"local {module} = require('{module}')\nreturn {{ f = function() {''.join(calls)} return true end }}",
        "imports": {},
    }
    files = {"name": "files", "kind": "fs.directory", "directory": "data", "auto_init": True}
    (tmp_path / "_index.yaml").write_text(yaml.safe_dump({"namespace": "app", "entries": [files, function]}))
    with load(tmp_path) as registry:
        assert registry.call("app:f") is True


def test_init_wires_editors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "shop"
    run(capsys, "init", str(folder))
    own = folder / ".polycall"
    assert json.loads((folder / ".luarc.json").read_text())["workspace.library"] == [".polycall/lua"]
    assert sorted(path.stem for path in (own / "lua").iterdir()) == MODULES
    for name in ("_index.yaml", "polycall.yaml"):
        first = (folder / name).read_text().splitlines()[0]
        schema = json.loads((folder / first.partition("$schema=")[2]).read_text())
        assert schema["$id"].startswith("urn:polycall:schema:")
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(yaml.safe_load((folder / name).read_text()), schema)
    wrong = yaml.safe_load((folder / "polycall.yaml").read_text()) | {"limit": {}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads((own / "project.schema.json").read_text()))
    assert run(capsys, "schema", "--settings").out == (own / "project.schema.json").read_text()


def test_a_binary_that_is_not_there_yet_is_typed_by_its_wit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "init", "-t", "c", str(tmp_path / "x"))
    text = (tmp_path / "x" / ".polycall" / "lua" / "funcs.lua").read_text()
    assert '---@overload fun(id: "app:slug", title: string): string?, polycall.Error?\n' in text


def test_what_serves_a_link_is_what_the_component_takes_it_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = Path(shutil.copytree(REPOSITORY / "examples" / "06-typed-links", tmp_path / "links"))
    rules = example / "rules.yaml"
    rules.write_text(rules.read_text("utf-8").replace("    wit: file://guests/rules.wit\n", ""), "utf-8")
    run(capsys, "-C", str(example), "stubs", "--python", str(tmp_path / "stubs"))
    text = (tmp_path / "stubs" / "shop_rules.py").read_text()
    assert "def rate(registry: Registry, country: str, *, timeout: float | None = None) -> int:" in text
    assert "def bulk_discount(registry: Registry, line: Line, *, timeout: float | None = None) -> int:" in text
    lua = (example / ".polycall" / "lua" / "funcs.lua").read_text()
    assert '---@overload fun(id: "shop.rules:rate", country: string): integer?, polycall.Error?\n' in lua
    assert "---@class shop.rules.Line\n---@field sku string\n" in lua


def test_bytes_are_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary = GUESTS / "bin" / "caller.wasm"
    index = f"""
namespace: app
entries:
  - {{name: bin, kind: fs.directory, directory: {binary.parent}}}
  - {{name: relay, kind: function.wasm, fs: bin, path: caller.wasm, hash: {hash_of(binary)}, method: relay-bytes}}
"""
    write_project(tmp_path, index=index)
    run(capsys, "-C", str(tmp_path), "stubs", "--python", str(tmp_path / "stubs"))
    text = (tmp_path / "stubs" / "app.py").read_text()
    assert "bytes, *, timeout: float | None = None) -> Ok[bytes] | Err[str]:" in text
    assert lua_definitions([])["json.lua"].startswith("---@meta json\n")
