"""Workers of WebAssembly guests that were taken over: they may ask for what their entry declares, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attacks import Attack, attacks
from lua_guests import FakeInvoker
from polycall.interop.confined import ConfinedFolder
from polycall.interop.context import CallContext
from polycall.interop.errors import CallError, WorkerError
from polycall.interop.ids import EntryId
from polycall.interop.source import SourceText
from polycall.registry.isolation import IsolationRuntime
from polycall.wasm_runtime.spec import WasiEnvSpec, WasiMountSpec, WasiSpec, WasmProgram
from worker_scripts import fake_worker

ENTRY = EntryId.parse("app:declared")
ENV = WasiSpec(env=(WasiEnvSpec(ENTRY, "NAME"),))
MOUNT = WasiSpec(mounts=(WasiMountSpec(ENTRY, "/data"),))


class Services:
    """Knows every variable and folder, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    @property
    def environment(self) -> Services:
        return self

    @property
    def file_systems(self) -> Services:
        return self

    @property
    def entries(self) -> Services:
        return self

    def get(self, name: str, _namespace: str | None = None) -> str:
        self.asked.append(name)
        return "secret"

    def get_all(self) -> dict[str, str]:
        self.asked.append("all")
        return {"SECRET": "secret"}

    def set(self, name: str, _value: str, _namespace: str | None = None) -> None:
        self.asked.append(("set", name))

    def find(self, *_filters: object) -> list[object]:
        self.asked.append("find")
        return []

    def folder(self, name: str, _namespace: str | None = None) -> ConfinedFolder:
        self.asked.append(name)
        return ConfinedFolder(Path("/tmp"), read_only="it is")


@pytest.fixture
def services() -> Services:
    return Services()


def answers(services: Services, question: str, wasi: WasiSpec, *grants: str) -> Any:
    """Returns what a worker of an entry was answered to its question."""
    program = WasmProgram("app:guest", SourceText("", "guest.wat"), "run", grants=frozenset(grants), wasi=wasi)
    command = fake_worker(f'start()\nsend("service", {question})\nsend("result", repr(receive()))\nuntil_killed()')
    invoker = FakeInvoker({})
    runtime = IsolationRuntime(invoker, services, Path("/nonexistent"), command)  # type: ignore[arg-type]  # a fake
    instance = runtime.prepare(program).instantiate()
    try:
        return instance.call([], CallContext("app:guest", "wasm"))
    finally:
        instance.close()


ALLOWED = {
    "a variable that its entry declares": ('["app:declared"], "get"', ENV, "wasi:cli"),
    "the same for a core module": ('["app:declared"], "get"', ENV, "wasi1"),
    "a folder that its entry mounts": ('["app:declared"], "folder"', MOUNT, "wasi:filesystem"),
    "a folder for a core module": ('["app:declared"], "folder"', MOUNT, "wasi1"),
}
REFUSED = {
    "a variable that its entry does not declare": ('["app:other"], "get"', ENV, "wasi:cli"),
    "a variable by another of its names": ('["declared"], "get"', ENV, "wasi:cli"),
    "a variable that it declares and does not grant": ('["app:declared"], "get"', ENV, "wasi:io"),
    "a variable by the id of a folder": ('["app:declared"], "get"', MOUNT, "wasi:cli"),
    "all variables": ('[], "get_all"', ENV, "wasi:cli"),
    "to set a variable that it declares": ('["app:declared", "x"], "set"', ENV, "wasi:cli"),
    "a folder that its entry does not mount": ('["app:other"], "folder"', MOUNT, "wasi:filesystem"),
    "a folder that it mounts and does not grant": ('["app:declared"], "folder"', MOUNT, "wasi:cli"),
    "an entry": ('["app:declared"], "entry"', ENV, "wasi:cli"),
    "entries by a filter": ('[{}], "find"', ENV, "wasi:cli"),
    "a variable, with an argument too many": ('["app:declared", "x"], "get"', ENV, "wasi:cli"),
    "a variable by no text": ('[["app:declared"]], "get"', ENV, "wasi:cli"),
}


@pytest.mark.parametrize("question", ALLOWED)
def test_what_the_entry_declares_is_answered(services: Services, question: str) -> None:
    text, wasi, grant = ALLOWED[question]
    assert "result" in answers(services, text, wasi, grant)
    assert services.asked == ["app:declared"]


@attacks(
    *(
        Attack(f"a worker that was taken over asks for {each}", "worker", "WorkerError; nobody is asked", "what it may")
        for each in REFUSED
    )
)
@pytest.mark.parametrize("question", REFUSED)
def test_what_it_does_not_declare_ends_the_worker_and_nobody_is_asked(services: Services, question: str) -> None:
    with pytest.raises(WorkerError, match="a question that is out of place"):
        answers(services, *REFUSED[question])
    assert services.asked == []


def test_a_declared_variable_that_has_no_value_is_an_answer(services: Services) -> None:
    def refuse(name: str, _namespace: str | None = None) -> str:
        raise CallError(f"{name} has no value", kind="NotFound")

    services.get = refuse  # type: ignore[method-assign]  # for this test
    assert "has no value" in answers(services, '["app:declared"], "get"', ENV, "wasi:cli")
