"""What `polycall wit` writes, given to the tools of the Component Model; only with the option ``--toolchains``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from commands import run
from projects import REPOSITORY, write_project
from wit_worlds import COMPONENTS, LINKED, RICH, RULES

TOOLS = REPOSITORY / ".guests-tools"


@pytest.fixture(autouse=True)
def _toolchains(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("toolchains"):
        pytest.skip("--toolchains runs it")


def tool(*command: str | Path, cwd: Path) -> str:
    path = os.pathsep.join([str(TOOLS / "venv" / "bin"), str(TOOLS / "node_modules" / ".bin"), os.environ["PATH"]])
    done = subprocess.run(command, cwd=cwd, env={**os.environ, "PATH": path}, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.stem)
def test_wasm_tools_reads_what_is_shown_of_a_component(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shown.wit").write_text(run(capsys, "wit", str(path)).out)
    ours = tool("wasm-tools", "component", "wit", "shown.wit", cwd=tmp_path)
    theirs = tool("wasm-tools", "component", "wit", path, cwd=tmp_path)
    named = [line.strip() for line in theirs.splitlines() if line.strip().startswith(("import ", "export "))]
    assert sorted(named) == sorted(
        line.strip() for line in ours.splitlines() if line.strip().startswith(("import ", "export "))
    )


def test_every_kind_of_type_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rich.wat").write_text(RICH)
    (tmp_path / "shown.wit").write_text(run(capsys, "wit", str(tmp_path / "rich.wat")).out)
    assert "merge: static func" in tool("wasm-tools", "component", "wit", "shown.wit", cwd=tmp_path)


def test_every_tool_takes_the_world_of_an_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, index=LINKED.replace(', "wasi:cli"', ""), rules_yaml=RULES)
    assert run(capsys, "-C", str(tmp_path), "wit", "app:bill", "--output", str(tmp_path / "wit")).code == 0
    assert "export bill" in tool("wasm-tools", "component", "wit", "wit", cwd=tmp_path)
    tool("componentize-py", "-d", "wit", "-w", "bill", "bindings", "python", cwd=tmp_path)
    (tmp_path / "bill.js").write_text(
        'import { taxRate } from "shop:rules/tax@1.0.0";\n'
        "export function bill(country) { return taxRate(country).percent; }\n"
        "export const sums = { total() { return 1n; } };\n"
    )
    flags = ("--backend", "quickjs", "--backend-qjs-disable-async", "--backend-qjs-stub-wasi")
    tool(
        "jco",
        "componentize",
        "bill.js",
        "--wit",
        "wit",
        "--world-name",
        "bill",
        *flags,
        "-o",
        "bill.wasm",
        cwd=tmp_path,
    )
    assert (tmp_path / "python").is_dir()
    assert "tax-rate: func(country: string) -> rate;" in run(capsys, "wit", str(tmp_path / "bill.wasm")).out
