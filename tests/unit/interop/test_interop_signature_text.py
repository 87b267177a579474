from __future__ import annotations

import pytest

from polycall.interop.signature_text import ok_of, types_of


@pytest.mark.parametrize(
    ("signature", "types"),
    [
        ("func()", ([], "")),
        ("func(a: s32, b: string) -> u32", (["s32", "string"], "u32")),
        (
            "func(rows: list<tuple<u32, string>>, how: record {a: u8, b: option<char>}) -> result<_, string>",
            (["list<tuple<u32, string>>", "record {a: u8, b: option<char>}"], "result<_, string>"),
        ),
        ("func(a: variant {all, some(u32)}) -> result", (["variant {all, some(u32)}"], "result")),
    ],
)
def test_a_signature_is_taken_apart_at_its_own_commas(signature: str, types: tuple[list[str], str]) -> None:
    assert types_of(signature) == types


@pytest.mark.parametrize(
    ("result", "ok"),
    [("u32", "u32"), ("result", ""), ("result<_, string>", ""), ("result<tuple<u8, u8>, string>", "tuple<u8, u8>")],
)
def test_the_ok_of_a_result(result: str, ok: str) -> None:
    assert ok_of(result) == ok
