"""How calls grow with threads.

python -m benchmarks.threads
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show
from benchmarks.project import opened

__all__ = ["measure_cpu_bound", "measure_short"]

_SHORT_CALLS = 4_000
_SPIN_ROUNDS = {"bench:spin_lua": 1_000_000, "bench:spin": 30_000_000}
_HASH_ROUNDS = 20_000
_BOUND_CALLS = 4


def measure_short(effort: Effort) -> list[Measurement]:
    """Measures short calls that 1, 10 and 100 threads share out between them."""
    total = _SHORT_CALLS // effort.scale
    with ExitStack() as stack:
        registry, _ = stack.enter_context(opened())
        cases = []
        for name, call in {
            "Lua": partial(registry.call, "bench:same", 1),
            "WASM": partial(registry.call, "bench:add", 1, 2),
        }.items():
            for threads in (1, 10, 100):
                run = stack.enter_context(_crew(threads, total, call))
                cases.append(Case(f"{name}: {_counted(threads)}", run, f"{name}: 1 thread", total))
        return compare(_without_self(cases), effort)


def measure_cpu_bound(effort: Effort) -> list[Measurement]:
    """Measures guests that only compute, in one thread and in two; and what two threads of C reach on the machine."""
    with ExitStack() as stack:
        registry, _ = stack.enter_context(opened())
        lua, wasm = (partial(registry.call, name, n // effort.scale) for name, n in _SPIN_ROUNDS.items())
        machine = partial(hashlib.pbkdf2_hmac, "sha256", b"key", b"salt", _HASH_ROUNDS // effort.scale)
        calls: dict[str, Callable[[], object]] = {"C (hashlib)": machine, "Lua": lua, "WASM": wasm}
        cases = []
        for name, call in calls.items():
            for threads in (1, 2):
                run = stack.enter_context(_crew(threads, _BOUND_CALLS, call))
                cases.append(Case(f"{name}: {_counted(threads)}", run, f"{name}: 1 thread", _BOUND_CALLS))
        return compare(_without_self(cases), effort)


def _counted(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _without_self(cases: list[Case]) -> list[Case]:
    return [Case(each.name, each.run, None, each.calls) if each.against == each.name else each for each in cases]


@contextmanager
def _crew(threads: int, total: int, call: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Yields what has that many threads, which are there already, make so many calls together."""
    together = threading.Barrier(threads)

    def share() -> None:
        together.wait()
        for _ in range(total // threads):
            call()

    with ThreadPoolExecutor(threads) as executor:

        def run() -> None:
            for future in [executor.submit(share) for _ in range(threads)]:
                future.result()

        yield run


if __name__ == "__main__":
    show([*measure_short(FULL), *measure_cpu_bound(FULL)])
