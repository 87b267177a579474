from __future__ import annotations

import time
from pathlib import Path

import pytest

from polycall.interop.errors import DeclarationError, NotFoundError, Problem
from polycall.interop.ids import EntryId
from polycall.registry.reading.load import load_index


def problems_of(folder: Path, *libraries: tuple[str, str], **files: str) -> list[Problem]:
    """Loads libraries, each given as name and imports, together with other files."""
    entries = "".join(
        f"  - {{name: {name}, kind: library.lua, source: x, imports: {{{imports}}}}}\n" for name, imports in libraries
    )
    (folder / "_index.yaml").write_text(f"namespace: app\nentries:\n{entries}")
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    with pytest.raises(DeclarationError) as caught:
        load_index(folder)
    return list(caught.value.problems)


def test_a_bare_name_belongs_to_the_declaring_namespace(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "namespace: app.a\nentries:\n"
        "  - {name: one, kind: library.lua, source: x, imports: {two: two, three: 'app.b:two', four: {name: two}}}\n"
        "  - {name: two, kind: library.lua, source: x}\n"
    )
    (tmp_path / "b.yaml").write_text("namespace: app.b\nname: two\nkind: library.lua\nsource: x\n")
    entry = load_index(tmp_path).get("app.a:one")
    two = EntryId("app.a", "two")
    assert entry.spec.imports == {"two": two, "three": EntryId("app.b", "two"), "four": two}
    assert [str(reference.location) for reference in entry.references] == [
        f"a.yaml:3:{column}" for column in (62, 74, 93)
    ]


def test_a_name_may_hold_colons(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        'namespace: a.b\nentries:\n  - {name: "c:d", kind: library.lua, source: x}\n'
        '  - {name: e, kind: library.lua, source: x, imports: {x: "a.b:c:d"}}\n'
    )
    assert load_index(tmp_path).get("a.b:c:d").id == EntryId("a.b", "c:d")


def test_a_reference_to_nothing_is_found_at_its_own_place(tmp_path: Path) -> None:
    found = problems_of(tmp_path, ("one", "a: tow"), ("two", ""))
    assert [str(problem) for problem in found] == [
        '_index.yaml:3:60: entries[0].imports.a: there is no entry app:tow (did you mean "app:two" or "app:one"?)'
    ]


@pytest.mark.parametrize(("known", "wanted", "how"), [
    ("caf\u00e9", "cafe\u0301", "there as one character each, here as two"),
    ("cafe\u0301", "caf\u00e9", "there as two characters each, here as one"),
])  # fmt: skip
def test_a_name_with_its_accents_encoded_otherwise_is_explained(
    tmp_path: Path, known: str, wanted: str, how: str
) -> None:
    hint = f'"app:{known}" differs only in how its accents are encoded: {how}; copy the name from there'
    (problem,) = problems_of(tmp_path, (known, ""), ("cafe", f"x: {wanted}"))
    assert problem.message == f"there is no entry app:{wanted}"
    assert problem.hint == hint
    (tmp_path / "_index.yaml").write_text(f"namespace: app\nname: {known}\nkind: registry.entry\n", encoding="utf-8")
    with pytest.raises(NotFoundError) as caught:
        load_index(tmp_path).get(f"app:{wanted}")
    assert caught.value.hint == hint
    with pytest.raises(NotFoundError) as caught:
        load_index(tmp_path).get("app:tea\u0301")
    assert "accents" not in str(caught.value)


def test_a_reference_to_the_wrong_kind_names_both_kinds(tmp_path: Path) -> None:
    found = problems_of(tmp_path, ("one", "a: 'b:x'"), b="namespace: b\nname: x\nkind: registry.entry\n")
    assert found[0].message == "expected library.lua or function.lua, got b:x, which is registry.entry"


def test_a_reference_to_an_entry_that_is_broken_itself_is_not_reported(tmp_path: Path) -> None:
    broken = "namespace: b\nentries:\n  - {name: x, kind: library.lua, source: 5}\n  - {name: y, kind: 5}\n"
    found = problems_of(tmp_path, ("one", "a: 'b:x', b: 'b:y'"), b=broken)
    assert {problem.file for problem in found} == {"b.yaml"}


def test_an_entry_of_a_file_that_cannot_be_read_is_not_called_missing(tmp_path: Path) -> None:
    found = problems_of(tmp_path, ("one", "a: 'b:x', b: 'c:x'"), b="namespace: b\nentries: [\n")
    assert [(problem.file, problem.path) for problem in found] == [
        ("_index.yaml", "entries[0].imports.b"),
        ("b.yaml", ""),
    ]


def test_an_id_twice_names_both_places_even_across_files(tmp_path: Path) -> None:
    again = "namespace: app\nname: one\nkind: registry.entry\n"
    found = problems_of(tmp_path, ("one", ""), z=again, y=again)
    assert [f"{problem.file}: {problem.message}" for problem in found] == [
        f"{file}: the id app:one is taken: first declared in _index.yaml:3:5" for file in ("y.yaml", "z.yaml")
    ]


def test_a_circle_of_imports_is_named_once_at_the_import_that_closes_it(tmp_path: Path) -> None:
    found = problems_of(tmp_path, ("a", "x: b"), ("b", "x: c"), ("c", "x: d, y: a"), ("d", ""))
    assert [(problem.path, problem.message) for problem in found] == [
        ("entries[2].imports.y", "these imports form a circle: app:a -> app:b -> app:c -> app:a")
    ]


def test_circles_that_share_entries_are_all_found(tmp_path: Path) -> None:
    found = problems_of(tmp_path, ("a", "x: b"), ("b", "x: a, y: b"), ("c", "x: a"))
    assert [problem.message.partition(": ")[2] for problem in found] == [
        "app:a -> app:b -> app:a",
        "app:b -> app:b",
    ]


def test_a_shared_library_is_no_circle(tmp_path: Path) -> None:
    (tmp_path / "_index.yaml").write_text(
        "namespace: app\nentries:\n"
        "  - {name: top, kind: library.lua, source: x, imports: {l: left, r: right}}\n"
        "  - {name: left, kind: library.lua, source: x, imports: {b: bottom}}\n"
        "  - {name: right, kind: library.lua, source: x, imports: {b: bottom, l: left}}\n"
        "  - {name: bottom, kind: library.lua, source: x}\n"
    )
    assert len(load_index(tmp_path)) == 4


@pytest.mark.no_cover
def test_a_chain_of_imports_may_be_longer_than_the_stack_of_python(tmp_path: Path) -> None:
    chain = [(f"l{number}", f"next: l{number + 1}") for number in range(3000)]
    found = problems_of(tmp_path, *chain, ("l3000", "next: l0"))
    assert len(found) == 1
    assert found[0].message.endswith("app:l18 -> (2981 more) -> app:l3000 -> app:l0")


@pytest.mark.no_cover
def test_thousands_of_wrong_references_are_reported_in_reasonable_time(tmp_path: Path) -> None:
    start = time.process_time()
    found = problems_of(tmp_path, *((f"l{number}", f"x: m{number}") for number in range(1500)))
    assert len(found) == 1500
    assert found[0].hint
    assert time.process_time() - start < 10
