"""Ctrl-C at any moment of a start ends the command with 130 and no traceback.

Each case sends the signal while a certain module is looked for; most of a start goes into that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from projects import write_project

INDEX = """
namespace: app
entries:
  - {name: forever, kind: function.lua, method: f, source: "return { f = function() while true do end end }"}
"""
# From the first module after `polycall.__main__` to the last before the call; some in each third party's and our own.
MODULES = (
    "polycall.registry",
    "re",
    "polycall.interop.errors",
    "click",
    "click.types",
    "json",
    "yaml",
    "yaml.resolver",
    "polycall.registry.registry",
    "polycall.registry.cli.call",
    "polycall.lua_runtime.runtime",
    "lupa.lua54",
    "polycall.lua_runtime.kernel",
)
SCRIPT = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv[:] = ["polycall", *ARGUMENTS]
for name in [name for name in sys.modules if name == MODULE]:
    del sys.modules[name]
from polycall.__main__ import main
main()
"""


GOING = """
class Going:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
"""


def script(module: str, *arguments: str) -> str:
    return SCRIPT.replace("MODULE", repr(module)).replace("ARGUMENTS", repr(arguments))


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        *((module, ("call", "app:forever")) for module in MODULES),
        ("polycall.registry.cli.each", ("call", "app:forever", "--each")),
        ("csv", ("call", "app:forever", "--each")),
        ("polycall.registry.dispatch.bulk", ("call", "app:forever", "--each", "--jobs", "2")),
        ("polycall.lua_runtime.kernel", ("call", "app:forever", "--each", "--jobs", "2")),
        ("polycall.registry.file_functions", ("call", "./forever.lua", "f")),
        ("lupa.lua54", ("call", "./forever.lua", "f")),
        ("polycall.registry.cli.shell_line", ("shell",)),
    ],
)
def test_no_moment_of_a_start_shows_a_traceback(tmp_path: Path, module: str, arguments: tuple[str, ...]) -> None:
    write_project(tmp_path, index=INDEX)
    (tmp_path / "forever.lua").write_text("return { f = function() while true do end end }", "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", script(module, *arguments)],
        cwd=tmp_path, input="1\napp:forever", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 130
    assert done.stderr in ("", "interrupted\n")


def test_ctrl_c_while_an_object_goes_away_is_raised_again_and_not_printed(tmp_path: Path) -> None:
    write_project(tmp_path, index=INDEX)
    going = script("csv", "call", "app:forever", "--each", "--csv").replace("class", f"{GOING}class", 1)
    going = going.replace("            os.kill(os.getpid(), signal.SIGINT)\nsys", "            Going()\nsys")
    done = subprocess.run(
        [sys.executable, "-c", going], cwd=tmp_path, input="a\n1\n", capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert "Going()" in going
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_a_start_that_ignores_ctrl_c_goes_on_ignoring_it(tmp_path: Path) -> None:
    write_project(tmp_path, index=INDEX.replace("while true do end", "return 1"))
    ignore = "signal.signal(signal.SIGINT, signal.SIG_IGN)\nclass"
    ignoring = script("click", "call", "app:forever").replace("class", ignore)
    done = subprocess.run([sys.executable, "-c", ignoring], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n")


def test_the_package_itself_imports_nothing() -> None:
    script = "import sys; before = set(sys.modules); import polycall.__main__; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['gc', 'polycall', 'polycall.__main__']\n"
