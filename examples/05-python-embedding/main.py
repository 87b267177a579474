"""Loads a project, adds a Python function to it, and calls it in every way there is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import polycall

RATES = {"PT": 23, "DE": 19}


def main() -> None:
    """Prints what each kind of call gives."""
    with polycall.load(Path(__file__).parent) as registry:

        @registry.function("app:rate")
        def rate(country: str) -> int:
            return RATES[country]

        ana = {"name": "Ana", "country": "PT"}
        print(registry.call("app:invoice", ana, 1000))
        print(asyncio.run(several(registry)))

        for entry in registry.find(kind="function.*"):
            print(entry.id, entry.kind)

        try:
            registry.call("app:invoice", {"name": "Zoë", "country": "XX"}, 1000, timeout=1.0)
        except polycall.PolycallError as error:
            print(f"{error.code}: {error}")


async def several(registry: polycall.Registry) -> list[polycall.Value]:
    """Calls three at once, each on a thread of its own."""
    calls = [registry.call_async("app:tax", cents, 19) for cents in (100, 250, 999)]
    return await asyncio.gather(*calls)


if __name__ == "__main__":
    main()
