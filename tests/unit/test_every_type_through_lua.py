"""Every WIT type from Python through Lua into an echo component and back the same way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import polycall
from echo_components import PADDING, echo_component_wat
from polycall.wasm_runtime.wit.wit_types import WitType
from projects import write_project
from wit_examples import INLINE, NAMED

EXAMPLES = [example for example in (*INLINE, *NAMED) if example[1] != 2**64 - 1]
RELAY = """
namespace: app
entries:
  - name: relay
    kind: function.lua
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return { relay = function(target, ...) return funcs.call(target, ...) end }
    method: relay
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    folder, index = tmp_path_factory.mktemp("types"), RELAY
    for number, (wit_type, _, _) in enumerate(EXAMPLES):
        (folder / f"echo{number}.wat").write_text(echo_component_wat(wit_type))
        index += f"  - {{name: echo{number}, kind: function.wat, source: 'file://echo{number}.wat', method: echo}}\n"
    with polycall.load(write_project(folder, index=index)) as registry:
        yield registry


def seen_through_lua(value: polycall.Value) -> polycall.Value:
    """Returns what Lua's one string type makes of a value (docs/values.md)."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, list):
        return [seen_through_lua(item) for item in value]
    if isinstance(value, dict):
        return {key: seen_through_lua(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize(
    ("number", "wit_type", "given", "expected"),
    [(number, *example) for number, example in enumerate(EXAMPLES)],
    ids=str,
)
def test_a_value_survives_the_way_through_lua_and_a_component(
    registry: polycall.Registry,
    number: int,
    wit_type: WitType,
    given: polycall.Value,
    expected: polycall.Value,
) -> None:
    answer = registry.call("app:relay", f"app:echo{number}", given, *PADDING)
    assert answer == seen_through_lua(expected)
    assert type(answer) is type(seen_through_lua(expected))
    assert str(registry.prepare(f"app:echo{number}").signature).startswith("func(v: ")


def test_an_integer_beyond_lua_is_an_error_in_both_directions(registry: polycall.Registry) -> None:
    number = next(index for index, (wit_type, _, _) in enumerate(EXAMPLES) if str(wit_type) == "u64")
    assert registry.call(f"app:echo{number}", 2**64 - 1, *PADDING) == 2**64 - 1
    with pytest.raises(polycall.ConversionError, match=r"\$\.args\[1\]: expected an integer of 64 bits"):
        registry.call("app:relay", f"app:echo{number}", 2**64 - 1, *PADDING)
    registry.function("py:huge")(lambda: 2**63)
    with pytest.raises(polycall.ConversionError, match=r"\$\.result: expected an integer of 64 bits"):
        registry.call("app:relay", "py:huge")
