from __future__ import annotations

import pytest

from polycall.interop.pool_spec import PoolPolicy, PoolSpec


@pytest.mark.parametrize(
    ("declared", "policy"),
    [
        (PoolSpec(), PoolPolicy("lazy", 0, 100, 30.0)),
        (PoolSpec(max_size=3), PoolPolicy("lazy", 0, 3, 30.0)),
        (PoolSpec(size=2, max_size=3), PoolPolicy("lazy", 0, 3, 30.0)),
        (PoolSpec(size=2), PoolPolicy("inline", 0, 0, 0.0)),
        (PoolSpec(size=2, workers=4), PoolPolicy("static", 4, 4, 0.0)),
        (PoolSpec(workers=4), PoolPolicy("static", 4, 4, 0.0)),
        (PoolSpec(type="inline"), PoolPolicy("inline", 0, 0, 0.0)),
        (PoolSpec(type="lazy"), PoolPolicy("lazy", 0, 16, 30.0)),
        (PoolSpec(type="lazy", max_size=4), PoolPolicy("lazy", 0, 4, 30.0)),
        (PoolSpec(type="static"), PoolPolicy("static", 8, 8, 0.0)),
        (PoolSpec(type="static", size=3, buffer=7), PoolPolicy("static", 3, 3, 0.0)),
        (PoolSpec(type="static", workers=8), PoolPolicy("static", 8, 8, 0.0)),
        (PoolSpec(type="adaptive"), PoolPolicy("adaptive", 1, 16, 30.0)),
        (PoolSpec(type="adaptive", max_size=2), PoolPolicy("adaptive", 1, 2, 30.0)),
    ],
)
def test_a_declared_pool_has_the_documented_policy(declared: PoolSpec, policy: PoolPolicy) -> None:
    assert declared.policy() == policy
