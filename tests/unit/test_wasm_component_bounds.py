"""How many instances a component would make, and the refusal of too many."""

from __future__ import annotations

import pytest
import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.bounds import check_size


def check(text: str) -> None:
    check_size(decode(bytes(wasmtime.wat2wasm(f"(component {text})"))))


def levels(count: int, each: str) -> str:
    nested = "(component $c0 (core module $m) (core instance (instantiate $m)))"
    for level in range(1, count + 1):
        nested += f"(component $c{level} {each.replace('BELOW', f'$c{level - 1}')})"
    return f"{nested} (instance (instantiate $c{count}))"


TWICE = "(instance (instantiate BELOW)) (instance (instantiate BELOW))"
# The component below arrives as an argument, so that nothing says by name what is instantiated.
BY_ARGUMENT = (
    '(component $twice (import "c" (component $c)) (instance (instantiate $c)) (instance (instantiate $c)))'
    '(alias outer 1 BELOW (component $below)) (instance (instantiate $twice (with "c" (component $below))))'
)
# It is an export of an instance.
BY_EXPORT = (
    '(component $box (export "c" (component BELOW))) (instance $box (instantiate $box))'
    '(alias export $box "c" (component $c)) (instance (instantiate $c)) (instance (instantiate $c))'
)


@pytest.mark.parametrize("each", [TWICE, BY_ARGUMENT, BY_EXPORT], ids=["twice", "by argument", "by export"])
def test_components_that_double_level_by_level_are_refused(each: str) -> None:
    check(levels(4, each))
    with pytest.raises(PreparationError, match="makes more than 1000 instances"):
        check(levels(24, each))


def test_a_chain_of_components_is_bounded() -> None:
    once = "(instance (instantiate BELOW))"
    check(levels(60, once))
    with pytest.raises(PreparationError, match="more than 64 levels deep"):
        check(levels(70, once))


def test_what_comes_from_outside_makes_nothing() -> None:
    check('(import "c" (component $c)) (instance $i (instantiate $c))')
