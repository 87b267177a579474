"""Public names that are imported when they are first asked for.

A face of a package names what stands in many files. To import them all with the package would make circles (each of
these files imports the package that it is in), and every command would pay for what it does not use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["lazy"]


def lazy(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Returns the ``__getattr__`` of a package (PEP 562) that imports a name from its home at its first use.

    Args:
        package: The package's ``__name__``.
        names: Each module with the public names that stand in it.
    """
    homes = {name: home for home, those in names.items() for name in those}

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)  # the next use does not come here
        return value

    return get
