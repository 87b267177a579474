"""The names of imports and exports, and the versions that stand for each other."""

from __future__ import annotations

import time

import pytest

from polycall.wasm_runtime.component.names import (
    FunctionName,
    InterfaceName,
    canonical_version,
    compatible,
    parse_function,
    parse_interface,
)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("wasi:io/streams@0.2.1", ("wasi:io", "streams", "0.2.1")),
        ("wasi:http/handler", ("wasi:http", "handler", None)),
        ("a:b/c@0.2", ("a:b", "c", "0.2")),
        ("a:b/c@1.0.0-rc.1+build-5", ("a:b", "c", "1.0.0-rc.1+build-5")),
        ("my-org:my-pkg2/get-JSON", ("my-org:my-pkg2", "get-JSON", None)),
        ("ns:inner:pkg/outer/inner@1.0.0", ("ns:inner:pkg", "outer/inner", "1.0.0")),
    ],
)
def test_the_parts_of_an_interface(name: str, parts: tuple[str, str, str | None]) -> None:
    assert parse_interface(name) == InterfaceName(*parts)
    assert str(InterfaceName(*parts)) == name


@pytest.mark.parametrize(
    "name",
    ["", "run", "a:b", "a:b/", "a/b", "a:b/c@", "a:b/c@x", "a:b/c@0.2.", "a:b/c@01.0.0", "A:b/c", "a:b/c d", "a:b/c@0"],
)
def test_what_is_no_interface(name: str) -> None:
    assert parse_interface(name) is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("run", ("function", None, "run")),
        ("get-JSON", ("function", None, "get-JSON")),
        ("[constructor]cart", ("constructor", "cart", "")),
        ("[method]cart.add-item", ("method", "cart", "add-item")),
        ("[static]cart.merge", ("static", "cart", "merge")),
    ],
)
def test_the_parts_of_a_function(name: str, parts: tuple[str, str | None, str]) -> None:
    assert parse_function(name) == FunctionName(*parts)


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "[method]cart", "[constructor]a.b", "[static]a.", "[other]a.b", "a.b"]
)
def test_what_is_no_function(name: str) -> None:
    assert parse_function(name) is None


@pytest.mark.parametrize(
    ("version", "canonical"),
    [
        ("1.2.3", "1"),
        ("0.2.6-rc.1", "0.2"),
        ("0.0.1-alpha", "0.0.1"),
        ("0.0.0", "0.0.0"),
        ("0.2", "0.2"),
        ("12", "12"),
        ("0.10.0+5", "0.10"),
        ("1.2", None),
        ("0", None),
        ("1.0.0-01", None),
    ],
)
def test_canonical_versions(version: str, canonical: str | None) -> None:
    assert canonical_version(version) == canonical


@pytest.mark.parametrize(
    ("wanted", "offered", "fits"),
    [
        ("wasi:io/poll@0.2.0", "wasi:io/poll@0.2.12", True),
        ("wasi:io/poll@0.2.12", "wasi:io/poll@0.2.0", True),
        ("wasi:io/poll@0.2", "wasi:io/poll@0.2.12", True),
        ("a:b/c@1.0.0", "a:b/c@1.9.9", True),
        ("a:b/c", "a:b/c", True),
        ("run", "run", True),
        ("wasi:io/poll@0.2.0", "wasi:io/poll@0.3.0", False),
        ("wasi:io/poll@0.2.0", "wasi:io/streams@0.2.0", False),
        ("a:b/c@1.0.0", "a:b/c@2.0.0", False),
        ("a:b/c@0.0.1", "a:b/c@0.0.2", False),
        ("a:b/c@1.0.0", "a:b/c", False),
        ("a:b/c", "a:b/c@1.0.0", False),
        ("a:b/c@0.2.0", "x:b/c@0.2.0", False),
        ("run", "walk", False),
    ],
)
def test_versions_that_stand_for_each_other(wanted: str, offered: str, fits: bool) -> None:
    assert compatible(wanted, offered) is fits


def test_names_of_any_length_take_no_time() -> None:
    began = time.perf_counter()
    for name in ("a" * 100_000, "a-" * 50_000, "a:" * 50_000, "a:b/c@" + "1." * 50_000, "[method]" + "a" * 99_000):
        assert parse_interface(name) is None
        assert parse_function(name) is None
    assert time.perf_counter() - began < 1
