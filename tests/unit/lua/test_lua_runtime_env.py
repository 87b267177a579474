"""The module `env` and the kinds `env.*`, together as a guest sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lua_projects import in_process_and_isolated, load_lua, run_lua
from polycall.interop.values import Value

__all__ = ["in_process_and_isolated"]  # a fixture: found by its name in this module
pytestmark = pytest.mark.usefixtures("in_process_and_isolated")

ENTRIES = """
- {name: memory, kind: env.storage.memory}
- {name: os, kind: env.storage.os}
- {name: file, kind: env.storage.file, file_path: config/.env, auto_create: true, file_mode: "0600"}
- {name: static, kind: env.storage.static, values: {REGION: north, EMPTY: ""}}
- {name: router, kind: env.storage.router, storages: [memory, os]}
- {name: city, kind: env.variable, variable: CITY, storage: memory, default: Porto}
- {name: home, kind: env.variable, variable: POLYCALL_TEST_HOME, storage: router}
- {name: token, kind: env.variable, variable: TOKEN, storage: file}
- {name: region, kind: env.variable, variable: REGION, storage: static}
- {name: empty, kind: env.variable, variable: EMPTY, storage: static}
- {name: fixed, kind: env.variable, variable: FIXED, storage: memory, default: x, readonly: true}
- {name: path, kind: env.variable, variable: PATH, storage: os}
"""


def run(folder: Path, body: str, *arguments: Value) -> Value:
    return run_lua(folder, body, *arguments, entries=ENTRIES)


def test_start_up_code_may_read_variables(tmp_path: Path) -> None:
    entries = (
        ENTRIES
        + """
- name: starter
  kind: function.lua
  modules: [env]
  method: go
  isolation: process
  source: |
    local env = require("env")
    local region, err = env.get("region"), select(2, env.get("NOTHING"))
    return { go = function() return { region, err:kind() } end }
"""
    )
    for isolation in ("process", "none"):
        with load_lua(tmp_path, "return 1", entries.replace("process", isolation)) as registry:
            assert registry.call("app:starter") == ["north", "NotFound"]


@pytest.mark.parametrize("name", ["REGION", "app:region", "region"])
def test_a_variable_has_a_public_name_an_id_and_a_name_in_its_namespace(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, "return told(env.get(...))", name) == "north"


def test_the_default_stands_in_for_nothing_and_for_the_empty_string(tmp_path: Path) -> None:
    assert run(tmp_path, "return told(env.get('CITY'))") == "Porto"
    assert run(tmp_path, "assert(env.set('CITY', '')) return told(env.get('CITY'))") == "Porto"
    assert run(tmp_path, "assert(env.set('CITY', 'Faro')) return told(env.get('CITY'))") == "Faro"


def test_a_variable_without_a_value_or_a_declaration_is_not_found(tmp_path: Path) -> None:
    assert run(tmp_path, "return told(env.get('EMPTY'))") == (
        "NotFound: the variable EMPTY has no value (set it, or declare a default)"
    )
    assert run(tmp_path, "return told(env.get('HOME'))") == (
        'NotFound: there is no variable "HOME" (declare an env.variable entry)'
    )
    assert (
        run(tmp_path, "return told(env.get('CITI'))") == 'NotFound: there is no variable "CITI" (did you mean "CITY"?)'
    )
    assert str(run(tmp_path, "return told(env.get('app:memory'))")).startswith("NotFound")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FIXED", "PermissionDenied: the variable FIXED is declared readonly"),
        ("REGION", "PermissionDenied: app:static cannot be written: its values stand in the declaration"),
        ("PATH", "PermissionDenied: app:os cannot be written: the environment of the process is only read"),
    ],
)
def test_what_is_read_only_is_not_written(tmp_path: Path, name: str, message: str) -> None:
    assert run(tmp_path, "return told(env.set(..., 'other'))", name) == message
    assert run(tmp_path, "return env.get('FIXED')") == "x"


def test_only_reasonable_text_is_kept(tmp_path: Path) -> None:
    for value in ("string.char(255)", "'a\\0b'", "('x'):rep(70000)", "7", "nil"):
        assert str(run(tmp_path, f"return told(env.set('CITY', {value}))")).startswith("Invalid: "), value
    assert str(run(tmp_path, "return told(env.get(''))")).startswith("Invalid: ")


def test_a_router_reads_the_first_that_has_a_value_and_writes_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYCALL_TEST_HOME", "from outside")
    body = """
local before = env.get("POLYCALL_TEST_HOME")
assert(env.set("POLYCALL_TEST_HOME", "ours"))
return { before, env.get("POLYCALL_TEST_HOME") }"""
    assert run(tmp_path, body) == ["from outside", "ours"]


def test_what_the_process_has_need_not_be_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYCALL_TEST_HOME", "\udcff")
    assert run(tmp_path, "return env.get('app:home')") == b"\xff"


def test_get_all_gives_every_declared_variable_that_has_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("UNDECLARED", "secret")
    assert run(tmp_path, "return env.get_all()") == {"CITY": "Porto", "FIXED": "x", "PATH": "/bin", "REGION": "north"}


def test_the_file_is_made_with_its_folders_when_it_is_written(tmp_path: Path) -> None:
    body = "local before = env.get('TOKEN') assert(env.set('TOKEN', 'a b')) return { before == nil, env.get('TOKEN') }"
    assert run(tmp_path, body) == [True, "a b"]
    file = tmp_path / "config/.env"
    assert file.read_text() == 'TOKEN="a b"\n'
    assert file.stat().st_mode & 0o777 == 0o600


def test_only_who_lists_the_module_has_it(tmp_path: Path) -> None:
    outsider = """
- name: outsider
  kind: function.lua
  method: main
  source: |
    return { main = function() return (pcall(require, "env")) end }
"""
    with load_lua(tmp_path, "return env.get('CITY')", ENTRIES + outsider) as registry:
        assert registry.call("app:main") == "Porto"
        assert registry.call("app:outsider") is False


def test_values_in_memory_are_shared_by_the_functions_of_a_registry(tmp_path: Path) -> None:
    with load_lua(tmp_path, "local v = env.get('CITY') env.set('CITY', v .. '!') return v", ENTRIES) as registry:
        assert [registry.call("app:main") for _ in range(3)] == ["Porto", "Porto!", "Porto!!"]
