from __future__ import annotations

import os
from pathlib import Path

import pytest

from polycall.interop.errors import DeclarationError
from polycall.interop.source import SourceText
from polycall.registry.documents.text_files import MAX_FILE_BYTES
from polycall.registry.entries.index import Index
from polycall.registry.reading.load import load_index


def project(folder: Path, value: str, **files: str | bytes) -> Path:
    (folder / "app").mkdir()
    (folder / "polycall.yaml").touch()
    (folder / "app/_index.yaml").write_text(
        f"namespace: app\nentries:\n  - name: f\n    kind: function.lua\n    method: m\n    source: {value}\n"
    )
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_lua", ".lua")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def source(index: Index) -> SourceText:
    spec = index.get("app:f").spec
    assert isinstance(spec.source, SourceText)
    return spec.source


def refusal(folder: Path) -> str:
    with pytest.raises(DeclarationError) as caught:
        load_index(folder)
    assert len(caught.value.problems) == 1
    text = str(caught.value.problems[0])
    prefix = "app/_index.yaml:6:13: entries[0].source: "
    assert text.startswith(prefix)
    return text.removeprefix(prefix)


def test_a_file_stands_in_for_the_text_with_its_own_name_and_lines(tmp_path: Path) -> None:
    index = load_index(project(tmp_path, "file://lua/tax.lua", app__lua__tax_lua="return 1\n"))
    assert source(index) == SourceText("return 1\n", "app/lua/tax.lua", 1)
    assert index.get("app:f").data["source"] == "return 1\n"


def test_three_slashes_start_at_the_folder_of_the_sources(tmp_path: Path) -> None:
    assert source(load_index(project(tmp_path, "file:///shared/x.lua", shared__x_lua="x"))).name == "shared/x.lua"


def test_dots_may_lead_up_within_the_sources(tmp_path: Path) -> None:
    assert source(load_index(project(tmp_path, "file://../shared/x.lua", shared__x_lua="x"))).text == "x"


def test_inline_text_has_the_name_of_its_yaml_file_and_the_line_it_begins_on(tmp_path: Path) -> None:
    assert source(load_index(project(tmp_path, "|\n      return 1\n"))) == SourceText(
        "return 1\n", "app/_index.yaml", 7
    )
    (tmp_path / "more").mkdir()
    assert source(load_index(project(tmp_path / "more", "return 1"))) == SourceText("return 1", "app/_index.yaml", 6)


def test_any_string_value_can_be_a_file_and_an_alias_shares_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text\n")
    (tmp_path / "_index.yaml").write_text(
        "namespace: app\nmeta: {readme: &a file://a.txt}\nentries:\n"
        "  - {name: d, kind: registry.entry, list: [*a, {deep: file://a.txt}], not: 'see file://a.txt'}\n"
    )
    entry = load_index(tmp_path).get("app:d")
    assert entry.meta["readme"] == "text\n"
    assert entry.data == {"list": ("text\n", {"deep": "text\n"}), "not": "see file://a.txt"}


@pytest.mark.parametrize(
    "value", ["file://../../x.lua", "file:///../x.lua", "file:///../../../../etc/passwd", "file://a/../../../x.lua"]
)
def test_a_path_out_of_the_sources_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "x.lua").write_text("secret")
    (tmp_path / "project").mkdir()
    assert "leads out of the folder of the sources" in refusal(project(tmp_path / "project", value))


def test_an_absolute_path_is_one_below_the_sources(tmp_path: Path) -> None:
    assert refusal(project(tmp_path, "file:///etc/passwd")) == "no such file: etc/passwd (there is no folder etc)"


@pytest.mark.parametrize("value", ["file://link.lua", "file://folder/x.lua"])
def test_a_link_out_of_the_sources_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x.lua").write_text("secret")
    (tmp_path / "project").mkdir()
    folder = project(tmp_path / "project", value)
    (folder / "app/link.lua").symlink_to(tmp_path / "outside/x.lua")
    if "folder" in value:
        # A linked folder out of the sources stops the load by itself; one with a dot is not looked into.
        (folder / ".outside").symlink_to(tmp_path / "outside")
        (folder / "app/_index.yaml").write_text(
            (folder / "app/_index.yaml").read_text().replace("folder", "../.outside")
        )
    assert "is a symbolic link out of the folder of the sources" in refusal(folder)


def test_a_link_within_the_sources_is_followed(tmp_path: Path) -> None:
    folder = project(tmp_path, "file://link.lua", shared__x_lua="x")
    (folder / "app/link.lua").symlink_to(folder / "shared/x.lua")
    assert source(load_index(folder)) == SourceText("x", "app/link.lua", 1)


def test_a_file_that_is_not_utf_8_is_named_with_the_place_in_it(tmp_path: Path) -> None:
    folder = project(tmp_path, "file://tax.lua", app__tax_lua=b"return 1\n-- caf\xe9\n")
    assert refusal(folder) == "app/tax.lua is not UTF-8 text: byte 0xe9 on line 2, column 7 (save it as UTF-8)"


def test_a_file_over_the_bound_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path, "file://tax.lua", app__tax_lua=b" " * (MAX_FILE_BYTES + 1))
    assert refusal(folder).startswith("app/tax.lua has 8,388,609 bytes; expected at most 8,388,608")


@pytest.mark.parametrize("value", ["file://", "file:///", "file:////", '"file://a\\0b"'])
def test_a_path_that_names_no_file_is_refused(tmp_path: Path, value: str) -> None:
    assert refusal(project(tmp_path, value)) == 'expected a file after "file://" (such as file://tax.lua)'


def test_a_name_longer_than_any_file_has_is_just_not_there(tmp_path: Path) -> None:
    assert refusal(project(tmp_path, "file://" + "x" * 5000)).startswith("no such file: app/xxx")


def test_a_missing_file_is_reported_with_near_names(tmp_path: Path) -> None:
    folder = project(tmp_path, "file://lua/tax.lua", app__lua__taxes_lua="x")
    assert refusal(folder) == 'no such file: app/lua/tax.lua (did you mean "file://lua/taxes.lua"?)'


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    folder = project(tmp_path, "file://pipe")
    os.mkfifo(folder / "app" / "pipe")
    assert refusal(folder).startswith("app/pipe is no regular file")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refusal(project(tmp_path, "file://.")) == "app is a folder; expected a file"


def test_each_module_has_its_own_sources(tmp_path: Path) -> None:
    module = tmp_path / ".wippy/vendor/acme/tax"
    module.mkdir(parents=True)
    (tmp_path / "src").mkdir()
    (tmp_path / "wippy.lock").write_text("")
    (tmp_path / "src/own.lua").write_text("own")
    (module / "own.lua").write_text("module")
    for folder, namespace in ((tmp_path / "src", "app"), (module, "acme")):
        (folder / "_index.yaml").write_text(
            f"namespace: {namespace}\nname: f\nkind: library.lua\nsource: file:///own.lua\n"
        )
    index = load_index(tmp_path)
    assert index.get("acme:f").spec.source == SourceText("module", ".wippy/vendor/acme/tax/own.lua", 1)
    assert index.get("app:f").spec.source == SourceText("own", "src/own.lua", 1)
    assert index.get("acme:f").source_root == module.resolve()


def test_only_the_first_missing_files_get_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "tax.lua").write_text("return 1")
    entries = (f"  - {{name: l{at}, kind: library.lua, source: 'file://tox.lua'}}\n" for at in range(100))
    others = (f"  - {{name: m{at}, kind: library.lua, source: 'file://tex{at}.lua'}}\n" for at in range(100))
    (tmp_path / "_index.yaml").write_text("namespace: app\nentries:\n" + "".join([*entries, *others]))
    with pytest.raises(DeclarationError) as caught:
        load_index(tmp_path)
    hints = [problem.hint for problem in caught.value.problems]
    assert len(hints) == 200
    assert hints[:100] == ['did you mean "file://tax.lua"?'] * 100  # looked for once
    assert sum(hint is not None for hint in hints[100:]) < 25
