"""The ``pool:`` key of an entry, and the policy it stands for (specification: system facts 2.1, differences 11)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from polycall.interop.fields import at_least, key, one_of
from polycall.interop.records import record

__all__ = ["PoolPolicy", "PoolSpec", "PoolType"]

PoolType = Literal["inline", "lazy", "static", "adaptive"]

_UNDECLARED_MAX = 100
_LAZY_MAX = 16
_ADAPTIVE_MAX = 16
_STATIC_SIZE = 8
_IDLE_SECONDS = 30.0
_A_SIZE = at_least(0, at_most=10_000)  # each instance costs memory: more is a slip of the keyboard


class PoolPolicy(NamedTuple):
    """What a pool does.

    Attributes:
        type: The behaviour; see `PoolSpec`.
        min_size: Instances kept even when idle.
        max_size: Instances at most; callers beyond it wait. 0 for `inline`, which has no bound.
        idle_seconds: How long an instance above `min_size` may lie idle.
    """

    type: PoolType
    min_size: int
    max_size: int
    idle_seconds: float


@record
class PoolSpec:
    """How many instances of a function there are, and when they are made.

    ``inline``: a fresh one for each call. ``lazy``: none to begin with, made on demand up to ``max_size``. ``static``:
    a fixed number, made at the start. ``adaptive``: at least one, grows and shrinks under load. Without ``type`` the
    other keys decide, and with no key at all it is lazy with a ``max_size`` of 100.
    """

    type: str | None = key(
        "How instances are kept.", default=None, check=one_of("inline", "lazy", "static", "adaptive")
    )
    size: int = key("Instances of a static pool.", default=0, check=_A_SIZE)
    workers: int = key("Instances of a static pool; wins over size.", default=0, check=_A_SIZE)
    buffer: int = key(
        "Accepted for compatibility; callers queue without a bound, each in its own thread.",
        default=0,
        check=at_least(0),
    )
    max_size: int = key("Instances of a lazy or adaptive pool at most.", default=0, check=_A_SIZE)
    warm_start: bool = key("Accepted for compatibility; a static pool always starts warm.", default=False)

    def policy(self) -> PoolPolicy:
        """Returns the behaviour that the keys stand for, with the defaults of the specification."""
        kind = self.type or self._implied_type()
        if kind == "inline":
            return PoolPolicy("inline", 0, 0, 0.0)
        if kind == "static":
            count = self.workers or self.size or _STATIC_SIZE
            return PoolPolicy("static", count, count, 0.0)
        if kind == "adaptive":
            most = self.max_size or _ADAPTIVE_MAX
            return PoolPolicy("adaptive", 1, most, _IDLE_SECONDS)
        most = self.max_size or (_LAZY_MAX if self.type else _UNDECLARED_MAX)
        return PoolPolicy("lazy", 0, most, _IDLE_SECONDS)

    def _implied_type(self) -> PoolType:
        if self.workers:
            return "static"
        return "inline" if self.size and not self.max_size else "lazy"
