"""File storages, uniqueness and change: what `tests/unit/lua/test_lua_runtime_env.py` cannot see from a guest."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import polycall
from polycall.interop.errors import CallError, NotFoundError
from polycall.registry.entries.env_kinds import EnvFileSpec
from polycall.registry.entries.index import Index
from polycall.registry.reading.load import load_index
from polycall.registry.services.dotenv import read_dotenv
from polycall.registry.services.environment import Environment
from polycall.registry.services.storages import FileStorage, MemoryStorage

FILE = """namespace: app
entries:
  - {{name: file, kind: env.storage.file, file_path: .env{0}}}
  - {{name: same, kind: env.storage.file, file_path: ./.env, auto_create: true}}
  - {{name: memory, kind: env.storage.memory}}
  - {{name: a, kind: env.variable, variable: A, storage: file}}
  - {{name: b, kind: env.variable, variable: B, storage: same}}
  - {{name: c, kind: env.variable, variable: C, storage: memory}}
"""


def index_of(folder: Path, more: str = "") -> Index:
    (folder / "_index.yaml").write_text(FILE.format(more))
    return load_index(folder)


def environment(folder: Path, more: str = "") -> Environment:
    index = index_of(folder, more)
    return Environment(lambda: index)


def test_comments_order_and_permissions_of_the_file_stay(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nB=2\nA=1 # first\n")
    file.chmod(0o640)
    environment(tmp_path).set("A", "new")
    assert file.read_text() == "# mine\nB=2\nA=new # first\n"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_missing_file_is_an_error_and_check_finds_it(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"app:file: there is no file \.env \(make it, or declare") as caught:
        environment(tmp_path).get("A")
    assert caught.value.kind == "Unavailable"
    with polycall.load(tmp_path) as registry:
        (finding,) = registry.check()
    assert str(finding).startswith("_index.yaml:3:")
    assert "there is no file .env" in str(finding)


@pytest.mark.parametrize("content", [b"\xff", b"#" * 1_100_000])
def test_a_file_that_cannot_be_used_is_unavailable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(CallError) as caught:
        environment(tmp_path).get("A")
    assert caught.value.kind == "Unavailable"


def test_a_file_that_is_a_link_out_of_the_project_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("A=secret\n")
    (tmp_path / "project").mkdir()
    variables = environment(tmp_path / "project")
    (tmp_path / "project/.env").symlink_to("../outside")
    with pytest.raises(CallError, match="leads out"):
        variables.get("A")
    with pytest.raises(CallError, match="leads out"):
        variables.set("A", "x")
    assert (tmp_path / "outside").read_text() == "A=secret\n"


def test_threads_that_write_one_file_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("")
    variables = environment(tmp_path)

    def write(name: str) -> None:
        for number in range(40):
            variables.set(name, str(number))

    threads = [threading.Thread(target=write, args=(name,)) for name in "AB"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (variables.get("A"), variables.get("B")) == ("39", "39")


def test_values_in_memory_outlive_a_change_of_other_entries(tmp_path: Path) -> None:
    current = index_of(tmp_path)
    variables = Environment(lambda: current)
    variables.set("C", "kept")
    current = index_of(tmp_path, ", auto_create: true")
    assert variables.get("C") == "kept"
    with pytest.raises(NotFoundError, match="has no value"):
        variables.get("A")  # the file storage has the new declaration


def test_a_value_that_cannot_be_changed_alone_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "open.env").write_text('B="\nC=1')
    storage = FileStorage("app:env", EnvFileSpec(file_path="open.env"), tmp_path, threading.Lock())
    with pytest.raises(CallError, match=r"open\.env is left as it is: A cannot be changed alone"):
        storage.set("A", "#")
    assert (tmp_path / "open.env").read_text() == 'B="\nC=1'


def test_the_values_of_a_file_are_taken_apart_once_and_anew_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_apart: list[str] = []

    def counted(text: str) -> dict[str, str]:
        taken_apart.append(text)
        return read_dotenv(text)

    monkeypatch.setattr("polycall.registry.services.storages.read_dotenv", counted)
    variables = "".join(
        f"  - {{name: v{number}, kind: env.variable, variable: V{number}, storage: same}}\n" for number in range(50)
    )
    (tmp_path / "_index.yaml").write_text(FILE.format("") + variables)
    index = load_index(tmp_path)
    values = Environment(lambda: index)
    (tmp_path / ".env").write_text("".join(f"V{number}={number}\n" for number in range(50)))
    assert values.get_all()["V7"] == "7"
    assert len(taken_apart) == 2  # once for each of the two storages of this file
    (tmp_path / ".env").write_text("V7=other\n")
    assert values.get("V7") == "other"
    values.set("V7", "set")
    assert values.get("V7") == "set"


ROUTERS = """namespace: app
entries:
  - {name: last, kind: env.storage.static, values: {A: found}}
  - {name: first, kind: env.storage.memory}
  - {name: router-0, kind: env.storage.router, storages: [first, last]}
  - {name: a, kind: env.variable, variable: A, storage: router-60}
  - {name: b, kind: env.variable, variable: B, storage: router-60}
"""


def test_routers_that_name_others_twice_ask_each_storage_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = (
        f"  - {{name: router-{at}, kind: env.storage.router, storages: [router-{at - 1}, router-{at - 1}]}}\n"
        for at in range(1, 61)
    )
    (tmp_path / "_index.yaml").write_text(ROUTERS + "".join(levels))
    index = load_index(tmp_path)
    environment = Environment(lambda: index)
    asked: list[str] = []
    monkeypatch.setattr(MemoryStorage, "get", lambda _self, name: asked.append(name))
    assert environment.get("A") == "found"
    with pytest.raises(NotFoundError):
        environment.get("B")
    assert asked == ["A", "B"]
    monkeypatch.undo()
    environment.set("A", "new")  # in the first storage
    assert environment.get("A") == "new"
