"""A hundred guests that sleep at the same time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import polycall

COUNT, SECONDS = 100, 0.5


async def main() -> None:
    """Lets them sleep, and says whether that took one nap or a hundred."""
    with polycall.load(Path(__file__).parent) as registry:
        registry.prepare("app:nap")
        started = time.monotonic()
        await asyncio.gather(*(registry.call_async("app:nap", round(SECONDS * 1000)) for _ in range(COUNT)))
        took = time.monotonic() - started
    print(f"{COUNT} naps of {SECONDS:g} s: {'at the same time' if took < COUNT * SECONDS / 4 else f'{took:.1f} s'}")


asyncio.run(main())
