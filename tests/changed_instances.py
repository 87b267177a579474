"""A process of its own that validates, instantiates and calls changed binaries: only errors of polycall's may come.

Arguments: the number of the first one, and how many. Writes what became of them, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import wasmtime  # noqa: E402 - after the path to it is set

from component_bytes import changed  # noqa: E402 - likewise
from component_structures import drawn_composition  # noqa: E402
from hosted import Hosted, link  # noqa: E402
from polycall.interop.errors import PolycallError, PreparationError  # noqa: E402
from polycall.wasm_runtime.component.plan import ExportedInstance, LiftedFunction  # noqa: E402
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine  # noqa: E402
from polycall.wasm_runtime.wit.wit_types import ListType, Primitive, WitType  # noqa: E402
from recursion_limit import WAYS  # noqa: E402

_SECONDS = 0.05
_COMPOSITIONS = 40
_PLAIN = {"string": "abc", "char": "a", "bool": True, "f32": 1.5, "f64": 1.5}


def seeds() -> list[bytes]:
    """Returns what is changed: compositions, resources, texts and lists, host functions."""
    texts = [drawn_composition(Random(number))[0] for number in range(_COMPOSITIONS)]
    texts += 5 * [way.text for way in WAYS if not way.is_endless]
    return [bytes(wasmtime.wat2wasm(text)) for text in texts]


def _value(wit_type: WitType) -> Any:
    match wit_type:
        case Primitive(name=name):
            return _PLAIN.get(name, 7)
        case ListType(element=element):
            return [_value(element)] * 20
    return None  # for others: what does not fit is refused


def _functions(exports: ExportedInstance, inside: str = "") -> Iterator[tuple[str, LiftedFunction]]:
    for name, function in exports.functions.items():
        if isinstance(function, LiftedFunction):
            yield f"{inside}#{name}" if inside else name, function
    if not inside:
        for name, instance in exports.instances.items():
            yield from _functions(instance, name)


def _answer(*values: Any) -> Any:
    return values[0] if values else 1


class _Anything(dict[str, Any]):
    def __missing__(self, _name: str) -> Any:
        return _answer


def outcome(engine: WasmEngine, binary: bytes) -> str:
    """Returns how far a binary gets: to a refusal, a failed start, or how its calls end."""
    try:
        linked = link(engine, binary, _Anything(f=_answer))
    except (PreparationError, wasmtime.WasmtimeError):
        return "refused"
    try:
        instance = Hosted(linked, seconds=_SECONDS)
    except PolycallError as error:
        return f"no instance: {type(error).__name__}"
    last = "called"
    try:
        for name, function in _functions(linked.plan.exports):
            last = _called(instance, name, function)
    finally:
        instance.close()
    return last


def _called(instance: Hosted, name: str, function: LiftedFunction) -> str:
    try:
        instance.call(name, *(_value(wit_type) for _, wit_type in function.signature.params), seconds=_SECONDS)
    except PolycallError as error:
        return type(error).__name__
    return "called"


def main() -> None:
    """Tries them."""
    first, count = map(int, sys.argv[1:])
    engine, found, known = WasmEngine(), Counter[str](), seeds()
    for number in range(first, first + count):
        print(number, file=sys.stderr, flush=True)  # the last one is what ended the process
        found[outcome(engine, changed(known, Random(number)))] += 1
    print(json.dumps(found))


if __name__ == "__main__":
    main()
