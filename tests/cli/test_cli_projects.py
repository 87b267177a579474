from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from polycall.registry.cli.main import main
from projects import GUESTS, hash_of, write_project

BROKEN = """
namespace: app
entries:
  - name: greet
    kind: function.lau
    metod: greet
  - name: assets
    kind: fs.directory
    directory: nowhere
  - name: binary
    kind: function.wasm
    fs: guests
    path: caller.wasm
    hash: sha256:0000000000000000000000000000000000000000000000000000000000000000
    method: relay-string
  - name: guests
    kind: fs.directory
    directory: {guests}
  - name: typo
    kind: function.lua
    source: "return {{ go = function() end }}"
    method: og
  - name: ungranted
    kind: function.wasm
    fs: guests
    path: js-caller.wasm
    hash: {js_hash}
    method: relay-string
    imports: ["wasi:random"]
  - name: unknown
    kind: function.wat
    source: |
      (component
        (import "test:host/x" (instance $x (export "f" (func))))
        (core module $m (func (export "g")))
        (core instance $i (instantiate $m))
        (func (export "g") (canon lift (core func $i "g"))))
    method: g
  - name: library
    kind: library.lua
    source: "return {{"
"""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def project(tmp_path: Path) -> Path:
    js_hash = hash_of(GUESTS / "bin" / "js-caller.wasm")
    return write_project(tmp_path, index=BROKEN.format(guests=GUESTS / "bin", js_hash=js_hash))


def test_init_makes_a_project_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "x"
    code, out, _ = run(capsys, "init", str(folder))
    assert (code, out.splitlines()[0]) == (0, f"Made a project in {folder}. Try it:")
    code, out, _ = run(capsys, "-C", str(folder), "call", "app:welcome", "--string", "World")
    assert (code, json.loads(out)) == (0, {"greeting": "Hello, World!", "vowels": 3})
    code, out, _ = run(capsys, "-C", str(folder), "check")
    assert (code, out) == (0, "no problems in 3 entries\n")


def test_init_says_here_of_the_folder_one_is_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "init")
    assert (code, out.splitlines()[0]) == (0, "Made a project here. Try it:")
    code, _, err = run(capsys, "init", ".")
    assert (code, "this folder already has" in err, "use polycall add in this one" in err) == (2, True, True)


def test_init_never_overwrites_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "greet.lua").write_text("mine")
    code, _, err = run(capsys, "init", str(tmp_path))
    assert code == 2
    assert "already has greet.lua" in err
    assert [path.name for path in tmp_path.iterdir()] == ["greet.lua"]
    assert (tmp_path / "greet.lua").read_text() == "mine"


def test_list_shows_and_filters_entries(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "-C", str(project), "list", "--kind", "function.*", "--json")
    assert code == 0
    rows = json.loads(out)
    assert [row["id"] for row in rows] == ["app:binary", "app:greet", "app:typo", "app:ungranted", "app:unknown"]
    assert rows[2]["file"] == "_index.yaml:19:5"
    code, out, _ = run(capsys, "-C", str(project), "list", "-n", "app", "-k", "library.lua")
    assert out == "app:library  library.lua\n"
    assert run(capsys, "-C", str(project), "list", "-n", "ap") == (
        0,
        "",
        'no entries of namespace ap (did you mean "app"?)\n',
    )


def test_check_finds_everything_that_can_be_known(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "-C", str(project), "check")
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("_index.yaml:5:11: error: ")
    assert 'did you mean "function.lua"' in lines[0]
    assert lines[1].startswith("_index.yaml:9:16: error: entries[1].directory: app:assets: there is no folder nowhere")
    assert lines[2].startswith("_index.yaml:14:11: error: entries[2].hash: app:binary: ")
    assert "expected sha256:0000" in lines[2]
    assert lines[3].startswith(
        '_index.yaml:22:13: error: entries[4].method: app:typo: the method "og" is not a function'
    )
    ungranted = [line for line in lines if "app:ungranted" in line]
    assert any("imports from funcs, wasi:cli, wasi:clocks" in line and ": warning: " in line for line in ungranted)
    assert not any("wasi:random" in line for line in ungranted)
    assert any("nobody offers the imports test:host/x" in line for line in lines)
    assert any("app:library" in line and "_index.yaml:41: " in line for line in lines)
    assert lines[-1] == "5 errors, 2 warnings"


def test_check_prints_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "-C", str(project), "check", "--json")
    rows = json.loads(out)
    assert code == 1
    assert {row["code"] for row in rows} == {
        "warning",
        "declaration",
        "not_found",
        "hash",
        "missing_export",
        "preparation",
    }
    assert rows[0]["file"] == "_index.yaml"


def test_check_reports_declarations_that_do_not_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, index="namespace: app\nentries:\n  - {name: x, kind: function.lua}\n")
    code, out, _ = run(capsys, "-C", str(tmp_path), "check")
    assert code == 1
    assert out.splitlines()[-1] == "2 errors, 0 warnings"
    code, _, err = run(capsys, "-C", str(tmp_path), "list")
    assert code == 3
    assert err.startswith("error: 2 problems in the declarations:\n  _index.yaml:3:5: entries[0].")


def test_show_tells_signature_imports_and_defaults(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "-C", str(project), "show", "app:ungranted")
    assert code == 0
    assert "  signature       func(target: string, input: string) -> result<string, string>\n" in out
    assert "  granted         wasi:random\n" in out
    assert "wippy:runtime/funcs@0.1.0 (not granted: funcs)" in out
    assert "wasi:random/insecure-seed@0.2.12\n" in out
    code, out, _ = run(capsys, "-C", str(project), "show", "app:unknown", "--json")
    assert json.loads(out)["imports"]["needed"] == [
        {"name": "test:host/x", "group": None, "granted": False, "available": False, "link": None}
    ]
    code, out, _ = run(capsys, "-C", str(project), "show", "app:guests", "--json")
    assert json.loads(out)["folder"] == str(GUESTS / "bin")


def test_show_tells_mounts_and_bounds_in_words(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mount = "    wasi: {mounts: [{fs: guests, guest: /data, read_only: true}]}\n"
    index = (project / "_index.yaml").read_text()
    (project / "_index.yaml").write_text(
        index.replace('    imports: ["wasi:random"]\n', f'    imports: ["wasi:random"]\n{mount}')
    )
    code, out, _ = run(capsys, "-C", str(project), "show", "app:ungranted")
    assert code == 0
    assert "fs app:guests, guest /data, read_only true\n" in out
    assert "max_open_files 64, " in out


def test_a_project_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "-C", str(tmp_path / "nowhere"), "list")
    assert code == 4
    assert err.startswith("error: there is no project folder")


def test_help_and_wrong_commands_have_the_usual_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--help")[0] == 0
    code, _, err = run(capsys, "cal")
    assert code == 2
    assert "No such command 'cal' (did you mean \"call\"?)" in err


def test_debug_shows_the_traceback_and_keeps_the_exit_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--debug", "-C", str(project), "call", "app:nothing")
    assert code == 4
    assert err.startswith("Traceback (most recent call last)")


def test_debug_behind_the_command_is_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "-C", str(project), "call", "app:nothing", "--string", "--", "--debug")
    assert (code, err) == (4, "error: there is no entry app:nothing\nhint: polycall list has all of them\n")


def test_listing_imports_no_engine(project: Path) -> None:
    script = (
        "import sys; from polycall.registry.cli.main import main; "
        f"main(['-C', {str(project)!r}, 'list']); "
        "sys.exit(any(name.split('.')[0] in ('lupa', 'wasmtime', 'asyncio') for name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", script], env=os.environ, check=False, capture_output=True)
    assert result.returncode == 0
