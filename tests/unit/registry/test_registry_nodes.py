from __future__ import annotations

import contextlib
import math
import re
import time
from pathlib import Path

import pytest
import yaml

from polycall.interop.errors import DeclarationError
from polycall.interop.values import MAX_NESTING
from polycall.registry.documents import yaml_document
from polycall.registry.documents.json_document import read_json
from polycall.registry.documents.node_builder import MAX_NODES, Document
from polycall.registry.documents.nodes import ListNode, MapNode, Node, ScalarNode, describe_node, freeze, join, locate
from polycall.registry.documents.problems import Report
from polycall.registry.documents.scalar_spans import scalar_spans
from polycall.registry.documents.scalars import resolve_plain
from polycall.registry.documents.yaml_document import read_yaml


def yaml_value(text: str) -> object:
    report = Report("f.yaml")
    document = read_yaml(text, report)
    assert not report.problems
    return value_of(document)


def value_of(document: Document) -> object:
    return None if document.root is None else thawed(document.root)


def thawed(node: Node) -> object:
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return [thawed(item) for item in node.items]
    return {key: thawed(item) for key, item in node.items.items()}


def child(document: Document, path: str) -> Node:
    assert document.root is not None
    return locate(document.root, path)


def failure(text: str, *, json: bool = False) -> str:
    with pytest.raises(DeclarationError) as caught:
        (read_json if json else read_yaml)(text, Report("f"))
    assert len(caught.value.problems) == 1
    return str(caught.value.problems[0])


# Values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("0", 0),
        ("-17", -17),
        ("+17", 17),
        ("1_000", 1000),
        ("0755", 755),
        ("010", 10),
        ("08", 8),
        ("-09", -9),
        ("00", 0),
        ("01.5", 1.5),
        ("-00.5e1", -5.0),
        ("09.", 9.0),
        ("0" * 50 + "8", 8),
        ("0_8", "0_8"),
        ("08:30", "08:30"),
        ("0o8", "0o8"),
        ("0o755", 493),
        ("-0x1F", -31),
        ("0789", 789),
        ("0x", "0x"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        (".", "."),
        ("-", "-"),
        ("1.2.3", "1.2.3"),
        ("22:30", "22:30"),
        ("2026-08-01", "2026-08-01"),
        ("0x" + "f" * 17, "0x" + "f" * 17),
        (str(2**64 - 1), 2**64 - 1),
        (str(2**64), float(2**64)),
        (str(-(2**63)), -(2**63)),
        ("9" * 5000, math.inf),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    result = resolve_plain(text)
    assert result == value
    assert type(result) is type(value)


def test_nan_is_a_float() -> None:
    assert math.isnan(yaml_value("[.nan]")[0])  # type: ignore[index]  # a list, as written


def test_quoted_and_tagged_scalars_keep_their_type() -> None:
    assert yaml_value(
        '["5", \'true\', !!str 5, ! 7, !!int "5", !!float 5, !!bool true, !!null "", !!seq [], !!map {}]'
    ) == [
        *("5", "true", "5", "7", 5, 5.0, True, None),
        [],
        {},
    ]


def test_an_empty_file_has_no_root() -> None:
    assert read_yaml("", Report("f")).root is None
    assert read_yaml("# nothing\n", Report("f")).root is None
    assert read_json(" \n", Report("f")).root is None


# Positions


def test_every_key_and_value_knows_its_line_and_column() -> None:
    document = read_yaml('namespace: app\nentries:\n  - {name: é, "日本": [1, x]}\n', Report("f"))
    entry = child(document, "entries[0]")
    assert isinstance(entry, MapNode)
    assert (entry.line, entry.column) == (3, 5)
    assert entry.marks == {"name": (3, 6), "日本": (3, 15)}
    inner = child(document, "entries[0].日本[1]")
    assert (inner.line, inner.column) == (3, 25)


def test_json_has_the_same_positions_as_yaml() -> None:
    text = '{"namespace": "app",\n  "entries": [\n    {"name": "é", "list": [1, "x"]}\n  ]\n}'
    report = Report("f")
    assert _marks(read_json(text, report).root) == _marks(read_yaml(text, report).root)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("s: |\n  a\n", 2),
        ("s: |2-\n\n    a\n", 2),
        ("s: >\n  a\n", 2),
        ("s: a\n", 1),
        ('s: "a\n  b"\n', 1),
        ("s:\n  a\n", 2),
        ("s: &x |\n  a\n", 2),
    ],
)
def test_a_block_literal_begins_on_the_line_after_its_indicator(text: str, line: int) -> None:
    node = child(read_yaml(text, Report("f")), "s")
    assert isinstance(node, ScalarNode)
    assert node.first_line == line


_MIXED = """\
# comment
namespace: app
meta: &m {a: 1, é: "日本", b: [x, 'y']}
entries:
  - name: é日本
    source: |
      foo
       bar
    s2: >-

      x
    s3: &anc |2
        y
    copy: *m
    <<: *m
    "q": 'it''s
      two'
    t: !!str 5
"""


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="there is only one reader to compare")
def test_libyaml_and_the_pure_reader_give_the_same_nodes_and_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = _marks(read_yaml(_MIXED, Report("f")).root)
    monkeypatch.setattr(yaml_document, "_EVENT_SOURCE", yaml.SafeLoader)
    assert _marks(read_yaml(_MIXED, Report("f")).root) == fast


_BROKEN = [
    "a: b: c\n",
    "a:\n\tb: 1\n",
    "a: [1, 2\nb: 3\n",
    'a: "x\n',
    "a: 1\n b: 2\n",
    "- a\nb: c\n",
    "a: %x\n",
    "a: {b: 1\n",
    "a: |\n  x\n y\n",
    "key: - a\n",
    "a: 1\nlonger\nb: 2\n",
    "a: [",
]


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="there is only one reader to compare")
@pytest.mark.parametrize("text", _BROKEN)
def test_both_readers_word_a_mistake_alike(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = failure(text)
    monkeypatch.setattr(yaml_document, "_EVENT_SOURCE", yaml.SafeLoader)
    assert failure(text).partition(" ")[2] == fast.partition(" ")[2]


def _marks(node: Node | None) -> object:
    if isinstance(node, MapNode):
        items = {key: (node.marks[key], _marks(item)) for key, item in node.items.items()}
        return node.line, node.column, items
    if isinstance(node, ListNode):
        return node.line, node.column, [_marks(item) for item in node.items]
    return node and (node.line, node.column, node.first_line, node.value)


# Aliases and merges


def test_aliases_and_merge_keys_give_what_they_stand_for() -> None:
    text = """
base: &base {type: lazy, size: 1}
more: &more {size: 2, buffer: 3}
one: {<<: *base, size: 5}
two: {<<: [*base, *more]}
same: *base
list: [&x 7, *x]
text: ["<<", {"<<": 1}, <<]
"""
    assert yaml_value(text) == {
        "base": {"type": "lazy", "size": 1},
        "more": {"size": 2, "buffer": 3},
        "one": {"size": 5, "type": "lazy"},
        "two": {"type": "lazy", "size": 1, "buffer": 3},
        "same": {"type": "lazy", "size": 1},
        "list": [7, 7],
        "text": ["<<", {"<<": 1}, "<<"],
    }


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _either_reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document, "_EVENT_SOURCE", getattr(yaml, request.param, yaml.SafeLoader))


MISSING_QUOTES = [
    ('a: 1\nb: "no end\nc: 2\nd: 3\ne: 4\nf: "x"\ng: 5\n', '2:4: {} ends only on line 6 (is a closing " missing?)'),
    ("a: 'no end\nb: 1\nc: 'x'\n", "1:4: {} ends only on line 3 (is a closing ' missing?)"),
    ('- "abc\n- "def"\n- x\n', '1:3: {} ends only on line 2 (is a closing " missing?)'),
    ('a: {b: "no, c: 1}\nd: 2\ne: "x"\n', '1:8: {} ends only on line 3 (is a closing " missing?)'),
    ('a: "no end\n\nb: "@x"\n', '1:4: {} ends only on line 3 (is a closing " missing?)'),
    ('a: "no end\nb: " x: y"\n', '1:4: {} ends only on line 2 (is a closing " missing?)'),
    ('a: "no end\nb: ""\n', '1:4: {} ends only on line 2 (is a closing " missing?)'),
    ('a: "fine"\nb: "goes\n  on"\nc: "open\nd: 1\ne: "x"\n', '4:4: {} ends only on line 6 (is a closing " missing?)'),
    ('a: "no end\nb: 1\n', "1:4: {} does not end"),
]


@pytest.mark.parametrize(("text", "message"), MISSING_QUOTES)
@pytest.mark.usefixtures("_either_reader")
def test_a_quote_that_is_missing_is_reported_where_the_text_begins(text: str, message: str) -> None:
    assert failure(text) == "f:" + message.format("not valid YAML: the quoted text that begins here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 'don't'\n", "1:8: {} (write '' for a ' inside, or put the text in double quotes)"),
        ('a: "x" y\n', '1:7: {} (write \\" for a " inside, or put the text in single quotes)'),
        ('a: [1, "x" y]\n', '1:11: {} (write \\" for a " inside, or put the text in single quotes)'),
    ],
)
@pytest.mark.usefixtures("_either_reader")
def test_what_follows_a_quoted_text_is_reported_there(text: str, message: str) -> None:
    told = failure(text)
    where, _, rest = message.partition("{}")
    assert "not valid YAML: something follows the end of a quoted text" in told
    assert told.startswith(f"f:{where[:2]}")
    assert told.endswith(rest)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_directives_without_number_are_refused_before_they_are_compared(line_break: str) -> None:
    directives = line_break.join(f"%TAG !a{number}! b" for number in range(50_000))
    started = time.monotonic()
    assert failure(f"{directives}\n--- x").endswith(
        'more than 1,000 lines begin with "%" (indent them, or leave them out)'
    )
    assert time.monotonic() - started < 1  # 4 s where they are compared
    assert yaml_value("%YAML 1.2\n%TAG !a! b\n--- x") == "x"
    assert yaml_value('"' + "%\n" * 900 + '"') == "% " * 899 + "% "


@pytest.mark.parametrize("problem", ["!x a", "{[]: 1}", "{a: 1, a: 2}", "!!int a"])
def test_the_path_of_a_problem_below_a_long_key_is_short(problem: str) -> None:
    report = Report("f")
    read_yaml("? " + "k" * 100_000 + "\n:\n" + f"  - {problem}\n" * 3000, report)
    assert 900 < len(report.problems) <= 1000  # the first of them
    assert max(len(found.path) for found in report.problems) < 200
    assert max(len(found.message) for found in report.problems) < 300


@pytest.mark.parametrize("text", ["!{} a", "? !!int {}\n: 1", "*{}", "? 1{}\n: 1", "!!int {}", "[&a{0} [*a{0}]]"])
def test_what_a_problem_says_is_short_whatever_the_file_says(text: str) -> None:
    report = Report("f")
    long = text.format("1" * 100_000)
    try:
        read_yaml(long, report)
    except DeclarationError as error:
        report.problems += error.problems
    assert 0 < len("".join(map(str, report.problems))) < 1000


def test_a_path_of_many_long_keys_is_cut() -> None:
    report = Report("f")
    keys = "{" + ": {".join("\u00e9" * 150 for _ in range(100))
    read_yaml(f"{keys}: [!x a]" + "}" * 100, report)
    assert len(report.problems[0].path) < 1100


@pytest.mark.parametrize(
    "text",
    ["1" * 4_000_000 + "x", "-" + "0" * 4_000_000, "1e" + "9" * 4_000_000, '"' + '\\"' * 2_000_000, "[" * 4_000_000],
)
def test_json_of_one_long_value_is_read_in_no_time(text: str) -> None:
    started = time.monotonic()
    with contextlib.suppress(DeclarationError):
        read_json(text, Report("f"))
    assert time.monotonic() - started < 2


def test_places_in_json_without_lines_are_found_in_no_time() -> None:
    text = '{"a": [' + f'"{"x" * 400}",' * 20_000 + "[\n\n 2]]}"
    started = time.monotonic()
    document = read_json(text, Report("f"))
    spans = scalar_spans(Path("f.json"), text)
    assert time.monotonic() - started < 4  # many times that where each place is counted from the beginning
    last = child(document, "a[20000][0]")
    assert (last.line, last.column) == (3, 2)
    assert text[slice(*spans.at(last)[:2])] == "2"


@pytest.mark.parametrize("path", ['"' + '\\"' * 100_000, "[" * 100_000, "[" + "1" * 100_000 + "]", '"' * 100_000])
def test_a_path_that_is_none_leads_nowhere_at_once(path: str) -> None:
    root = MapNode(1, 1)
    started = time.monotonic()
    assert locate(root, path) is root
    assert time.monotonic() - started < 2


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert f"more than {MAX_NODES:,} values" in failure(bomb)


def test_a_merge_bomb_is_refused() -> None:
    wide = "a: &a {" + ", ".join(f"k{number}: 1" for number in range(1000)) + "}\n"
    merges = "b: [" + ", ".join(["{<<: [*a, *a, *a, *a]}"] * 300) + "]\n"
    assert f"more than {MAX_NODES:,} values" in failure(wide + merges)


def test_nesting_is_bounded_also_through_aliases() -> None:
    deep = "[" * (MAX_NESTING - 1) + "]" * (MAX_NESTING - 1)
    assert yaml_value(f"a: {deep}")
    assert "nested deeper than" in failure(f"a: [{deep}]")
    assert "nested deeper than" in failure("[" * 100_000)
    assert "nested deeper than" in failure("[" * 100_000, json=True)
    half = MAX_NESTING // 2 + 1
    shared = "[" * half + "]" * half
    assert "nested deeper than" in failure(f"a: &a {shared}\nb: {'[' * half}*a{']' * half}\n")


@pytest.mark.parametrize("text", ["[" * 2000, "{a: " * 2000, "- " * 2000, "? " * 2000, "a:\n- " + "[" * 200])
@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
def test_nesting_beyond_the_bound_of_any_reader_is_told_in_our_words(
    text: str, loader: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_document, "_EVENT_SOURCE", loader)
    line = text.count("\n") + 1
    assert re.fullmatch(rf"f:{line}:\d+: nested deeper than {MAX_NESTING} levels", failure(text))


@pytest.mark.parametrize("text", ["a: &a {b: *a}", "a: &a [*a]", "&a [{x: *a}]"])
def test_a_value_cannot_contain_itself(text: str) -> None:
    assert "stands inside what it stands for" in failure(text)


# What is gathered


def test_every_wrong_key_of_a_file_is_reported_and_the_rest_is_read() -> None:
    report = Report("f.yaml")
    document = read_yaml("a: 1\na: 2\n1: x\n? {k: v}\n: y\nb: !Foo 3\nc: {d: 1, d: 2}\n", report)
    assert value_of(document) == {"a": 1, "b": "3", "c": {"d": 1}}
    assert [(problem.line, problem.column, problem.path) for problem in report.problems] == [
        (2, 1, "a"),
        (3, 1, ""),
        (4, 3, ""),
        (6, 4, "b"),
        (7, 11, "c.d"),
    ]


def test_file_values_are_found_wherever_they_stand_but_not_in_keys() -> None:
    text = 'a: file://x\n"file://key": [1, {b: "file://y"}]\nc: xfile://\n'
    document = read_yaml(text, Report("f"))
    assert [(node.value, path) for node, path in document.file_values] == [
        ("file://x", "a"),
        ("file://y", "file://key[1].b"),
    ]


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\ufffe"])
def test_a_control_character_is_named_with_its_place(character: str) -> None:
    assert failure(f"a: 1\nb: x{character}\n").startswith(
        f"f:2:5: not valid YAML: the control character U+{ord(character):04X}"
    )


@pytest.mark.parametrize("text", ['a: "\\ud800"', 'a: "\\UFFFFFFFF"'])
@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
def test_an_escape_that_is_no_character_is_refused(text: str, loader: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document, "_EVENT_SOURCE", loader)
    assert failure(text)


# JSON


def test_json_that_is_no_yaml_is_read() -> None:
    long_key = "k" * 2000
    text = '{\t"emoji": "\\ud83d\\ude00",\n\t"slash": "\\/", "' + long_key + '": [1e3, -0.5, true, null],"a":{"b":1}}'
    assert value_of(read_json(text, Report("f"))) == {
        "emoji": "\U0001f600",
        "slash": "/",
        long_key: [1000.0, -0.5, True, None],
        "a": {"b": 1},
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,}', "1:9"),
        ("[1 2]", "1:4"),
        ("[1,]", "1:4"),
        ("{a: 1}", "1:2"),
        ('{"a" 1}', "1:6"),
        ('{"a": tru}', "1:7"),
        ('{"a":\n "x\ny"}', "2:2"),
        ('{"a":1} x', "1:9"),
        ('{"a": 01}', "1:7"),
        ("[NaN]", "1:2"),
        ("[", "1:2"),
        ('["\\ud800"]', "1:2"),
        ('["abc', "1:2"),
        ("// c\n[]", "1:1"),
    ],
)
def test_a_mistake_in_json_is_found_at_its_place(text: str, place: str) -> None:
    assert failure(text, json=True).startswith(f"f:{place}: ")


def test_json_of_hundreds_of_digits_is_read_in_linear_time() -> None:
    assert value_of(read_json("[" + "9" * 100_000 + "]", Report("f"))) == [math.inf]


# Nodes


def test_frozen_values_cannot_be_changed() -> None:
    root = read_yaml("a: [1, {b: 2}]\n", Report("f")).root
    assert root is not None
    value = freeze(root)
    assert value == {"a": (1, {"b": 2})}
    with pytest.raises(TypeError):
        value["a"][1]["b"] = 3


@pytest.mark.parametrize("key", ["a", "a.b", "", "a b", "[0]", 'quo"te', "back\\slash", "line\nbreak", "日本"])
def test_a_joined_path_leads_back_to_its_node(key: str) -> None:
    target = ScalarNode(1, "1", 7, 7, 7)
    inner, items, root = MapNode(1, 1), ListNode(1, 1), MapNode(1, 1)
    inner.items[key], items.items, root.items["top"] = target, [target, inner], items
    assert locate(root, join("top[1]", key)) is target


def test_a_path_that_leads_nowhere_gives_the_nearest_node() -> None:
    root = read_yaml("a: {b: [1]}\n", Report("f")).root
    assert root is not None
    for path, there in (("a.x.y", "a"), ("a.b[3]", "a.b"), ("a.b[0].c", "a.b[0]"), ("x", ""), ("[0]", "")):
        assert locate(root, path) is locate(root, there)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x", '"x"'),
        ("0755", "0755"),
        ("~", "nothing"),
        ("[]", "an empty list"),
        ("[1, 2]", "a list of 2"),
        ("{}", "an empty mapping"),
        ("{a: 1}", "a mapping"),
        ('"a\\nb"', '"a\\nb"'),
        ("x" * 50, '"' + "x" * 40 + '..."'),
    ],
)
def test_a_value_is_described_in_one_short_line(text: str, shown: str) -> None:
    root = read_yaml(text, Report("f")).root
    assert root is not None
    assert describe_node(root) == shown
