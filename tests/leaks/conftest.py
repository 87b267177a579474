"""What holds for every test that looks for leaks."""

from __future__ import annotations

import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def only_ours() -> None:
    """Has the garbage collector pass over all that was there before the tests: they have it go over the rest often.

    For good: given back, it would be gone over in all tests that come after these, the many tests themselves with it.
    """
    gc.collect()
    gc.freeze()
