from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

import pytest

import polycall
from polycall.interop.limits import LimitsSpec
from polycall.interop.network_rules import NetworkRules
from polycall.interop.pool_spec import PoolSpec
from polycall.registry.cli.description import describe
from polycall.registry.cli.main import main
from polycall.registry.entries.settings import Settings
from polycall.registry.reading.load import load_index
from projects import write_project

LUA = "kind: function.lua, method: go, source: 'return { go = function() while true do end end }'"
INDEX = f"""
namespace: app
entries:
  - {{name: plain, {LUA}}}
  - {{name: own, {LUA}, limits: {{max_execution_ms: 40}}, pool: {{type: inline}}}}
  - {{name: again, kind: function.lua, modules: [funcs], method: go, pool: {{type: inline}},
      limits: {{max_execution_ms: 60000}},
      source: "local funcs = require('funcs'); return {{ go = function() return funcs.call('app:again') end }}"}}
  - {{name: lib, kind: library.lua, source: return 1}}
  - name: wat
    kind: function.wat
    source: (module (func (export "go")))
    method: go
    wit: "go: func()"
"""
SETTINGS = """
limits: {max_execution_ms: 30, max_memory_bytes: 4000000}
max_depth: 3
pool: {type: static, workers: 2}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX, polycall_yaml=SETTINGS)


def test_a_project_without_the_file_has_the_documented_defaults(tmp_path: Path) -> None:
    assert Settings() == Settings(limits=LimitsSpec(), max_depth=32, pool=PoolSpec())
    with polycall.load(write_project(tmp_path, index=INDEX)) as registry:
        assert registry.get("app:plain").spec.limits == LimitsSpec()
        assert registry.get("app:plain").spec.pool == PoolSpec()


def test_an_entry_that_declares_nothing_gets_the_defaults_of_the_project(project: Path) -> None:
    with polycall.load(project) as registry:
        for name in ("app:plain", "app:wat"):
            spec = registry.get(name).spec
            assert spec.limits == LimitsSpec(max_execution_ms=30, max_memory_bytes=4_000_000)
            assert spec.pool == PoolSpec(type="static", workers=2)
        with pytest.raises(polycall.DeadlineError):
            registry.call("app:plain")


def test_what_an_entry_declares_wins_key_by_key_for_limits_and_whole_for_the_pool(project: Path) -> None:
    with polycall.load(project) as registry:
        spec = registry.get("app:own").spec
        assert spec.limits == LimitsSpec(max_execution_ms=40, max_memory_bytes=4_000_000)
        assert spec.pool == PoolSpec(type="inline")


def test_an_argument_of_load_wins_over_the_depth_of_the_file(project: Path) -> None:
    with polycall.load(project) as registry, pytest.raises(polycall.DepthError, match="deeper than 3"):
        registry.call("app:again")
    with polycall.load(project, max_depth=5) as registry:
        with pytest.raises(polycall.DepthError, match="deeper than 5"):
            registry.call("app:again")
        (project / "polycall.yaml").write_text("max_depth: 2")
        registry.reload()
        with pytest.raises(polycall.DepthError, match="deeper than 5"):
            registry.call("app:again")


def test_show_tells_the_limits_and_the_pool_that_apply(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(project), "show", "app:wat", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["limits"] == {"max_execution_ms": 30, "max_memory_bytes": 4_000_000, "max_output_bytes": None}
    assert (shown["pool"]["type"], shown["pool"]["max_size"]) == ("static", 2)


def test_isolation_is_the_projects_unless_the_entry_says_it(tmp_path: Path) -> None:
    index = """
    namespace: app
    entries:
      - {name: own, kind: function.lua, method: f, isolation: none, source: "return {f = function() end}"}
      - {name: other, kind: function.lua, method: f, source: "return {f = function() end}"}
    """
    (tmp_path / "_index.yaml").write_text(index)
    assert load_index(tmp_path).get("app:other").spec.isolation == "none"
    (tmp_path / "polycall.yaml").write_text("isolation: process\n")
    loaded = load_index(tmp_path)
    assert loaded.get("app:own").spec.isolation == "none"
    assert loaded.get("app:other").spec.isolation == "process"


def test_the_ceiling_of_the_network_is_joined_with_what_an_entry_says(tmp_path: Path) -> None:
    index = """
    namespace: app
    entries:
      - {name: plain, kind: function.wat, method: f, source: (component)}
      - {name: own, kind: function.wat, method: f, source: (component),
         wasi: {network: {allow: [loopback, "10.0.0.5"], listen: [loopback]}}}
      - {name: lua, kind: function.lua, method: f, source: "return {f = function() end}"}
    """
    (tmp_path / "_index.yaml").write_text(index)
    here, private, public = map(ip_address, ("127.0.0.1", "10.0.0.5", "8.8.8.8"))

    def rules(name: str) -> NetworkRules:
        found: NetworkRules = load_index(tmp_path).get(name).spec.wasi.network.rules()
        return found

    assert [rules("app:own").may_connect("tcp", None, each, 80) for each in (here, private, public)] == (
        [True, True, False]
    )
    assert not rules("app:plain").may_connect("tcp", None, here, 80)
    (tmp_path / "polycall.yaml").write_text("network: {allow: [public, private], deny: [8.8.4.4], listen: []}\n")
    assert [rules("app:own").may_connect("tcp", None, each, 80) for each in (here, private, public)] == (
        [False, True, False]
    )
    assert rules("app:plain").may_connect("tcp", None, public, 80)
    assert not rules("app:plain").may_connect("tcp", None, ip_address("8.8.4.4"), 80)
    assert not rules("app:own").may_listen("tcp", here, 80)
    (tmp_path / "polycall.yaml").write_text("network: {deny: [8.8.4.4]}\n")
    assert rules("app:own").may_connect("tcp", None, here, 80)
    assert rules("app:own").may_listen("tcp", here, 80)
    with polycall.load(tmp_path) as registry:
        shown = describe(registry.get("app:own"), None, tmp_path)
    assert shown["wasi"]["network"] == {
        "allow": ["loopback", "10.0.0.5"],
        "deny": [],
        "listen": ["loopback"],
        "ceiling": {"allow": None, "deny": ["8.8.4.4"], "listen": None},
    }
