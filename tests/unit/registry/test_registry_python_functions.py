from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import pytest

import polycall
from projects import write_project

INDEX = """
namespace: app
entries:
  - name: ask
    kind: function.lua
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return { ask = function(target, ...) return funcs.call(target, ...) end }
    method: ask
  - name: who
    kind: function.lua
    modules: [ctx]
    source: |
      local ctx = require("ctx")
      return { who = function() return (ctx.get("user")) end }
    method: who
"""


@pytest.fixture
def registry(tmp_path: Path) -> polycall.Registry:
    return polycall.load(write_project(tmp_path, index=INDEX))


def test_a_python_function_is_called_from_lua_and_from_python(registry: polycall.Registry) -> None:
    @registry.function("py:join")
    def join(*parts: str) -> str:
        return "-".join(parts)

    assert registry.call("app:ask", "py:join", "a", "b") == "a-b"
    assert registry.call("py:join", "c", "d") == "c-d"
    assert join("e") == "e"


def test_a_python_function_is_an_entry_like_any_other(registry: polycall.Registry) -> None:
    registry.function("py:now", meta={"type": "clock"})(lambda: 1)
    assert [str(entry.id) for entry in registry.find(kind="function.python", meta={"type": "clock"})] == ["py:now"]
    assert "py:now" in registry
    assert len(registry) == 3
    assert registry.get("py:now").location.file == __file__


def test_what_a_python_function_raises_is_a_guest_error_with_its_traceback(registry: polycall.Registry) -> None:
    @registry.function("py:fail")
    def fail() -> None:
        raise KeyError("XX")

    with pytest.raises(polycall.GuestError, match=r"app:ask \(lua\) -> py:fail \(python\): KeyError: 'XX'") as caught:
        registry.call("app:ask", "py:fail")
    assert caught.value.guest_traceback is None


def test_an_exception_that_cannot_say_what_it_is_is_a_guest_error_all_the_same(registry: polycall.Registry) -> None:
    class Mute(Exception):  # noqa: N818  # it is no name for an error, that is the point
        def __str__(self) -> str:
            raise RuntimeError("not telling")

    @registry.function("py:mute")
    def mute() -> None:
        raise Mute

    with pytest.raises(polycall.GuestError, match=r"Mute: \(its text cannot be read: __str__ raised RuntimeError\)"):
        registry.call("app:ask", "py:mute")


def test_a_result_that_raises_while_it_is_read_is_the_functions_own_failure(registry: polycall.Registry) -> None:
    class Broken(dict[str, int]):
        def items(self) -> NoReturn:
            raise KeyError("broken")

    registry.function("py:broken")(Broken)
    with pytest.raises(polycall.GuestError, match="KeyError: 'broken'"):
        registry.call("py:broken")


def test_a_python_function_may_only_return_plain_values(registry: polycall.Registry) -> None:
    registry.function("py:odd")(lambda: {"price": Decimal(1)})
    with pytest.raises(polycall.ConversionError, match=r"\$\.result\.price: expected .* got a Decimal"):
        registry.call("py:odd")


def test_deadline_depth_and_context_pass_through_python(registry: polycall.Registry) -> None:
    @registry.function("py:again")
    def again() -> polycall.Value:
        return registry.call("app:ask", "py:again")

    @registry.function("py:who")
    def who() -> polycall.Value:
        return registry.call("app:who")

    assert registry.call("app:ask", "py:who", values={"user": "ana"}) == "ana"
    with pytest.raises(polycall.DepthError, match="deeper than 32"):
        registry.call("py:again")

    @registry.function("py:late")
    def late() -> polycall.Value:
        return registry.call("app:ask", "py:who", timeout=100)

    with pytest.raises(polycall.DeadlineError):
        registry.call("py:late", timeout=0)


def test_a_taken_id_is_refused_and_can_be_taken_over(registry: polycall.Registry) -> None:
    with pytest.raises(ValueError, match=r"the id app:ask is taken: declared in _index\.yaml:4:5"):
        registry.function("app:ask")(lambda: None)
    with pytest.raises(ValueError, match="has no namespace"):
        registry.function("ask")

    registry.function("app:ask", replace=True)(lambda: "mine")
    assert registry.call("app:ask") == "mine"
    registry.function("app:ask", replace=True)(lambda: "mine again")
    assert registry.call("app:ask") == "mine again"
    registry.remove("app:ask")
    registry.function("py:twice")(lambda number: 2 * number)
    assert registry.call("app:ask", "py:twice", 4) == 8


def test_a_value_that_contains_itself_is_refused_where_it_does(registry: polycall.Registry) -> None:
    @registry.function("py:cyclic")
    def cyclic() -> object:
        record: dict[str, object] = {}
        record["self"] = record
        return record

    with pytest.raises(polycall.PolycallError, match=r"\$\.result\.self: .* refers to itself: it is \$\.result again"):
        registry.call("py:cyclic")
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(polycall.PolycallError, match=r"\$\.args\[0\]\[0\]: .* refers to itself"):
        registry.call("py:cyclic", endless)
