"""Sentences of SECURITY.md that no other test is about."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import polycall
from lua_guests import body, context, prepare, program, run
from polycall.interop.context import DEFAULT_MAX_DEPTH
from polycall.interop.errors import ConversionError
from projects import GUESTS, REPOSITORY, hash_of, write_project

INDEX = f"""
namespace: app
entries:
  - name: ask
    kind: function.lua
    modules: [funcs]
    method: ask
    source: |
      local funcs = require("funcs")
      return {{ ask = function(target, ...)
          local answer, err = funcs.call(target, ...)
          local told = err and table.concat({{ err:message(), tostring(err), err:stack() or "" }})
          return {{ answer = answer, told = told }}
      end }}
  - {{name: files, kind: fs.directory, directory: ./files}}
  - {{name: none, kind: fs.directory, directory: ./nowhere}}
  - {{name: own, kind: fs.directory, directory: {GUESTS / "bin"}}}
  - {{name: absent, kind: function.wasm, fs: files, path: absent.wasm, hash: "sha256:{"0" * 64}", method: f}}
  - {{name: folderless, kind: function.wasm, fs: none, path: absent.wasm, hash: "sha256:{"0" * 64}", method: f}}
  - {{name: changed, kind: function.wasm, fs: own, path: caller.wasm, hash: "sha256:{"0" * 64}", method: f}}
  - {{name: unexported, kind: function.wasm, fs: own, path: caller.wasm, method: f,
      hash: "{hash_of(GUESTS / "bin" / "caller.wasm")}"}}
  - {{name: misspelt, kind: function.lua, source: "file://misspelt.lua", method: f}}
  - {{name: methodless, kind: function.lua, source: "return {{}}", method: f}}
  - {{name: raising, kind: function.lua, source: "return {{ f = function() error('no') end }}", method: f}}
  - {{name: trapping, kind: function.wat, method: f, wit: "f: func()",
      source: '(module (func (export "f") unreachable))'}}
  - {{name: unreadable, kind: function.wat, method: f, wit: "f: func()", source: "(module (func"}}
"""
OTHER = """
namespace: other.place
entries:
  - {name: here, kind: function.lua, source: "return { f = function() return 'here' end }", method: f}
"""
BROKEN = (
    "absent",
    "folderless",
    "changed",
    "unexported",
    "misspelt",
    "methodless",
    "raising",
    "trapping",
    "unreadable",
)
ELSEWHERE = ("files", "nobody")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    (tmp_path / "files").mkdir()
    (tmp_path / "other").mkdir()
    write_project(tmp_path / "other", index=OTHER)
    write_project(tmp_path, index=INDEX, misspelt_lua="retrun {}")
    with polycall.load(tmp_path) as registry:
        yield registry


@pytest.mark.parametrize("target", [f"app:{name}" for name in (*BROKEN, *ELSEWHERE)] + ["py:fails"])
def test_an_error_tells_a_guest_neither_paths_of_the_host_nor_tracebacks_of_python(
    registry: polycall.Registry, target: str
) -> None:
    @registry.function("py:fails")
    def fails() -> None:
        raise ValueError("what it says of itself")

    answer = registry.call("app:ask", target)
    assert isinstance(answer, dict)
    told = str(answer["told"])
    assert target in told or target.partition(":")[2] in told
    for secret in (str(registry.root), str(REPOSITORY), "/tmp", "Traceback", ".py"):
        assert secret not in told


def test_a_guest_with_funcs_may_call_every_entry_of_its_project(registry: polycall.Registry) -> None:
    registry.function("py:here")(lambda: "here")
    for target in ("other.place:here", "py:here"):
        assert registry.call("app:ask", target) == {"answer": "here"}


def test_text_that_a_guest_passes_out_many_times_over_does_not_multiply_in_the_host() -> None:
    text = "local s, t = ('x'):rep(1000000), {} for i = 1, (...) do t[i] = s end "
    assert len(str(run(text + "return t", 100))) > 100_000_000
    with pytest.raises(ConversionError, match=r"\$\.result\[134\]: expected at most 134217728 bytes in all"):
        run(text + "return t", 3000)
    keys = "local k, t = ('k'):rep(60000), {} for i = 1, (...) do t[i] = { [k] = 1 } end return t"
    with pytest.raises(ConversionError, match="bytes in all"):
        run(keys, 3000)
    refused = "local answer, err = require('json').encode(t) return answer == nil and err:kind()"
    assert run(text + refused, 3000) == "Internal"


def test_a_chain_has_at_most_32_calls(tmp_path: Path) -> None:
    assert DEFAULT_MAX_DEPTH == 32
    (tmp_path / "polycall.yaml").touch()
    with pytest.raises(ValueError, match="1 to 32"):
        polycall.load(tmp_path, max_depth=33)


def test_two_instances_of_one_entry_share_no_state() -> None:
    function = prepare(program("local n = 0 " + body("n = n + 1 counted = (counted or 0) + 1 return n + counted")))
    first, second = function.instantiate(), function.instantiate()
    assert [first.call([], context()), first.call([], context()), second.call([], context())] == [2, 4, 2]


OURS = {
    # Writes how values are lifted and lowered; a test of its own sees to it that nothing of a guest becomes source.
    REPOSITORY / "wasm_runtime" / "canonical" / "source.py": {"exec"},
    # Reads plans out of the user's own cache, where machine code is as well, by a reader that makes nothing else.
    REPOSITORY / "wasm_runtime" / "component" / "plans.py": {"pickle"},
}


def test_nothing_of_others_is_ever_unpickled_nor_evaluated() -> None:
    for package in ("polycall", "registry", "lua_runtime", "wasm_runtime", "interop"):
        for file in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [node.func.id] if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else []
                assert not {"pickle", "marshal", "shelve", "eval", "exec"} & set(names) - OURS.get(file, set()), file
