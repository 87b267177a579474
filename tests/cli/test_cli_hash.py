from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from commands import run
from polycall import load
from polycall.interop.errors import PreparationError
from projects import GUESTS, hash_of

BINARY = GUESTS / "bin" / "caller.wasm"
HASH = hash_of(BINARY)
OTHER = "sha256:" + 64 * "a"

HEAD = """\
# The shop's prices: é, 漢, 🍵
namespace: app   # one namespace

entries:
  - name: assets
    kind: fs.directory
    directory: "bin"
"""
WASM = "  - name: price\n    kind: function.wasm\n    fs: assets\n    path: caller.wasm\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    shutil.copy(BINARY, tmp_path / "bin" / "caller.wasm")
    return tmp_path


def write(project: Path, text: str, name: str = "_index.yaml") -> Path:
    file = project / name
    file.write_bytes(text.encode())
    return file


def fixed(project: Path, capsys: pytest.CaptureFixture[str], before: str, name: str = "_index.yaml") -> str:
    file = write(project, before, name)
    assert run(capsys, "-C", str(project), "hash").code == 1
    done = run(capsys, "-C", str(project), "hash", "--write")
    assert (done.code, done.err) == (0, "")
    assert f"wrote 1 of 1 hashes, in {name}\n" in done.out
    with load(project) as registry:  # it loads now, and so the hash is the right one
        assert registry.prepare("app:price").language == "wasm"
    assert run(capsys, "-C", str(project), "hash").code == 0
    return file.read_bytes().decode()


@pytest.mark.parametrize(
    "written",
    [
        OTHER,
        f'"{OTHER}"',
        f"'{OTHER}'   # of the release",
        "TODO # later",
        '""',
        "null",
        "~  # soon",
        "17",
        f"!!str {OTHER}",
        f"&digest {OTHER}",
        f'!!str  "{OTHER}"',
    ],
)
def test_only_the_characters_of_the_hash_change(
    project: Path, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    before = f"{HEAD}{WASM}    hash:   {written}\n    method: relay-string   # é ü 漢\n\n# the end"
    after = fixed(project, capsys, before)
    start, _, rest = before.partition(written)
    value = after[len(start) : len(after) - len(rest)]
    assert after == start + value + rest
    bare = value.removeprefix("!!str").removeprefix("&digest").partition("#")[0].strip()
    assert bare.strip("\"'") == HASH
    assert value.partition("#")[2] == written.partition("#")[2]
    if OTHER in written:
        assert value == written.replace(OTHER, HASH)


@pytest.mark.parametrize("comment", ["", "   # to be filled in"])
def test_a_hash_without_a_value_gets_one(project: Path, capsys: pytest.CaptureFixture[str], comment: str) -> None:
    before = f"{HEAD}{WASM}    hash:{comment}\n    method: relay-string\n"
    assert fixed(project, capsys, before) == before.replace("hash:", f"hash: {HASH}")


def test_a_missing_hash_is_written_behind_the_path(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after = fixed(project, capsys, f"{HEAD}{WASM}    method: relay-string  # the export\n")
    assert after == f"{HEAD}{WASM}    hash: {HASH}\n    method: relay-string  # the export\n"


def test_a_missing_hash_never_parts_a_comment_from_its_key(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = "  - path: caller.wasm\n\n    # the export\n    method: relay-string\n    name: price\n"
    entry += "    kind: function.wasm\n    fs: assets"
    after = fixed(project, capsys, HEAD + entry)
    assert after == HEAD + entry.replace("- path", f"- hash: {HASH}\n    path")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "  - {name: price, kind: function.wasm, fs: assets, path: caller.wasm, method: relay-string}\n",
            f"  - {{name: price, kind: function.wasm, fs: assets, path: caller.wasm, hash: {HASH}, "
            "method: relay-string}\n",
        ),
        (
            "  - name: price\n    kind: function.wasm\n    data: {\n      fs: assets,\n      path: caller.wasm,\n"
            "      method: relay-string }\n",
            "  - name: price\n    kind: function.wasm\n    data: {\n      fs: assets,\n      path: caller.wasm,\n"
            f"      hash: {HASH},\n      method: relay-string }}\n",
        ),
        (
            "  - name: price\n    kind: function.wasm\n    data:\n      method: relay-string\n      fs: assets\n"
            "      path: caller.wasm\n",
            "  - name: price\n    kind: function.wasm\n    data:\n      method: relay-string\n      fs: assets\n"
            f"      hash: {HASH}\n      path: caller.wasm\n",
        ),
    ],
)
def test_a_missing_hash_is_written_in_the_style_of_its_mapping(
    project: Path, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    assert fixed(project, capsys, HEAD + before) == HEAD + after


def test_line_ends_byte_order_mark_and_permissions_stay(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = f"\ufeff{HEAD}{WASM}    method: relay-string\n".replace("\n", "\r\n")
    file = write(project, before)
    file.chmod(0o640)
    assert run(capsys, "-C", str(project), "hash", "--write").code == 0
    assert file.read_bytes().decode() == before.replace("    method", f"    hash: {HASH}\r\n    method")
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in project.iterdir()) == ["_index.yaml", "bin"]


@pytest.mark.parametrize("hash_text", [f'"hash": "{OTHER}", ', '"hash": null, ', '"hash":"" ,', ""])
@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_entry_files_are_written_too(
    project: Path, capsys: pytest.CaptureFixture[str], hash_text: str, indent: int | str | None
) -> None:
    write(project, HEAD)
    entry = {"name": "price", "kind": "function.wasm", "fs": "assets", "path": "caller.wasm", "method": "relay-string"}
    text = json.dumps({"namespace": "app", "meta": {"comment": '"é\\'}, "entries": [entry]}, indent=indent)
    before = text.replace('"method"', f'{hash_text}"method"')
    after = fixed(project, capsys, before, "more.json")
    assert json.loads(after)["entries"][0] == {**entry, "hash": HASH}
    if hash_text:
        assert after == before.replace(OTHER, HASH).replace("null", f'"{HASH}"').replace(
            '"hash":""', f'"hash":"{HASH}"'
        )


def test_a_single_entry_file_is_written_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, HEAD)
    before = "namespace: app\nname: price\nkind: function.wasm\nfs: assets\npath: caller.wasm\nmethod: relay-string\n"
    after = fixed(project, capsys, before, "price.yaml")
    assert after == before.replace("method", f"hash: {HASH}\nmethod")


def test_without_write_it_tells_what_differs_and_changes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{HEAD}{WASM}    hash: {HASH.upper().replace('SHA256', 'sha256')}\n    method: relay-string\n"
    text += WASM.replace("price", "rates") + "    method: relay-string\n"
    file = write(project, text)
    done = run(capsys, "-C", str(project), "hash")
    assert done.code == 1
    assert [line.split() for line in done.out.splitlines()] == [
        ["app:price", HASH.upper().replace("SHA256", "sha256"), HASH],
        ["app:rates", "none", HASH],
    ]
    assert run(capsys, "-C", str(project), "hash", "app:price").code == 0
    assert file.read_bytes().decode() == text


def test_only_the_entries_asked_for_are_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{HEAD}{WASM}    hash: {OTHER}\n    method: a\n" + WASM.replace("price", "rates") + f"    hash: {OTHER}\n"
    file = write(project, text + "    method: b\n")
    assert run(capsys, "-C", str(project), "hash", "--write", "app:rates").code == 0
    assert file.read_text() == (text + "    method: b\n")[::-1].replace(OTHER[::-1], HASH[::-1], 1)[::-1]


def test_a_hash_that_two_entries_share_is_written_for_both(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{HEAD}{WASM}    hash: &h {OTHER}\n    method: a\n" + WASM.replace("price", "rates")
    file = write(project, text + "    hash: *h\n    method: b\n")
    done = run(capsys, "-C", str(project), "hash", "--write")
    assert (done.code, file.read_text()) == (0, (text + "    hash: *h\n    method: b\n").replace(OTHER, HASH))


def test_what_cannot_be_replaced_alone_is_refused_and_left_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "bin" / "other.wasm").write_bytes(b"other")
    other = WASM.replace("price", "rates").replace("caller", "other")
    shared = f"{HEAD}{WASM}    hash: &h {OTHER}\n    method: a\n{other}    hash: *h\n    method: b\n"
    block = f"{HEAD}{WASM}    hash: |\n      {OTHER}\n    method: relay-string\n"
    for text in (shared, block):
        file = write(project, text)
        done = run(capsys, "-C", str(project), "hash", "--write")
        assert done.code == 5
        assert "_index.yaml:12:" in done.err
        assert "cannot be written without changing anything else" in done.err
        assert file.read_text() == text


def test_what_else_is_wrong_is_still_reported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, f"{HEAD}{WASM}    hash: [1]\n    metod: x\n")
    done = run(capsys, "-C", str(project), "hash", "--write")
    assert done.code == 3
    assert "entries[1].hash: expected a string" in done.err
    assert 'did you mean "method"?' in done.err
    write(project, HEAD + WASM.replace("caller", "caler") + "    method: x\n")
    done = run(capsys, "-C", str(project), "hash")
    assert done.code == 4
    assert 'did you mean "caller.wasm"?' in done.err
    assert run(capsys, "-C", str(project), "hash", "app:assets").code == 5
    assert run(capsys, "-C", str(project), "hash", "app:nothing").code == 4


def test_a_missing_hash_stops_its_entry_and_no_other(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = "  - {name: other, kind: function.lua, source: 'return { f = function() return 1 end }', method: f}\n"
    write(project, f"{HEAD}{WASM}    method: relay-string\n{other}")
    with load(project) as registry:
        assert registry.call("app:other") == 1
        with pytest.raises(PreparationError, match="no hash") as caught:
            registry.call("app:price")
        assert caught.value.hint == "polycall hash --write app:price writes it"
    done = run(capsys, "-C", str(project), "check")
    assert (done.code, done.out.splitlines()[-1]) == (1, "1 error, 0 warnings")
    assert "entries[1].hash: app:price: it declares no hash" in done.out
