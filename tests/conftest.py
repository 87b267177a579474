"""What holds for every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import lua_guests
from effort import WHOLE, times

# No test is timed: a busy machine must not fail one.
settings.register_profile(
    "untimed",
    max_examples=times(100, 25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.load_profile("untimed")

# What a shell runs in its background inherits that Ctrl-C is ignored: tests of Ctrl-C would hang.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# What these say they say by doing it many times; the tracer of coverage makes that two to three times as long.
# What is reached is for the others to show; single tests of this kind among them have the mark themselves.
REPEATING = ("leaks", "property", "threads")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has coverage pass over the folders of tests that repeat."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in REPEATING:
            item.add_marker("no_cover")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of a module that is marked so under every combination of limits; in short, under none and all."""
    if metafunc.definition.get_closest_marker("under_every_limit"):
        chosen = list(lua_guests.CONDITIONS) if WHOLE else ["unlimited", "memory and deadline"]
        metafunc.parametrize("conditions", chosen, indirect=True)


@pytest.fixture(autouse=True)
def conditions(request: pytest.FixtureRequest) -> Iterator[None]:
    """What limits guests have where a test does not say it: none, unless the test is marked `under_every_limit`."""
    lua_guests.current[0] = lua_guests.CONDITIONS[getattr(request, "param", "unlimited")]
    yield
    lua_guests.current[0] = lua_guests.CONDITIONS["unlimited"]
