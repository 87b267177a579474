"""Every 0.2 version of every interface is served by the same class, and one component may mix them."""

from __future__ import annotations

from pathlib import Path

import pytest

import polycall
from polycall.wasm_runtime.component.host import Interfaces
from polycall.wasm_runtime.wasi.interfaces import _CLASSES, wasi_interface
from wasi_guests import SLEEPER, wasi_project

PATCHES = range(13)


def test_every_version_of_every_interface_is_served_by_one_class() -> None:
    interfaces = Interfaces((), wasi_interface)
    for name in _CLASSES:
        latest = interfaces.find(f"{name}@0.2.12")
        assert latest is not None
        assert {interfaces.find(f"{name}@0.2.{patch}") for patch in PATCHES} == {latest}
        for other in ("0.1.0", "0.3.0", "1.0.0"):
            assert interfaces.find(f"{name}@{other}") is None, (name, other)


@pytest.mark.parametrize("patch", [0, 4, 12])
def test_a_guest_may_mix_them(tmp_path: Path, patch: int) -> None:
    guest = SLEEPER.replace("poll@0.2.0", f"poll@0.2.{patch}").replace("clock@0.2.3", f"clock@0.2.{12 - patch}")
    with polycall.load(wasi_project(tmp_path, guest, "sleep", "wasi:clocks", "wasi:io")) as registry:
        assert registry.call("app:guest", 1) is None
