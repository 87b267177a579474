"""``wasi:random``: three interfaces over the system's generator, with a bound."""

from __future__ import annotations

import pytest

from polycall.interop.errors import LimitError
from polycall.wasm_runtime.wasi.random.insecure import Insecure
from polycall.wasm_runtime.wasi.random.insecure_seed import InsecureSeed
from polycall.wasm_runtime.wasi.random.random import Random
from wasi_sessions import HUGE, STORE


@pytest.mark.parametrize("draw", [Random().get_random_bytes, Insecure().get_insecure_random_bytes])
def test_bytes_are_as_many_as_were_asked_for_and_never_the_same(draw: object) -> None:
    assert callable(draw)
    for count in (0, 1, 32, 1024 * 1024):
        assert len(draw(STORE, count)) == count
    assert draw(STORE, 32) != draw(STORE, 32)
    for too_many in (1024 * 1024 + 1, HUGE):
        with pytest.raises(LimitError, match=f"asked for {too_many} random bytes; one call gives at most 1048576"):
            draw(STORE, too_many)


@pytest.mark.parametrize("draw", [Random().get_random_u64, Insecure().get_insecure_random_u64])
def test_numbers_have_64_bits(draw: object) -> None:
    assert callable(draw)
    drawn = [draw(STORE) for _ in range(200)]
    assert len(set(drawn)) == 200
    assert 2**60 < max(drawn) < 2**64
    assert min(drawn) >= 0


def test_a_seed_is_two_numbers() -> None:
    first, second = InsecureSeed().insecure_seed(STORE)
    assert first != second
    assert InsecureSeed().insecure_seed(STORE) != [first, second]
