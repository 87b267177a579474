"""Why a call gets no instance of a pool."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from polycall.interop.errors import PoolClosedError, PoolDeadlockError
from polycall.interop.pool_spec import PoolPolicy
from polycall.interop.waiting import Waiter

__all__ = ["closed", "deadlock", "kept"]

_CHAINS_SHOWN = 4


def closed(name: str) -> PoolClosedError:
    """The pool is closed."""
    hint = "its registry was closed before the call got an instance"
    return PoolClosedError(f'the pool of "{name}" is closed', entry_id=name, hint=hint)


def kept(name: str, limit: int) -> PoolDeadlockError:
    """All instances are in the hands of the thread that wants one more."""
    return PoolDeadlockError(
        f'no instance of "{name}" can come free: resources that this thread has got, and not dropped, '
        f"keep all {limit} of them",
        entry_id=name,
        hint="use them in a with statement, or drop() them",
    )


def deadlock(name: str, policy: PoolPolicy, circle: Sequence[Waiter]) -> PoolDeadlockError:
    """Those who have the instances would wait for each other, and for the one who asks."""
    limit = policy.max_size or sys.maxsize
    chains = [waiter.chain() for waiter in circle[:_CHAINS_SHOWN]]
    if len(circle) > _CHAINS_SHOWN:
        chains.append(f"and {len(circle) - _CHAINS_SHOWN} more")
    return PoolDeadlockError(
        f'no instance of "{name}" can come free: the calls that hold all {limit} of them '
        f"would wait in a circle: {'; '.join(chains)}",
        entry_id=name,
        hint=f"raise pool.{'size' if policy.type == 'static' else 'max_size'} above {limit}, "
        "or have these functions not call each other",
    )
