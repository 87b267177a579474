from __future__ import annotations

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lua_guests import refusal, run

pytestmark = pytest.mark.under_every_limit

# RFC 9562, appendix A.
RFC_9562 = [
    ("C232AB00-9414-11EC-B3C8-9F6BDECED846", 1, 1645557742),
    ("5df41881-3aed-3515-88a7-2f4a814cf09e", 3, None),
    ("919108f7-52d1-4320-9bac-f847db4148a8", 4, None),
    ("2ed6657d-e927-568b-95e1-2665a8aea6a2", 5, None),
    ("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", 7, 1645557742),
]
DNS = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.parametrize(("text", "version", "timestamp"), RFC_9562)
def test_the_examples_of_the_rfc_are_understood(text: str, version: int, timestamp: int | None) -> None:
    assert run("local u = require('uuid') return { u.validate(...), u.version(...), u.variant(...) }", text) == [
        True,
        version,
        "RFC4122",
    ]
    about = run("return require('uuid').parse(...)", text)
    assert isinstance(about, dict)
    assert about.get("timestamp") == timestamp
    assert about.get("node") == ("9f6bdeced846" if version == 1 else None)


def test_names_give_the_uuids_of_the_rfc() -> None:
    text = "local u = require('uuid') return { u.v3(..., 'www.example.com'), u.v5(..., 'www.example.com') }"
    assert run(text, DNS) == ["5df41881-3aed-3515-88a7-2f4a814cf09e", "2ed6657d-e927-568b-95e1-2665a8aea6a2"]


@pytest.mark.parametrize("version", [1, 4, 7])
def test_made_ones_have_their_version_and_differ(version: int) -> None:
    made = run(f"local u, made = require('uuid'), {{}} for i = 1, 200 do made[i] = u.v{version}() end return made")
    assert isinstance(made, list)
    parsed = [uuid.UUID(str(text)) for text in made]
    assert {each.version for each in parsed} == {version}
    assert {each.variant for each in parsed} == {uuid.RFC_4122}
    assert len(set(parsed)) == 200


def test_version_1_does_not_tell_the_machine_s_address() -> None:
    first, second = (uuid.UUID(str(run("return require('uuid').v1()"))).node for _ in range(2))
    assert first != second
    assert first >> 40 & 1 == 1  # the multicast bit, which no card has


def test_version_7_sorts_by_time() -> None:
    before = time.time_ns() // 1_000_000
    made = run("local u, made = require('uuid'), {} for i = 1, 20 do made[i] = u.v7() end return made")
    assert isinstance(made, list)
    milliseconds = [uuid.UUID(str(text)).int >> 80 for text in made]
    assert milliseconds == sorted(milliseconds)
    assert before <= milliseconds[0] <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("argument", "valid"),
    [
        (f"'{DNS}'", True),
        (f"'{DNS.upper()}'", True),
        (f"'urn:uuid:{DNS}'", True),
        (f"'{{{DNS}}}'", True),
        (f"'{DNS.replace('-', '')}'", True),
        (f"'{{{DNS}'", False),
        (f"'{DNS}0'", False),
        (f"'{DNS} '", False),
        (f"'{DNS[:-1]}g'", False),
        ("'6ba7b8109-dad-11d1-80b4-00c04fd430c8'", False),
        ("''", False),
        ("5", False),
        ("nil", False),
        ("{}", False),
    ],
)
def test_validate(argument: str, valid: bool) -> None:
    assert run(f"return require('uuid').validate({argument})") is valid


@given(value=st.uuids())
def test_every_format_is_a_spelling_of_the_same(value: uuid.UUID) -> None:
    text = """
      local u, id = require('uuid'), ...
      local simple = u.format(id, 'simple')
      return { u.format(id), u.format(id, 'standard'), simple, u.format(simple, 'urn') }"""
    assert run(text, str(value)) == [str(value), str(value), value.hex, value.urn]


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        (f"{DNS[:19]}0{DNS[20:]}", "NCS"),
        (f"{DNS[:19]}c{DNS[20:]}", "Microsoft"),
        (f"{DNS[:19]}f{DNS[20:]}", "Future"),
    ],
)
def test_other_variants_are_told(text: str, variant: str) -> None:
    assert run("return require('uuid').variant(...)", text) == variant


@pytest.mark.parametrize(
    "call",
    [
        "v3()",
        "v3('x', 'name')",
        f"v5('{DNS}')",
        f"v5('{DNS}', 5)",
        "version('x')",
        "version(5)",
        "variant(nil)",
        "parse('')",
        "parse({})",
        "format('x')",
        f"format('{DNS}', 'short')",
        f"format('{DNS}', 5)",
    ],
)
def test_anything_else_is_invalid(call: str) -> None:
    assert refusal(f"require('uuid').{call}") == "Invalid"


@pytest.mark.parametrize("name", ["version", "variant", "parse", "format"])
def test_a_refusal_names_the_function_that_was_called(name: str) -> None:
    text = run(f"local _, err = require('uuid').{name}(5) return err:message()")
    assert str(text).startswith(f"uuid.{name}: expected a string as argument 1")
