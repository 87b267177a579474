"""The module `fs`, against real folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import polycall
from lua_guests import run as run_alone
from lua_projects import in_process_and_isolated, load_lua, run_lua
from polycall.interop.values import Value

__all__ = ["in_process_and_isolated"]  # a fixture: found by its name in this module
pytestmark = pytest.mark.usefixtures("in_process_and_isolated")

FILES = "- {name: files, kind: fs.directory, directory: data}\n- {name: more, kind: registry.entry}"
OPEN = 'local files = assert(fs.get("app:files"))\n'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "hello.txt").write_text("hello\nworld\n")
    return folder


def run(data: Path, body: str, *arguments: Value, limits: str = "{}") -> Value:
    return run_lua(data.parent, OPEN + body, *arguments, entries=FILES, limits=limits)


@pytest.mark.parametrize("name", ["app:files", "files"])
def test_a_folder_is_got_by_its_id_or_by_its_name_in_the_own_namespace(data: Path, name: str) -> None:
    assert run(data, "return fs.get(...):readfile('hello.txt')", name) == "hello\nworld\n"


def test_what_is_no_folder_is_refused(data: Path) -> None:
    assert run(data, "return told(fs.get('app:file'))") == (
        'NotFound: there is no entry app:file (did you mean "app:files"?)'
    )
    assert str(run(data, "return told(fs.get('app:more'))")).startswith("Invalid: app:more is registry.entry")
    assert str(run(data, "return told(fs.get(7))")).startswith("Invalid: fs.get: expected a text")


def test_without_the_service_the_module_says_so() -> None:
    text = "local _, err = require('fs').get('app:files') return err:kind()"
    assert run_alone(text, modules=("fs",)) == "Unavailable"
    assert run_alone("return select(2, require('env').get('X')):kind()", modules=("env",)) == "Unavailable"


def test_files_are_written_whole_appended_and_made_once(data: Path) -> None:
    body = """
assert(files:writefile("a.txt", "one"))
assert(files:write_file("a.txt", "two", "w"))
assert(files:writefile("a.txt", 3, "a"))
return told(files:writefile("a.txt", "four", "wx"))"""
    assert run(data, body) == "AlreadyExists: a.txt: File exists"
    assert (data / "a.txt").read_text() == "two3"


def test_bytes_that_are_no_text_survive(data: Path) -> None:
    content = bytes(range(256))
    assert run(data, "files:writefile('b', ...) return files:read_file('b')", content) == content
    assert (data / "b").read_bytes() == content


def test_folders_are_listed_made_and_removed(data: Path) -> None:
    body = """
assert(files:mkdir("new"))
local seen = {}
for entry in files:readdir("/") do
  seen[#seen + 1] = entry.name .. (entry.type == fs.type.DIR and "/" or "")
end
assert(files:remove("new"))
assert(files:remove("hello.txt"))
return seen"""
    assert run(data, body) == ["hello.txt", "inner/", "new/"]
    assert [path.name for path in data.iterdir()] == ["inner"]


def test_a_folder_that_holds_something_is_not_removed(data: Path) -> None:
    (data / "inner/x").write_text("")
    assert run(data, "return told(files:remove('inner'))") == "Conflict: inner: Directory not empty"
    assert str(run(data, "return told(files:remove('/'))")).startswith("PermissionDenied: /: the folder itself")


def test_names_that_are_not_utf8_are_bytes(data: Path) -> None:
    (data / "inner" / os.fsdecode(b"\xff\xfe")).write_text("strange")
    assert run(data, "for e in files:readdir('inner') do return files:readfile('inner/' .. e.name) end") == "strange"
    assert run(data, "for e in files:readdir('inner') do return e.name end") == b"\xff\xfe"


def test_stat_tells_size_and_type(data: Path) -> None:
    (data / "hello.txt").chmod(0o640)
    os.utime(data / "hello.txt", (1000, 1000))
    file = {"name": "hello.txt", "size": 12, "mode": 0o640, "modified": 1000, "is_dir": False, "type": "file"}
    assert run(data, "return files:stat('/hello.txt')") == file
    assert run(data, "return files:open('hello.txt'):stat()") == file
    assert run(data, "return files:stat('inner').type == fs.type.DIR") is True
    assert run(data, "return told(files:stat('no'))") == "NotFound: no: No such file or directory"


def test_exists_and_isdir_answer_for_what_is_not_there(data: Path) -> None:
    body = "return { files:exists('hello.txt'), files:exists('no'), files:isdir('inner'), files:isdir('hello.txt') }"
    assert run(data, body) == [True, False, True, False]


def test_paths_start_at_the_current_folder_of_the_object(data: Path) -> None:
    (data / "inner/x").write_text("inside")
    body = """
local other = fs.get("app:files")
assert(files:chdir("inner"))
local refused = told(files:chdir("x"))
local there, text = files:pwd(), files:readfile("x")
return { there, text, files:exists("/x"), other:pwd(), refused, files:chdir("..") and files:pwd() }"""
    assert run(data, body) == ["/inner", "inside", False, "/", "Invalid: x: Not a directory", "/"]


def test_an_open_file_is_read_in_pieces_and_ends_with_nil(data: Path) -> None:
    body = """
local file = files:open("hello.txt", "r")
local first, second, rest, over = file:read(5), file:read(1), file:read(), file:read()
file:seek(fs.seek.SET, 6)
return { first, second, rest, over == nil, file:read(3), file:seek("cur", 0), file:seek("end", -1) }"""
    assert run(data, body) == ["hello", "\n", "world\n", True, "wor", 9, 11]


def test_an_open_file_is_written_and_read_back(data: Path) -> None:
    body = """
local file = files:open("new", "w+")
assert(file:write("abc") == 3 and file:sync())
file:seek("set")
local text = file:read()
assert(file:close())
return { text, told(file:read()), told(file:close()) }"""
    assert run(data, body) == ["abc", "Invalid: new: the file is closed", "Invalid: new: the file is closed"]


def test_a_file_is_used_only_as_it_was_opened(data: Path) -> None:
    assert str(run(data, "return told(files:open('hello.txt'):write('x'))")).endswith("not open for writing")
    assert str(run(data, "return told(files:open('hello.txt', 'a'):read())")).endswith("not open for reading")
    assert str(run(data, "return told(files:open('hello.txt', 'rw'))")).startswith("Invalid: open expects")
    assert str(run(data, "return told(files:open('hello.txt'):seek('set', -1))")).startswith("Invalid: hello.txt")


@pytest.mark.parametrize(
    ("unit", "content", "tokens"),
    [
        ("lines", b"a\r\n\nb", ["a", "", "b"]),
        ("lines", b"a\n", ["a"]),
        ("lines", b"", []),
        ("words", b"  one\ttwo \n three ", ["one", "two", "three"]),
        ("bytes", b"ab", ["a", "b"]),
        ("runes", "aé€😀".encode(), ["a", "é", "€", "😀"]),
        ("runes", b"a\xffb\xe2\x82", ["a", "\ufffd", "b", "\ufffd", "\ufffd"]),
        ("words", b"x" * 70000 + b" y", ["x" * 70000, "y"]),
    ],
)
def test_a_scanner_splits_a_file(data: Path, unit: str, content: bytes, tokens: list[Value]) -> None:
    (data / "text").write_bytes(content)
    body = """
local scanner, tokens = files:open("text"):scanner((...)), {}
while scanner:scan() do tokens[#tokens + 1] = scanner:text() end
assert(scanner:err() == nil)
return tokens"""
    assert run(data, body, unit) == tokens


def test_a_scanner_gives_up_on_a_token_without_end(data: Path) -> None:
    (data / "text").write_bytes(b"x" * 3_000_000)
    body = "local s = files:open('text'):scanner('lines') return { s:scan(), s:err():message() }"
    assert run(data, body) == [False, "a token is longer than 1 MiB"]


def test_files_that_a_call_leaves_open_are_closed_at_its_end(data: Path) -> None:
    body = OPEN + "kept = kept or files:open('hello.txt') return told(kept:read())"
    with load_lua(data.parent, body, FILES) as registry:
        registry.prepare("app:main")  # starts the worker, if there is to be one
        before = len(list(Path("/dev/fd").iterdir()))
        assert registry.call("app:main") == "hello\nworld\n"
        assert len(list(Path("/dev/fd").iterdir())) == before
        assert registry.call("app:main") == "Invalid: hello.txt: the file is closed"


def test_a_call_has_a_bounded_number_of_files_open(data: Path) -> None:
    body = "for _ = 1, 64 do assert(files:open('hello.txt')) end return told(files:open('hello.txt'))"
    assert str(run(data, body)).startswith("Unavailable: hello.txt: the chain of calls has 64 files open")


def test_a_read_is_bounded_by_the_memory_limit(data: Path) -> None:
    (data / "big").write_bytes(b"x" * 3_000_000)
    limits = "{max_memory_bytes: 2000000}"
    assert run(data, "return told(files:readfile('big'))", limits=limits) == (
        "Invalid: big: the file has more than 2,000,000 bytes"
    )
    assert run(data, "return #files:open('big'):read(1000000)", limits=limits) == 1_000_000


def test_objects_are_sealed_and_know_their_own(data: Path) -> None:
    assert run(data, "return (pcall(function() files.readfile = nil end))") is False
    assert run(data, "return (pcall(rawset, files, 'readfile', 1))") is False
    assert run(data, "return select(2, pcall(files.readfile, {}, 'x'))") == (
        "expected what fs.get gives: call its methods with a colon"
    )
    assert run(data, "return told(files:readfile({}))") == "Invalid: expected a path, got a table"


def test_a_folder_is_used_at_start_up_and_its_files_are_closed_after_it(data: Path) -> None:
    index = """
namespace: app
entries:
  - {name: files, kind: fs.directory, directory: data}
  - name: main
    kind: function.lua
    modules: [fs]
    method: main
    source: |
      local file = require("fs").get("files"):open("hello.txt")
      local text = file:read()
      return { main = function() return { text, file:read() == nil } end }
"""
    (data.parent / "_index.yaml").write_text(index)
    with polycall.load(data.parent) as registry:
        assert registry.call("app:main") == ["hello\nworld\n", True]
