"""Builds the wheel and uses it in a fresh environment, from an empty folder."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.metadata import Metadata

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), str(REPOSITORY)], out)
    return next(out.glob("polycall-*.whl"))


@pytest.fixture(scope="session")
def wheel_of_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdist")
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(REPOSITORY)], out)
    return next(out.glob("polycall-*.whl"))


def _run(command: list[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    environment |= {"NO_COLOR": "1", "POLYCALL_CACHE_DIR": str(folder / "compiled")}
    result = subprocess.run(
        command, cwd=folder, env=environment, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="session")
def programs(wheel: Path) -> Path:
    """Returns the folder of the programs of an environment that the wheel is installed in, with what it needs.

    That is in the versions that these tests run with. The pip that installs is ours: one more would take seconds.
    """
    fresh = wheel.parent / "fresh"
    _run([sys.executable, "-m", "venv", "--without-pip", str(fresh)], wheel.parent)
    versions = {re.sub(r"[-_.]+", "-", each.name).lower(): each.version for each in distributions()}
    versions.pop("polycall", None)
    constraints = wheel.parent / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(versions.items())))
    pip = [sys.executable, "-m", "pip", "--python", str(fresh / "bin" / "python"), "--disable-pip-version-check"]
    # What is not imported need not be compiled, which is most of what is installed.
    _run([*pip, "install", "--quiet", "--no-compile", "--constraint", str(constraints), str(wheel)], wheel.parent)
    return fresh / "bin"


def test_the_wheel_works_in_a_fresh_environment(programs: Path, tmp_path: Path) -> None:
    python, polycall = (str(programs / name) for name in ("python", "polycall"))
    _run([polycall, "init", "project"], tmp_path)
    project = tmp_path / "project"
    assert '"vowels": 3' in _run([polycall, "call", "app:welcome", "--string", "World"], project)
    assert _run([polycall, "check"], project) == "no problems in 3 entries\n"
    assert _run([python, "-m", "polycall", "--version"], tmp_path).startswith("polycall, version ")
    script = "import polycall; print(polycall.load('project').call('app:greet', 'Ana'))"
    assert _run([python, "-c", script], tmp_path) == "Hello, Ana!\n"


def test_an_application_may_have_modules_named_like_our_packages(programs: Path, tmp_path: Path) -> None:
    python = str(programs / "python")
    claims = (
        "import importlib.metadata as m\n"
        "print([name for name, owners in m.packages_distributions().items() if 'polycall' in owners])"
    )
    assert _run([python, "-c", claims], tmp_path) == "['polycall']\n"
    application = tmp_path / "application"
    application.mkdir()
    for name in ("registry", "interop", "lua_runtime", "wasm_runtime"):
        (application / f"{name}.py").write_text(f"whose = 'the application, {name}'\n")
    wat = '(module (func (export "f") (result i32) i32.const 3))'
    entries: list[dict[str, str]] = [
        {"name": "one", "kind": "function.lua", "source": "return { f = function() return 1 end }"},
        {
            "name": "two",
            "kind": "function.lua",
            "source": "return { f = function() return 2 end }",
            "isolation": "process",
        },
        {"name": "three", "kind": "function.wat", "source": wat, "wit": "f: func() -> s32"},
    ]
    declared = [{"method": "f", **entry} for entry in entries]
    (application / "_index.json").write_text(json.dumps({"namespace": "app", "entries": declared}))
    (application / "main.py").write_text(
        "import registry, interop, lua_runtime, wasm_runtime\nimport polycall\n"
        "with polycall.load('.') as loaded:\n"
        "    print([loaded.call('app:' + name) for name in ('one', 'two', 'three')], registry.whose)\n"
    )
    assert _run([python, "main.py"], application) == "[1, 2, 3] the application, registry\n"


def test_the_wheel_has_everything_that_is_no_python_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "polycall/wasm_runtime/wit/funcs.wit",
        "polycall/registry/templates/project/_index.yaml",
        "polycall/py.typed",
        "polycall/lua_runtime/lua/guard/guard.lua",
    ):
        assert needed in names
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"polycall"}
    assert {"LICENSE", "NOTICE"} <= {name.rpartition("licenses/")[2] for name in names}
    assert "polycall/lua_runtime/sandbox/lua.wasm" in names


def test_the_metadata_is_complete_and_valid(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Metadata.from_email(archive.read(name), validate=True)
    assert metadata.license_expression == "Apache-2.0"
    published = {*(metadata.project_urls or {}).values(), *re.findall(r"\]\(([^)]*)\)", metadata.description or "")}
    assert [link for link in published if not re.match("https://|#", link) or ".example" in link] == []
    assert "In a clone, `make demo`" in (metadata.description or "")
    assert metadata.description_content_type == "text/markdown"
    classifiers = metadata.classifiers or []
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(classifiers)
    assert not [each for each in classifiers if each.startswith("License ::")], "the expression says it"


def test_with_an_address_the_links_lead_into_the_repository() -> None:
    hook, address = runpy.run_path(str(REPOSITORY / "hatch_build.py")), "https://git.test/o/polycall"
    readme = "[a](docs/a.md#b) ![p](p.png) [there](https://x.test) [here](#here)"
    assert hook["long_description"](readme, address) == (
        f"[a]({address}/blob/main/docs/a.md#b) ![p]({address}/raw/main/p.png) [there](https://x.test) [here](#here)"
    )
    assert hook["long_description"](readme, "") == "a p [there](https://x.test) [here](#here)"
    assert set(hook["links"](address)) == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    assert hook["links"]("") == {}


@pytest.mark.parametrize("source", [False, True], ids=["wheel", "source"])
def test_pip_downloads_it_where_there_is_no_index(wheel_of_sdist: Path, tmp_path: Path, source: bool) -> None:
    only = ["--no-binary", "polycall", "--no-build-isolation"] if source else ["--only-binary", "polycall"]
    index = ["--no-index", "--find-links", str(wheel_of_sdist.parent)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    _run([*pip, *index, *only, "--dest", str(tmp_path / "got"), "polycall"], tmp_path)
    assert [path.suffix for path in (tmp_path / "got").iterdir()] == [".gz" if source else ".whl"]


def test_a_wheel_built_from_the_source_distribution_has_the_same_files(wheel: Path, wheel_of_sdist: Path) -> None:
    assert sorted(zipfile.ZipFile(wheel_of_sdist).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())
