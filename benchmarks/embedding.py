"""What an application that embeds polycall does all the time: entries at run time, calls from an event loop.

python -m benchmarks.embedding
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import polycall
from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show

__all__ = ["measure"]

_SIZES = (10, 2_000, 10_000)
_CALLS = 100
_TOGETHER = 200
_SOURCE = "return { f = function(n) return n end }"
_ASK = "return { f = function(target, n) return require('funcs').call(target, n) end }"


def _entry(entry_id: str, source: str = _SOURCE, **keys: Any) -> dict[str, Any]:
    return {"id": entry_id, "kind": "function.lua", "method": "f", "source": source, **keys}


def measure(effort: Effort) -> list[Measurement]:
    """Measures entries that come and go among others, and calls by an event loop next to calls in a thread."""
    with ExitStack() as stack:
        cases = []
        for size in _SIZES:
            first = f"an entry added and removed among {_SIZES[0]:,}"
            name = f"an entry added and removed among {size:,}"
            run = stack.enter_context(_among(size // effort.scale or 1))
            cases.append(Case(name, run, None if name == first else first, _CALLS))
        return compare([*cases, *_calls(stack)], effort)


@contextmanager
def _among(size: int) -> Iterator[Callable[[], None]]:
    with polycall.Registry() as registry:
        for number in range(size):
            registry.add(_entry(f"part{number % 50}:f{number}"))

        def run() -> None:
            for number in range(_CALLS):
                registry.add(_entry(f"new:f{number}"))
                registry.remove(f"new:f{number}")

        yield run


def _calls(stack: ExitStack) -> Iterator[Case]:
    registry = stack.enter_context(polycall.Registry())
    runner = stack.enter_context(asyncio.Runner())
    registry.add(_entry("app:same", pool={"max_size": _TOGETHER}))
    registry.add(_entry("app:ask", _ASK, modules=["funcs"]))

    async def register() -> None:
        @registry.function("host:same")
        async def same(number: int) -> int:
            return number

    async def one_by_one(*call: Any) -> None:
        for _ in range(_CALLS):
            await registry.call_async(*call)

    async def together() -> None:
        await asyncio.gather(*(registry.call_async("app:same", 1) for _ in range(_TOGETHER)))

    def in_this_thread(**options: Any) -> Callable[[], None]:
        def run() -> None:
            for _ in range(_CALLS):
                registry.call("app:same", 1, **options)

        return run

    runner.run(register())
    base = "call: a number to Lua"
    yield Case(base, in_this_thread(), None, _CALLS)
    yield Case("call, with a list of what it may lead to", in_this_thread(calls=["app:*"]), base, _CALLS)
    memory = {"max_memory_bytes": 64 * 1024 * 1024}
    yield Case("call, with a limit of memory of its own", in_this_thread(limits=memory), base, _CALLS)
    yield Case("call_async, one by one", lambda: runner.run(one_by_one("app:same", 1)), base, _CALLS)
    yield Case(f"call_async, {_TOGETHER} at the same time", lambda: runner.run(together()), base, _TOGETHER)
    yield Case("call_async: Lua -> async def", lambda: runner.run(one_by_one("app:ask", "host:same", 1)), base, _CALLS)


if __name__ == "__main__":
    show(measure(FULL))
