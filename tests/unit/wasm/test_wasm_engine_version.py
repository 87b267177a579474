"""Which engine is installed, without a reader of metadata."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import wasmtime

from polycall.wasm_runtime.engine.engine_version import engine_version


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    engine_version.cache_clear()
    yield
    engine_version.cache_clear()


def test_it_is_what_the_metadata_of_the_package_says() -> None:
    assert engine_version() == version("wasmtime")


def test_it_is_read_from_the_folder_of_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wasmtime-99.1.2.dist-info").mkdir()
    monkeypatch.setattr(wasmtime, "__file__", str(tmp_path / "wasmtime" / "__init__.py"))
    assert engine_version() == "99.1.2"


@pytest.mark.parametrize("folders", [[], ["wasmtime-1.dist-info", "wasmtime-2.dist-info"]], ids=["none", "a leftover"])
def test_where_folders_do_not_tell_the_metadata_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: list[str]
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(wasmtime, "__file__", str(tmp_path / "wasmtime" / "__init__.py"))
    assert engine_version() == version("wasmtime")
