from __future__ import annotations

import contextlib
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from effort import times
from polycall.interop.errors import DeclarationError, PolycallError
from polycall.interop.values import plain
from polycall.registry.documents.json_document import read_json
from polycall.registry.documents.node_builder import Document
from polycall.registry.documents.nodes import freeze
from polycall.registry.documents.problems import Report
from polycall.registry.documents.yaml_document import read_yaml
from polycall.registry.reading.load import load_index

VALID = """\
version: "1.0"
namespace: app.shop
meta: &meta {team: shop, tags: [a, b]}
entries:
  - name: checkout
    kind: function.lua
    meta: *meta
    source: |
      local tax = require("tax")
      return { call = function(x) return tax(x) end }
    method: call
    modules: [json, funcs]
    imports:
      tax: {ns: app.shop, name: tax}
    pool: {type: static, workers: 4}
    limits: {max_execution_ms: 100}
  - name: tax
    kind: library.lua
    source: file://tax.lua
  - {name: files, kind: fs.directory, directory: ., mode: "0755"}
  - name: price
    kind: function.wasm
    fs: files
    path: price.wasm
    hash: sha256:0000000000000000000000000000000000000000000000000000000000000000
    method: price
    imports: ["wasi:io", funcs]
    wasi: {cwd: /, args: [x], mounts: [{fs: files, guest: /data}]}
"""
PIECES = (
    *("namespace: ", "entries:\n", "  - ", "\n", ": ", "file://", "&a ", "*a", "<<: ", "!!int ", "|\n", "[", "]", "{"),
    *(
        "}",
        '"',
        "'",
        "\t",
        "#",
        "---\n",
        "~",
        "0x",
        ".inf",
        "é",
        "\U0001f600",
        "\x00",
        "\ufeff",
        "\u2028",
        "%",
        "@",
        "?",
    ),
    *("name", "kind", "function.lua", "data", "wasi", "- -", "\r\n", "\\ud800", "..", "../../x", "1e400", "9" * 30),
)

texts = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(
        ["", "~", "null", "true", "yes", "0755", "1e3", "0o17", "<<", "=", "file://x", "1_000", "- a", "a: b"]
    )
)
plain_data = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)
sentences = st.lists(words, min_size=1, max_size=2).map(" ".join)
quick = settings(max_examples=times(150, 30), deadline=None, suppress_health_check=[HealthCheck.too_slow])


class QuotingDumper(yaml.SafeDumper):
    """Writes text in quotes, so that what YAML 1.1 and 1.2 read differently is not in question."""


QuotingDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def value_of(document: Document, report: Report) -> Any:
    assert not report.problems
    return None if document.root is None else plain(freeze(document.root))


def load(content: bytes, name: str = "_index.yaml") -> None:
    """Loads a project of one file; anything but success or a PolycallError fails the test by itself."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        Path(folder, "tax.lua").write_text("return {}")
        with contextlib.suppress(PolycallError):
            load_index(folder)


@quick
@given(plain_data)
def test_plain_data_written_by_pyyaml_is_read_back_equal(value: Any) -> None:
    report = Report("f")
    for flow in (False, True):
        text = yaml.dump(value, Dumper=QuotingDumper, allow_unicode=True, default_flow_style=flow)
        assert value_of(read_yaml(text, report), report) == value


@quick
@given(st.recursive(st.integers(-99, 99) | sentences, lambda inner: st.lists(inner, max_size=6), max_leaves=40))
def test_data_in_the_plain_style_of_pyyaml_is_read_as_pyyaml_reads_it(value: Any) -> None:
    report = Report("f")
    # Single letters and words that are booleans in YAML 1.1 only are quoted by PyYAML: both readers see text.
    assert value_of(read_yaml(yaml.safe_dump(value), report), report) == value


@quick
@given(plain_data, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json_is_read_back_equal_in_every_layout(value: Any, ascii_only: bool, indent: Any) -> None:
    report = Report("f")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert value_of(read_json(text, report), report) == value


@quick
@given(st.floats())
def test_a_float_is_read_back_in_both_formats(value: float) -> None:
    report = Report("f")
    read = value_of(read_yaml(yaml.safe_dump([value]), report), report)[0]
    assert read == value or (math.isnan(read) and math.isnan(value))


@quick
@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    for read in (read_yaml, read_json):
        try:
            read(text, Report("f"))
        except DeclarationError as error:
            problem = error.problems[0]
            assert problem.line >= 1
            assert problem.column >= 1
            assert problem.line <= len(text.splitlines()) + 1


@quick
@given(st.binary(max_size=200), st.sampled_from([b"", b"namespace: app\n", b'{"namespace": "app", ', b"\xff\xfe"]))
def test_any_bytes_as_an_entry_file_give_an_index_or_one_of_our_errors(content: bytes, start: bytes) -> None:
    load(start + content, "_index.json" if start.startswith(b"{") else "_index.yaml")


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid file with a few lines dropped, doubled or shifted and a few characters replaced."""
    lines = VALID.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        change = draw(st.sampled_from(["drop", "double", "indent", "move", "insert", "value"]))
        if change == "drop" and len(lines) > 1:
            del lines[at]
        elif change == "double":
            lines.insert(at, lines[at])
        elif change == "indent":
            lines[at] = " " * draw(st.integers(1, 5)) + lines[at]
        elif change == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        elif change == "value":
            lines[at] = lines[at].partition(":")[0] + ": " + draw(st.sampled_from(PIECES)) + "\n"
        else:
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(st.sampled_from(PIECES)) + lines[at][cut:]
    return "".join(lines)


@quick
@given(mutated())
def test_a_valid_file_with_mistakes_gives_an_index_or_one_of_our_errors(text: str) -> None:
    load(text.encode())


def test_the_file_that_the_mutations_start_from_is_valid(tmp_path: Path) -> None:
    (tmp_path / "_index.yaml").write_text(VALID)
    (tmp_path / "tax.lua").write_text("return {}")
    index = load_index(tmp_path)
    assert len(index) == 4
    assert not index.warnings
