from __future__ import annotations

import errno
import importlib.metadata
import json
import os
from pathlib import Path

import pytest

from commands import run
from polycall.registry import doctor
from polycall.registry.doctor import Diagnosis, examine


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("POLYCALL_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def engines_untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes over the engines, which compile for half a second: for tests that are about something else."""
    monkeypatch.setattr(doctor, "_engines", lambda: iter(()))


def found(name: str) -> Diagnosis:
    return next(diagnosis for diagnosis in examine() if diagnosis.name == name)


def test_a_sound_installation_has_versions_engines_and_its_own_packages(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "doctor", "--json")
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert done.code == 0
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["wasmtime"]["value"] == importlib.metadata.version("wasmtime")
    assert rows["Lua"]["value"] == "runs Lua 5.4"
    assert rows["components"]["value"] == "compile and run"
    assert Path(rows["import polycall"]["value"]).name == "polycall"


def test_the_plain_output_has_one_line_for_each_thing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "doctor").out.splitlines()
    assert lines[0].split()[:2] == ["ok", "python"]
    assert all(line.startswith("ok  ") for line in lines)


@pytest.mark.usefixtures("engines_untried")
def test_the_cache_is_described_and_not_made(cache: Path) -> None:
    assert found("cache").value == f"{cache}, 0 files, 0.0 MiB"
    assert not cache.exists()
    cache.mkdir()
    (cache / f"{0:064x}.compiled").write_bytes(bytes(3 * 2**20))
    assert found("cache").value == f"{cache}, 1 files, 3.0 MiB"


@pytest.mark.usefixtures("engines_untried")
def test_a_cache_that_cannot_be_written_is_a_warning(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.write_text("a file in the way")
    done = run(capsys, "doctor")
    assert done.code == 0
    line = next(line for line in done.out.splitlines() if line.startswith("warning"))
    assert line.split(maxsplit=2) == ["warning", "cache", f"{cache} cannot be used: it is no folder"]
    assert "cache: without it every start compiles anew; remove it, or set POLYCALL_CACHE_DIR" in done.out


@pytest.mark.usefixtures("engines_untried")
def test_a_cache_on_a_full_disk_is_a_warning(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir(mode=0o700)
    write_bytes = Path.write_bytes

    def refuse(path: Path, data: bytes) -> int:
        if cache in path.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    diagnosis = found("cache")
    assert (diagnosis.status, diagnosis.value) == ("warning", f"{cache} cannot be used: No space left on device")
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("engines_untried")
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder where nobody can make one, root neither")
def test_a_cache_that_nobody_can_make_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYCALL_CACHE_DIR", "/proc/polycall")
    diagnosis = found("cache")
    assert diagnosis.status == "warning"
    assert diagnosis.value.startswith("/proc/polycall cannot be used: ")


@pytest.mark.usefixtures("engines_untried")
def test_a_cache_that_others_may_write_is_a_warning_because_it_is_not_used(cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    assert found("cache").value == f"{cache} cannot be used: other users may write to it"


@pytest.mark.usefixtures("engines_untried")
def test_another_distribution_of_the_same_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = {"polycall": ["polycall", "acme-polycall"], "registry": ["acme-registry"]}
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: claims)
    diagnosis = found("import polycall")
    assert (diagnosis.status, diagnosis.value) == (
        "warning",
        "the distribution acme-polycall has a package of the same name",
    )
    assert "virtual environment without acme-polycall" in (diagnosis.hint or "")


def test_an_engine_that_is_missing_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polycall.wasm_runtime.runtime", None)
    diagnosis = found("components")
    assert diagnosis.status == "broken"
    assert "ModuleNotFoundError" in diagnosis.value
    assert found("Lua").status == "ok"


@pytest.mark.usefixtures("engines_untried")
def test_extras_are_listed_with_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = ["click>=8.1", 'pyyaml>=6; extra == "one"', "no-such-thing>=1 ; extra == 'two'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _name: requirements)
    extras = [diagnosis for diagnosis in examine() if diagnosis.name.startswith("extra ")]
    assert extras == [
        Diagnosis("extra one", "ok", f"pyyaml {importlib.metadata.version('pyyaml')}"),
        Diagnosis("extra two", "ok", "no-such-thing is not installed (pip install 'polycall[two]')"),
    ]
