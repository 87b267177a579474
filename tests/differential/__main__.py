"""Compares polycall's component engine with two others, on types, values and compositions drawn by chance.

    make differential CHECKOUT=/path/to/component-model CASES=100000

The others are wasmtime's own engine for components (where values lie in a guest's memory; what compositions give, with
resources passed between their parts) and the specification's own lifting and lowering (`definitions.py` in the
checkout). Each number of a case gives the same case each time. The exit code is 1 if one of them differed.
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable, Iterator
from random import Random
from time import monotonic
from typing import TypeAlias

from canonical_checks import DAMAGE, check_damaged, check_layout, check_lifting, check_lowering
from canonical_oracle import Oracle, definitions_in
from component_oracle import ComponentOracle, NotToldApartError, our_dump, our_outcomes
from component_structures import drawn_composition
from crossings import ENCODINGS, open_guest
from differential.drawing import drawn_type, drawn_value
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

__all__ = ["main"]

_VALUES = 5
"""Values of each type."""

_ENGINES = 500
"""After so many types or compositions, engines are made anew: they keep the types of all functions that they know."""

Check: TypeAlias = Callable[[int], int]
"""Takes the number of a type or composition; returns how many cases were compared."""


def main() -> int:
    """Runs what the command line asks for and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m differential", description=__doc__)
    parser.add_argument("checkout", help="of the component-model repository")
    parser.add_argument("--cases", type=int, default=1_000, help="how many, all in all")
    parser.add_argument("--first", type=int, default=0, help="the number of the first type and composition")
    given = parser.parse_args()
    if not definitions_in(given.checkout).is_file():
        parser.error(f"there is no {definitions_in(given.checkout)}: name a checkout of the component-model repository")
    compared, differed = 0, 0
    for name, share, open_check in (
        ("values in memory, by wasmtime", 0.2, _memory),
        ("compositions, by wasmtime", 0.2, _compositions),
        ("lifting and lowering, by definitions.py", 0.6, lambda: _specification(given.checkout)),
    ):
        found, wrong = _run(name, int(given.cases * share), given.first, open_check)
        compared, differed = compared + found, differed + wrong
    print(f"compared {compared}, differed {differed}")
    return 1 if differed else 0


def _run(name: str, wanted: int, first: int, opened: Callable[[], Check]) -> tuple[int, int]:
    compared = differed = 0
    number, begun = first, monotonic()
    check = opened()
    while compared < wanted and differed < 20:
        if number % _ENGINES == 0:
            check = opened()
        try:
            compared += check(number)
        except Exception:  # noqa: BLE001  # whatever comes out of an engine is a difference
            differed += 1
            print(f"--- {name}: number {number}\n{traceback.format_exc()[-3_000:]}", flush=True)
        number += 1
    print(f"{name}: compared {compared}, differed {differed}, in {monotonic() - begun:.0f} s", flush=True)
    return compared, differed


def _memory() -> Check:
    ours, theirs = WasmEngine(), ComponentOracle()

    def check(number: int) -> int:
        random = Random(number)
        wit_type = drawn_type(random, newer=False)
        values = [drawn_value(random, wit_type) for _ in range(_VALUES)]
        pairs = zip(values, our_dump(ours, wit_type, values), theirs.dumps(wit_type, values), strict=True)
        told = [(value, mine, other) for value, mine, other in pairs if not isinstance(other, NotToldApartError)]
        for value, mine, other in told:
            assert mine == other, f"{wit_type}: {value!r}"
        return len(told)

    return check


def _compositions() -> Check:
    ours, theirs = WasmEngine(), ComponentOracle()

    def check(number: int) -> int:
        text, functions = drawn_composition(Random(number))
        expected = theirs.outcomes(text, functions)
        assert our_outcomes(ours, text, functions) == expected, text
        return 1

    return check


def _specification(checkout: str) -> Check:
    def check(number: int) -> int:
        random = Random(number)
        encoding = random.choice(ENCODINGS)
        oracle = Oracle(checkout, encoding)
        types = [drawn_type(random, newer=True) for _ in range(random.randint(1, 4))]
        check_layout(oracle, types, random.choice((None, *types)), encoding)
        with open_guest() as guest:
            guest.grow(1)
            for _ in range(_VALUES):
                values = [drawn_value(random, each) for each in types]
                check_lowering(oracle, guest, types, values, encoding)
                check_lifting(oracle, guest, types, values, encoding)
                check_damaged(oracle, guest, types, values, encoding, changes=list(_changes(random)))
        return 3 * _VALUES + 1

    return check


def _changes(random: Random) -> Iterator[tuple[bool, int, int]]:
    for _ in range(random.randint(1, 6)):
        yield random.random() < 0.5, random.randrange(512), random.choice(DAMAGE)


if __name__ == "__main__":
    raise SystemExit(main())
