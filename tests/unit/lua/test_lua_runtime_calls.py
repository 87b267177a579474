from __future__ import annotations

import gc
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from lua_guests import body, context, prepare, program, run
from polycall.interop.errors import (
    DeadlineError,
    GuestError,
    InternalError,
    MemoryLimitError,
    MissingExportError,
    PreparationError,
)
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value

pytestmark = pytest.mark.under_every_limit

ROOT = Path(__file__).parents[3]


def test_a_long_source_works_as_a_short_one() -> None:
    lines = "\n".join(f"t[{each}] = function(a, b) return a * {each} + b .. 'text {each}' end" for each in range(5000))
    with closing(prepare(program(f"local t = {{}}\n{lines}\n{body('return t[...](2, 3)')}")).instantiate()) as instance:
        assert instance.call([4999], context()) == "10001text 4999"


def test_a_call_gives_the_function_its_arguments_and_returns_its_value() -> None:
    assert run("local a, b = ... return a .. b", "x", "y") == "xy"


def test_arguments_keep_their_number_even_if_the_last_ones_are_none() -> None:
    assert run('return select("#", ...)', 1, None, None) == 3
    assert run('return select("#", ...)', [1], None) == 2


def test_a_function_without_a_return_gives_none() -> None:
    assert run("") is None


def test_results_after_the_second_are_dropped() -> None:
    assert run('return "value", nil, "dropped"') == "value"


@pytest.mark.parametrize("second", ["{1}", "5", "true", "false"])
def test_a_second_result_that_is_no_error_is_ignored(second: str) -> None:
    assert run(f"return 'value', {second}") == "value"


def test_a_chunk_may_return_the_function_itself() -> None:
    with closing(prepare(program("return function(x) return x * 2 end")).instantiate()) as instance:
        assert instance.call([21], context()) == 42


def test_the_function_may_come_through_a_metatable() -> None:
    text = "return setmetatable({}, { __index = { main = function() return 7 end } })"
    with closing(prepare(program(text)).instantiate()) as instance:
        assert instance.call([], context()) == 7


def test_module_level_variables_belong_to_one_instance() -> None:
    function = prepare(program("local n = 0 return { main = function() n = n + 1 return n end }"))
    with closing(function.instantiate()) as first, closing(function.instantiate()) as second:
        assert [first.call([], context()) for _ in range(3)] == [1, 2, 3]
        assert second.call([], context()) == 1


def test_the_state_that_preparing_started_is_the_first_instance() -> None:
    function = prepare(program("local made = {} return { main = function() return 1 end }"))
    first, second = function.instantiate(), function.instantiate()
    assert first is not second
    first.close()
    second.close()


def test_a_payload_is_the_only_argument() -> None:
    assert list(prepare(program(body(""))).payload_arguments(b"\xff")) == [b"\xff"]


def test_a_function_says_what_it_is() -> None:
    function = prepare(program(body("")))
    assert (function.entry_id, function.language, function.signature) == ("app:main", "lua", None)


def test_a_syntax_error_names_file_and_line_of_the_user() -> None:
    with pytest.raises(PreparationError) as caught:
        prepare(program("return {\n  main = function( end\n}", first_line=10))
    assert caught.value.message.startswith("lua/main.lua:11: ")
    assert caught.value.entry_id == "app:main"


def test_an_error_of_start_up_code_names_file_and_line() -> None:
    with pytest.raises(PreparationError, match=r"^lua/main\.lua:2: no luck") as caught:
        prepare(program("local x = 1\nerror('no luck')"))
    assert caught.value.guest_traceback == "lua/main.lua:2: in main chunk"


def test_a_missing_method_is_an_error_that_lists_the_functions_there_are() -> None:
    with pytest.raises(MissingExportError, match=r"functions there are: mein, other .*did you mean \"mein\"\?"):
        prepare(program("return { mein = function() end, other = function() end, number = 1 }"))


@pytest.mark.parametrize(
    ("text", "said"),
    [("local x = 1", "returns nothing"), ("return 5", "returns a number"), ("return {}", "no functions are in it")],
)
def test_a_chunk_that_returns_no_function_is_told_what_it_returned(text: str, said: str) -> None:
    with pytest.raises(MissingExportError, match=said):
        prepare(program(text))


def test_an_unknown_module_is_an_error_that_lists_the_modules_there_are() -> None:
    with pytest.raises(PreparationError, match=r'no module "jsn"; the modules are .*json.*did you mean "json"\?'):
        prepare(program(body(""), modules=["jsn"]))


def test_an_unknown_module_of_a_library_is_found_before_anything_runs() -> None:
    library = program("return {}", entry_id="app:lib", method=None, modules=["http"])
    with pytest.raises(PreparationError, match='no module "http"') as caught:
        prepare(program(body(""), imports={"lib": library}))
    assert caught.value.entry_id == "app:lib"


def test_a_library_cannot_be_prepared_as_a_function() -> None:
    with pytest.raises(PreparationError, match="a library cannot be called"):
        prepare(program("return {}", method=None))


def test_endless_start_up_code_is_stopped_at_the_declared_limit() -> None:
    with pytest.raises(DeadlineError, match=r"start-up code ran longer than 0\.02 s"):
        prepare(program("while true do end", limits=LimitsSpec(max_execution_ms=20)))


def test_start_up_code_is_under_the_memory_limit() -> None:
    limits = LimitsSpec(max_memory_bytes=100_000)
    with pytest.raises(MemoryLimitError, match="100000 bytes"):
        prepare(program("local t = {} while true do t[#t + 1] = {} end", limits=limits))


def test_a_limit_too_small_for_anything_is_a_memory_error() -> None:
    with pytest.raises(MemoryLimitError, match="more than its 1 bytes"):
        run("local t = {} for i = 1, 10000 do t[i] = {} end", limits=LimitsSpec(max_memory_bytes=1))


def test_a_closed_instance_refuses_calls_and_may_be_closed_again() -> None:
    instance = prepare(program(body(""))).instantiate()
    instance.close()
    instance.close()
    with pytest.raises(InternalError, match="after its end"):
        instance.call([], context())


def test_an_instance_may_be_used_from_another_thread_than_the_one_that_made_it() -> None:
    results: list[Value] = []
    with closing(prepare(program(body("return 5"))).instantiate()) as instance:
        thread = threading.Thread(target=lambda: results.append(instance.call([], context())))
        thread.start()
        thread.join()
        assert instance.call([], context()) == 5
    assert results == [5]


def test_two_states_run_at_the_same_time() -> None:
    """Each guest waits, inside of Lua, until the other one has reached it as well."""
    barrier = threading.Barrier(2, timeout=10)
    targets = {"app:meet": lambda _arguments, _frame: barrier.wait() >= 0}
    function = prepare(program(body("return require('funcs').call('app:meet')")), targets)
    results: list[Value] = []

    def call() -> None:
        with closing(function.instantiate()) as instance:
            results.append(instance.call([], context()))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True, True]


def _sessions() -> set[int]:
    return {id(found) for found in gc.get_objects() if type(found).__name__ == "Session"}


def test_a_closed_instance_is_freed_at_once_without_the_cycle_collector() -> None:
    function = prepare(program(body("return 1"), limits=LimitsSpec(max_memory_bytes=10**6)))
    function.instantiate().close()
    gc.collect()
    before = _sessions()
    gc.disable()
    try:
        kept = [function.instantiate() for _ in range(5)]
        assert len(_sessions() - before) == 5
        for instance in kept:
            instance.call([[1]], context())
            instance.close()
        del instance, kept
        assert not _sessions() - before
    finally:
        gc.enable()


def test_importing_the_declarations_does_not_load_the_engine() -> None:
    code = "import polycall.lua_runtime.spec, sys; sys.exit('lupa' in ' '.join(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_guest_error_leaves_the_instance_usable() -> None:
    with closing(
        prepare(program(body("local x = ... if x then error(x) end return 'fine'"))).instantiate()
    ) as instance:
        with pytest.raises(GuestError):
            instance.call(["boom"], context())
        assert not instance.poisoned
        assert instance.call([], context()) == "fine"
