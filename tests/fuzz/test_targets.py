"""Each fuzz target reaches the code it is about, and lets out what is no error of polycall's."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuzz.targets import TARGETS
from polycall.interop.errors import InternalError, PreparationError

PLACES = {
    "yaml": "polycall.registry.reading.entry_file.read_document",
    "hashes": "polycall.registry.binary_hashes.edited",
    "wit": "polycall.wasm_runtime.wit.wit_parser._Parser.declarations",
    "dotenv": "polycall.registry.services.dotenv._unescaped",
    "messages": "polycall.registry.isolation.error_data._frames",
    "lua": "polycall.lua_runtime.kernel.lower_scalars",
    "components": "polycall.wasm_runtime.component.instance.ComponentInstance.call",
}


class PlantedError(Exception):
    """A fault that somebody made."""


def planted(error: type[Exception]) -> Callable[..., Any]:
    def fail(*_arguments: object) -> Any:
        raise error("planted")

    return fail


def run_seeds(name: str, folder: Path) -> None:
    target = TARGETS[name]
    run = target.open(folder)
    for seed in target.seeds:
        run(seed)


@pytest.mark.parametrize("name", list(TARGETS))
def test_a_planted_fault_comes_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_seeds(name, tmp_path)
    monkeypatch.setattr(PLACES[name], planted(PlantedError))
    with pytest.raises((PlantedError, InternalError), match=r"planted|engine failed"):
        run_seeds(name, tmp_path)


@pytest.mark.parametrize("name", ["yaml", "hashes", "wit", "lua", "components"])
def test_an_error_of_polycalls_is_no_fault(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = TARGETS[name]
    run = target.open(tmp_path)
    monkeypatch.setattr(PLACES[name], planted(PreparationError))
    for seed in target.seeds:
        run(seed)


@pytest.mark.parametrize("name", list(TARGETS))
def test_damaged_seeds_find_nothing(name: str, tmp_path: Path) -> None:
    target, chance = TARGETS[name], random.Random(7)
    run = target.open(tmp_path)
    for _ in range(60):
        data = bytearray(chance.choice(target.seeds))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3)) or b"\xff"
        run(bytes(data))
