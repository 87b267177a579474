"""What holds for every test."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import lua_guests
from effort import WHOLE, times
from lua_differences import difference

# No test is timed: a busy machine must not fail one.
settings.register_profile(
    "untimed",
    max_examples=times(100, 25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.load_profile("untimed")

# Without bytecode each run would rewrite every test anew, and each process that a test starts compile polycall anew:
# half of the time that the tests take.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What a shell runs in its background inherits that Ctrl-C is ignored: tests of Ctrl-C would hang.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# What these say they say by doing it many times; the tracer of coverage makes that two to three times as long.
# What is reached is for the others to show; single tests of this kind among them have the mark themselves.
REPEATING = ("leaks", "property", "threads")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what makes slow tests run that need more than Python, and ``--lua``."""
    parser.addoption(
        "--toolchains",
        action="store_true",
        help="run what the pages about components build, with the tools that tests/guests/build.py installs",
    )
    parser.addoption(
        "--lua",
        choices=("both", "all", "host", "sandbox"),
        default="all" if WHOLE else "both",
        help="Lua tests: in both engines, in both under all limits, in the host's alone, in the sandbox alone",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Says at once what the option lacks."""
    if config.getoption("toolchains") and not (Path(__file__).parents[1] / ".guests-tools" / "stamp").exists():
        raise pytest.UsageError("--toolchains needs tools: python tests/guests/build.py caller installs them")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Has the garbage collector wait until the tests are there: what they are made of stays, and looks like garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Has coverage pass over the folders of tests that repeat; says which tests of Lua are not those of the sandbox."""
    here = Path(__file__).parent
    if config.getoption("--lua") == "both":
        _leave_out(config, items)
    for item in items:
        _expect_difference(item)
        if item.path.relative_to(here).parts[0] in REPEATING:
            item.add_marker("no_cover")


@pytest.fixture(scope="module", autouse=True)
def only_what_is_new() -> None:
    """Has the garbage collector pass over all that is there, the many tests first of all: it would go over it often.

    Tests of leaks have it go over the rest many times. Nothing is given back at the end of a module: all of it would
    be gone over in the modules that follow.
    """
    gc.collect()
    gc.freeze()


def _leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what one of the two engines of Lua shows as well as both.

    Of a test that runs in a worker too, the sandboxed half: what is offered there is the same for both. Of a test with
    the mark `alike_in_the_sandbox`, all but each third case in the sandbox.
    """
    counts: Counter[str] = Counter()
    left_out: list[pytest.Item] = []
    kept: list[pytest.Item] = []
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        leave = False
        if lua_guests.CONDITIONS[str(parameters.get("conditions", "unlimited"))].sandbox:
            leave = parameters.get("in_process_and_isolated") == "process"
            if item.get_closest_marker("alike_in_the_sandbox"):
                name = item.nodeid.partition("[")[0]
                leave = leave or counts[name] % 3 > 0
                counts[name] += 1
        (left_out if leave else kept).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def _expect_difference(item: pytest.Item) -> None:
    call = getattr(item, "callspec", None)
    conditions = call and call.params.get("conditions")
    if conditions and lua_guests.CONDITIONS[conditions].sandbox:
        reason = difference(_without(item.nodeid, conditions))
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason))


def _without(node_id: str, parameter: str) -> str:
    for written, rest in ((f"[{parameter}]", ""), (f"[{parameter}-", "["), (f"-{parameter}]", "]")):
        node_id = node_id.replace(written, rest)
    return node_id


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of Lua in both of its engines, and those of a module that is marked so under several limits."""
    if metafunc.definition.path.parent.name == "lua" or metafunc.definition.path.name.startswith("test_lua_"):
        every_limit = metafunc.definition.get_closest_marker("under_every_limit") is not None
        names = lua_guests.conditions_for(metafunc.config.getoption("--lua"), every_limit=every_limit)
        metafunc.parametrize("conditions", names, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def conditions(request: pytest.FixtureRequest) -> Iterator[None]:
    """In which engine, and under what limits, guests of Lua run where a test does not say it."""
    lua_guests.current[0] = lua_guests.CONDITIONS[getattr(request, "param", "unlimited")]
    yield
    lua_guests.current[0] = lua_guests.CONDITIONS["unlimited"]


def pytest_unconfigure() -> None:
    """Lets go of what tests share: at the interpreter's very end, the engine's objects could not be freed any more."""
    lua_guests.sandbox.cache_clear()
