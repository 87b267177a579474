"""The calls of a soak. Each knows beforehand how it must end, and carries a tag that no other result can have."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import polycall
from soak import carts, hostile, wasi
from soak.project import NAMESPACE, POOLS, VERSIONS

__all__ = ["WEIGHTS", "Call", "make_call", "mismatch"]

_SECONDS = 0.05
_BOTH = tuple(f"{version}{version}" for version in VERSIONS)


@dataclass(frozen=True, slots=True)
class Call:
    """One call and its only right outcomes.

    Attributes:
        kind: Its name in the report.
        target: The entry.
        arguments: What it is given.
        returns: The right results, one for each version of the code; empty if it must fail.
        codes: The right codes of its error; empty if it must return.
        says: What the error's text must hold, one for each version.
        chain: The ids of the error's frames.
        timeout: Seconds, or None.
        killable: The isolated entry whose worker may be killed meanwhile, which is a right outcome too; or "".
        hostile: Whether the guest attacks: then any answer is right, if it comes in time.
        use: What Python does with the result: what that gives is the outcome.
    """

    kind: str
    target: str
    arguments: tuple[polycall.Value, ...]
    returns: tuple[polycall.Value, ...] = ()
    codes: tuple[str, ...] = ()
    says: tuple[str, ...] = ("",)
    chain: tuple[str, ...] = ()
    timeout: float | None = None
    killable: str = ""
    hostile: bool = False
    use: Callable[[Any, carts.Kept], Any] | None = None


def mismatch(call: Call, outcome: polycall.Value | BaseException) -> str | None:
    """Says what is wrong with the outcome of a call, or None."""
    if call.hostile and (not isinstance(outcome, BaseException) or getattr(outcome, "code", "") in call.codes):
        return None
    if not isinstance(outcome, BaseException):
        if outcome in call.returns or _tells_of_kill(call, outcome):
            return None
        return f"returned {outcome!r}, expected {call.codes or call.returns}"
    if not isinstance(outcome, polycall.PolycallError):
        return f"raised {outcome!r}"
    if outcome.code == "worker" and call.killable and outcome.entry_id == call.killable:
        return None
    if outcome.code not in call.codes:
        return f"failed with {outcome.code} ({outcome}), expected {call.codes or call.returns}"
    return _wrong_text(call, outcome)


def _tells_of_kill(call: Call, outcome: polycall.Value) -> bool:
    """Whether a component was told, as text, that the worker of its callee is gone."""
    text = outcome.get("err") if isinstance(outcome, dict) else None
    return bool(call.killable) and isinstance(text, str) and f"{call.killable} " in text and "worker process" in text


def _wrong_text(call: Call, error: polycall.PolycallError) -> str | None:
    frames = tuple(frame.entry_id for frame in error.frames)
    # On a busy machine, time may be up before the call has got to the end of its chain.
    right = call.chain[: len(frames)] if error.code == "deadline" and frames else call.chain
    if frames != right:
        return f"has the frames {frames}, expected {call.chain}: {error}"
    if not any(said in str(error) for said in call.says):
        return f"says {str(error)!r}, expected one of {call.says}"
    return None


class _Maker:
    """Makes calls of every kind, with pools by chance."""

    def __init__(self, chance: random.Random, tag: int) -> None:
        self._chance = chance
        self._tag = tag
        self._text = f"tag-{tag}"

    def _id(self, name: str) -> str:
        return f"{NAMESPACE}:{name}-{self._chance.choice(tuple(POOLS))}"

    def _pooled_isolated(self, language: str) -> str:
        """Returns an isolated entry that keeps its workers: a fresh process for each call would be most of the load."""
        return f"{NAMESPACE}:{language}-isolated-{self._chance.choice(('lazy', 'static', 'adaptive'))}"

    def _good(self, kind: str, target: str, killable: bool = False) -> Call:
        said = f"good {self._text}"
        return Call(kind, target, (said,), self._texts("{}"), killable=target if killable else "")

    def _texts(self, form: str) -> tuple[str, ...]:
        return tuple(form.format(f"{self._text} {both}") for both in _BOTH)

    def _failing(self, kind: str, target: str, killable: bool = False) -> Call:
        said = self._texts("refused {}")
        given, lost = (f"fail {self._text}",), target if killable else ""
        return Call(kind, target, given, codes=("guest_error",), says=said, chain=(target,), killable=lost)

    def lua_good(self) -> Call:
        return self._good("lua good", self._id("lua"))

    def lua_failing(self) -> Call:
        return self._failing("lua failing", self._id("lua"))

    def _lua_stopped(self, kind: str, target: str, mode: str, code: str, killable: bool = False) -> Call:
        timeout = _SECONDS if code == "deadline" else None
        given, lost = (f"{mode} {self._text}",), target if killable else ""
        return Call(kind, target, given, codes=(code,), chain=(target,), timeout=timeout, killable=lost)

    def lua_timed_out(self) -> Call:
        return self._lua_stopped("lua timed out", self._id("lua"), "spin", "deadline")

    def lua_out_of_memory(self) -> Call:
        return self._lua_stopped("lua out of memory", self._id("lua"), "hoard", "memory")

    def _wat(self, kind: str, target: str, mode: int, *codes: str, killable: bool = False) -> Call:
        results = () if codes else tuple(self._tag * 2 + number for number in range(len(VERSIONS)))
        says = ("max_memory_bytes",) if "memory" in codes else ("",)
        timeout = _SECONDS if "deadline" in codes else None
        lost = target if killable else ""
        return Call(kind, target, (mode, self._tag), results, codes, says, (target,), timeout, lost)

    def wat_good(self) -> Call:
        return self._wat("wasm good", self._id("wat"), 0)

    def wat_trapping(self) -> Call:
        return self._wat("wasm trapping", self._id("wat"), 1, "trap")

    def wat_timed_out(self) -> Call:
        return self._wat("wasm timed out", self._id("wat"), 2, "deadline")

    def wat_out_of_memory(self) -> Call:
        return self._wat("wasm out of memory", self._id("wat"), 3, "memory")

    def chain_good(self) -> Call:
        ask, relay, lua = self._id("ask"), self._id("relay"), self._id("lua")
        results: tuple[polycall.Value, ...] = tuple({"ok": text} for text in self._texts("{}"))
        return Call("chain good", ask, (relay, lua, f"good {self._text}"), results)

    def chain_told(self) -> Call:
        relay, lua = self._id("relay"), self._id("lua")
        results: tuple[polycall.Value, ...] = tuple({"err": text} for text in self._texts(f"{lua} (lua): refused {{}}"))
        return Call("chain told of failure", relay, (lua, f"fail {self._text}"), results)

    def chain_trapping(self) -> Call:
        ask, relay, lua = self._id("ask"), self._id("relay-or-trap"), self._id("lua")
        given = (relay, lua, f"fail {self._text}")
        said = self._texts("refused {}")
        return Call("chain trapping", ask, given, codes=("trap",), says=said, chain=(ask, relay, lua))

    def chain_timed_out(self) -> Call:
        ask, lua = self._id("ask"), self._id("lua")
        given = (lua, f"spin {self._text}")
        return Call("chain timed out", ask, given, codes=("deadline",), chain=(ask, lua), timeout=_SECONDS * 2)

    def sandboxed_good(self) -> Call:
        return self._good("sandboxed lua good", self._id("lua-sandboxed"))

    def sandboxed_failing(self) -> Call:
        return self._failing("sandboxed lua failing", self._id("lua-sandboxed"))

    def sandboxed_stopped(self, mode: str, code: str) -> Call:
        return self._lua_stopped(f"sandboxed lua: {mode}", self._id("lua-sandboxed"), mode, code)

    def sandboxed_chain(self) -> Call:
        ask, relay, lua = self._id("ask-sandboxed"), self._id("relay"), self._id("lua-sandboxed")
        results: tuple[polycall.Value, ...] = tuple({"ok": text} for text in self._texts("{}"))
        return Call("sandboxed chain", ask, (relay, lua, f"good {self._text}"), results)

    def chain_isolated(self) -> Call:
        relay, lua = self._id("relay"), self._pooled_isolated("lua")
        results: tuple[polycall.Value, ...] = tuple({"ok": text} for text in self._texts("{}"))
        return Call("chain isolated", relay, (lua, f"good {self._text}"), results, killable=lua)

    def isolated_lua_good(self) -> Call:
        return self._good("isolated lua good", self._pooled_isolated("lua"), killable=True)

    def isolated_lua_failing(self) -> Call:
        return self._failing("isolated lua failing", self._pooled_isolated("lua"), killable=True)

    def isolated_lua_hanging(self) -> Call:
        target = self._pooled_isolated("lua")
        return self._lua_stopped("isolated lua hanging", target, "hang", "deadline", killable=True)

    def isolated_lua_out_of_memory(self) -> Call:
        target = self._pooled_isolated("lua")
        return self._lua_stopped("isolated lua out of memory", target, "hoard", "memory", killable=True)

    def isolated_wat_good(self) -> Call:
        return self._wat("isolated wasm good", self._pooled_isolated("wat"), 0, killable=True)

    def isolated_wat_trapping(self) -> Call:
        return self._wat("isolated wasm trapping", self._pooled_isolated("wat"), 1, "trap", killable=True)

    def isolated_wat_timed_out(self) -> Call:
        return self._wat("isolated wasm timed out", self._pooled_isolated("wat"), 2, "deadline", killable=True)

    def isolated_fresh(self) -> Call:
        return self._good("isolated lua, fresh worker", f"{NAMESPACE}:lua-isolated-inline", killable=True)

    def isolated_crashing(self) -> Call:
        target = f"{NAMESPACE}:victim"
        said = ("the worker process was killed by SIGKILL",)
        given = (self._text,)
        return Call("isolated crashing", target, given, codes=("worker",), says=said, chain=(target,))

    def cart(self, kind: str) -> Call:
        use, codes, _ = carts.KINDS[kind]
        count = carts.content(self._tag)
        target = f"{NAMESPACE}:cart-{'inline' if kind in carts.HELD else self._chance.choice(tuple(POOLS))}"
        results = () if codes else (count,)
        chain = (target,) if codes in {("trap",), ("deadline",)} else ()
        using = partial(_used, use, count)
        return Call(f"cart {kind}", target, (), results, codes, chain=chain, use=using)

    def lua_cart(self, mode: str) -> Call:
        count, target = carts.content(self._tag), self._id("shopper")
        given = (mode, self._id("cart"), count)
        use = partial(_used, carts.returned, count) if mode == "return" else None
        return Call(f"cart in Lua: {mode}", target, given, (count,), use=use)

    def wasi(self, kind: str) -> Call:
        how = wasi.outcomes(kind, self._chance.choice(tuple(POOLS)), self._tag)
        target = f"{NAMESPACE}:{how.entry}"
        return Call(
            f"wasi {kind}",
            target,
            how.arguments,
            how.returns,
            how.codes,
            chain=(target,) if how.codes else (),
            timeout=how.timeout,
            killable=target if how.isolated else "",
        )

    def hostile(self, attack: str) -> Call:
        return Call(
            f"hostile: {attack}",
            f"{NAMESPACE}:{hostile.entry_of(attack)}",
            (),
            codes=hostile.CODES,
            timeout=hostile.SECONDS,
            hostile=True,
        )


def _used(use: Callable[[Any, int, carts.Kept], Any], count: int, result: Any, kept: carts.Kept) -> Any:
    return use(result, count, kept)


WEIGHTS: dict[Callable[[_Maker], Call], float] = {
    _Maker.lua_good: 30,
    _Maker.lua_failing: 10,
    _Maker.lua_timed_out: 0.5,
    _Maker.lua_out_of_memory: 0.5,
    _Maker.sandboxed_good: 30,
    _Maker.sandboxed_failing: 10,
    partial(_Maker.sandboxed_stopped, mode="spin", code="deadline"): 0.5,
    partial(_Maker.sandboxed_stopped, mode="hang", code="deadline"): 0.5,
    partial(_Maker.sandboxed_stopped, mode="hoard", code="memory"): 0.5,
    _Maker.sandboxed_chain: 20,
    _Maker.wat_good: 30,
    _Maker.wat_trapping: 10,
    _Maker.wat_timed_out: 0.5,
    _Maker.wat_out_of_memory: 1,
    _Maker.chain_good: 20,
    _Maker.chain_told: 10,
    _Maker.chain_trapping: 5,
    _Maker.chain_timed_out: 0.3,
    _Maker.chain_isolated: 5,
    _Maker.isolated_lua_good: 10,
    _Maker.isolated_lua_failing: 5,
    _Maker.isolated_lua_hanging: 0.1,
    _Maker.isolated_lua_out_of_memory: 0.3,
    _Maker.isolated_wat_good: 10,
    _Maker.isolated_wat_trapping: 3,
    _Maker.isolated_wat_timed_out: 0.2,
    _Maker.isolated_fresh: 0.2,
    _Maker.isolated_crashing: 0.2,
    **{partial(_Maker.cart, kind=kind): weight for kind, (_, _, weight) in carts.KINDS.items()},
    **{partial(_Maker.lua_cart, mode=mode): 2.0 for mode in carts.LUA_MODES},
    **{partial(_Maker.wasi, kind=each.name): each.weight for each in wasi.KINDS},
    **{partial(_Maker.hostile, attack=attack): 0.05 for attack in hostile.ATTACKS},
}
"""How often each kind is called: the dear ones (a deadline spent computing, a worker started) seldom."""


def make_call(chance: random.Random, tag: int, kind: Callable[[_Maker], Call] | None = None) -> Call:
    """Makes a call on entries of some pools.

    Args:
        chance: What decides.
        tag: A number that no other call of the soak has; at most 2**61.
        kind: One of `WEIGHTS`; None for any.
    """
    if kind is None:
        (kind,) = chance.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))
    return kind(_Maker(chance, tag))
