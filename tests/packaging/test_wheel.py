"""Builds the wheel and uses it in a fresh environment, from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(REPOSITORY)], out)
    return next(out.glob("polycall-*.whl"))


def _run(command: list[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    environment["NO_COLOR"] = "1"
    result = subprocess.run(
        command, cwd=folder, env=environment, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_the_wheel_works_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    _run([sys.executable, "-m", "venv", "fresh"], tmp_path)
    python, polycall = (str(tmp_path / "fresh" / "bin" / name) for name in ("python", "polycall"))
    _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)], tmp_path)
    _run([polycall, "init", "project"], tmp_path)
    project = tmp_path / "project"
    assert '"vowels": 3' in _run([polycall, "call", "app:welcome", "--string", "World"], project)
    assert _run([polycall, "check"], project) == "no problems in 3 entries\n"
    assert _run([python, "-m", "polycall", "--version"], tmp_path).startswith("polycall, version ")
    script = "import polycall; print(polycall.load('project').call('app:greet', 'Ana'))"
    assert _run([python, "-c", script], tmp_path) == "Hello, Ana!\n"


def test_the_wheel_has_everything_that_is_no_python_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "wasm_runtime/wit/funcs.wit",
        "registry/templates/project/_index.yaml",
        "polycall/py.typed",
        "lua_runtime/lua/guard.lua",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("tests/", "examples/", "docs/", "benchmarks/"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)
