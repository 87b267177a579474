"""Which guests call which function of WASI: read from the imports of their binaries.

PYTHONPATH=tests python -m wasi.coverage     prints the table
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from wasmtime import Engine, component

from wasi.oracle import COMPILED
from wasi.oracle_process import compiled
from wasi.runs import BIN

__all__ = ["EVERY_FUNCTION_FROM", "NOT_FOR_CLIENTS", "functions_of", "guests_by_function"]

EVERY_FUNCTION_FROM = BIN / "js-script.wasm"
"""A guest whose world names every interface, so that its imports are the list of all functions."""

NOT_FOR_CLIENTS = frozenset(
    f"wasi:http/types#{name}"
    for name in (
        "[method]incoming-request.authority",
        "[method]incoming-request.consume",
        "[method]incoming-request.headers",
        "[method]incoming-request.method",
        "[method]incoming-request.path-with-query",
        "[method]incoming-request.scheme",
        "[static]response-outparam.set",
    )
)
"""What takes a resource that only a server of HTTP is ever handed."""


@functools.cache
def functions_of(guest: Path) -> frozenset[str]:
    """Returns the functions of WASI that a component imports, as ``package:name/interface#function``.

    Its toolchain leaves out what it does not call; but not that of JavaScript.
    """
    engine = Engine()
    imports = compiled(engine, guest, COMPILED).type.imports(engine)
    found = set()
    for name, extern in imports.items():
        if name.startswith("wasi:") and isinstance(extern.ty, component.ComponentInstanceType):
            for member, inner in extern.ty.exports(engine).items():
                if isinstance(inner.ty, component.FuncType):
                    found.add(f"{name.split('@')[0]}#{member}")
    return frozenset(found)


def guests_by_function() -> dict[str, list[str]]:
    """Returns, for every function of WASI, the guests that import it."""
    guests = [
        path for path in sorted(BIN.glob("*.wasm")) if not path.stem.endswith("-core") and "caller" not in path.stem
    ]
    return {
        function: [path.stem for path in guests if function in functions_of(path)]
        for function in sorted(functions_of(EVERY_FUNCTION_FROM))
    }


def main() -> int:
    """Prints the table."""
    for function, guests in guests_by_function().items():
        print(f"{function}\t{' '.join(guests)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
