"""Values on their way in and out of the sandbox, and what a guest does in the meantime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

import lua_guests
from attacks import Attack, attacks
from lua_guests import CONDITIONS, body, context, prepare, program, run
from polycall.interop.errors import ConversionError, MemoryLimitError
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value


@pytest.fixture(autouse=True)
def _in_the_sandbox() -> Iterator[None]:
    before, lua_guests.current[0] = lua_guests.current[0], CONDITIONS["sandbox"]
    yield
    lua_guests.current[0] = before


ROUNDS = """
local json, funcs = require('json'), require('funcs')
local function litter()
  setmetatable({}, { __gc = function()
    local text = json.encode({ 'of the finalizer', ('x'):rep(2000) })
    funcs.call('app:echo', { text, text })
    litter()
  end })
end
for i = 1, ... do litter() end
local text = '[' .. ('{"a":[1,2,3,"x"],"b":null,"c":{"d":"e"}},'):rep(500) .. '1]'
local first = json.encode(json.decode(text))
for i = 1, 4 do
  local value = json.decode(text)
  assert(json.encode(value) == first)
  assert(json.encode(funcs.call('app:echo', value)) == first)
end
return #first
"""


@attacks(
    Attack(
        "a finalizer that calls the host while a value is on its way",
        "Lua, sandboxed",
        "runs when it has arrived",
        "the same value arrives without one",
    )
)
def test_no_finalizer_runs_while_a_value_is_on_its_way() -> None:
    targets = {"app:echo": lambda arguments, _frame: arguments[0]}
    length = run(ROUNDS, 0, targets=targets)
    assert run(ROUNDS, 20, targets=targets) == length


@pytest.mark.parametrize("text", ["return #...", "return (...)", "return require('funcs').call('app:same', ...)"])
def test_what_a_guest_is_given_is_collected_though_it_makes_nothing(text: str) -> None:
    given = "x" * (1 << 20)
    function = prepare(program(body(text)), {"app:same": lambda arguments, _frame: arguments[0]})
    with closing(function.instantiate()) as instance:
        for _ in range(40):
            instance.call([given], context())
        assert len(instance._kernel._state.content()) < 16 << 20  # type: ignore[union-attr]


DATES = """
local layout, shown, wrong = ('%Y '):rep(150), ('2001 '):rep(150), 0
local function litter()
  setmetatable({}, { __gc = function() os.date('!%Y', 0) litter() end })
end
for _ = 1, 2000 do litter() end
for i = 1, 1000 do
  local garbage = ('x'):rep(i * 11 % 1500)
  if os.date(layout, 1000000000) ~= shown then wrong = wrong + 1 end
end
return wrong
"""


def test_a_date_is_one_date_whatever_finalizers_ask_in_the_meantime() -> None:
    assert run(DATES) == 0


OVERFLOW = """
local json, funcs = require('json'), require('funcs')
local text, caught = ('['):rep(100) .. '1' .. (']'):rep(100), 0
local function down(left)
  if left < 0 and not pcall(json.decode, text) then caught = caught + 1 end
  down(left - 1)
end
pcall(down, 499900)
local held = {}
for i = 1, 60 do
  held[i] = ('x'):rep(1 << 20) .. i
  funcs.call('app:note', #held, caught > 0)
end
"""


@attacks(
    Attack(
        "an overflow of the stack while a value comes in, for which the memory limit is lifted",
        "Lua, sandboxed",
        "MemoryLimitError for what is made then",
        "less than the limit can be made",
    )
)
def test_the_memory_limit_is_back_after_an_overflow_while_a_value_comes_in() -> None:
    noted: list[Value] = []
    with pytest.raises(MemoryLimitError):
        run(
            OVERFLOW,
            limits=LimitsSpec(max_memory_bytes=48 << 20),
            targets={"app:note": lambda arguments, _frame: noted.append(list(arguments))},
        )
    assert noted[9] == [10, True]


@attacks(
    Attack(
        "a text of more than 64 MiB as the result, or as an argument",
        "Lua, sandboxed",
        "ConversionError",
        "a shorter one arrives",
    )
)
@pytest.mark.parametrize("conditions", ["unlimited", "sandbox"])
def test_a_text_is_bounded_by_itself_as_in_a_table(conditions: str) -> None:
    lua_guests.current[0] = CONDITIONS[conditions]
    with pytest.raises(
        ConversionError, match=r"\$.result: expected text of at most 67108864 bytes, got one of 73400320"
    ):
        run("local piece = ('a'):rep(35 << 20) return piece .. piece")
    long = "local piece, funcs = ('a'):rep(35 << 20), require('funcs')"
    told = f"{long} return (select(2, funcs.call('app:length', piece .. piece))):kind()"
    targets = {"app:length": lambda arguments, _frame: len(arguments[0])}
    assert run(told, targets=targets) == "Invalid"
    assert run(f"{long} return funcs.call('app:length', piece)", targets=targets) == 35 << 20
    assert run("return 'short'") == "short"
