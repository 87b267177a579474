"""Composes a component with those whose exports it imports, as one does when building.

polycall does not link whole modules and components at run time: they have to be in the binary. So a script's component
that imports some is put into another one, together with the components that a script has named before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from component_bytes import leb, section
from polycall.wasm_runtime.component import definitions as d

__all__ = ["composed", "wants_whole"]

_HEADER = b"\0asm\x0d\0\x01\0"
_COMPONENT, _INSTANCE, _ALIAS, _EXPORT = 4, 5, 6, 11
_SORTS = {"core module": b"\0\x11", "func": b"\x01", "type": b"\x03", "component": b"\x04", "instance": b"\x05"}


def wants_whole(message: str) -> bool:
    """Whether a component was refused because it imports a whole module or component."""
    return "a whole module or component" in message


def composed(binary: bytes, definitions: Sequence[d.Definition], providers: Mapping[str, bytes]) -> bytes | None:
    """Returns a component that instantiates those that are imported, and then this one, and exports what it exports.

    Args:
        binary: A component.
        definitions: What it consists of.
        providers: Components that import nothing, by the names under which their instances are imported.

    Returns:
        None if it imports anything else.
    """
    imports = [each for each in definitions if isinstance(each, d.Import)]
    if any(each.type.sort != "instance" or each.name not in providers for each in imports):
        return None
    exports = [(each.name, each.item.sort) for each in definitions if isinstance(each, d.Export) and each.item]
    count = len(imports)
    components = b"".join(section(_COMPONENT, each) for each in (*(providers[one.name] for one in imports), binary))
    given = [_text(each.name) + _SORTS["instance"] + leb(index) for index, each in enumerate(imports)]
    instances = [*(b"\0" + leb(index) + leb(0) for index in range(count)), b"\0" + leb(count) + _vector(given)]
    aliases = [_SORTS[sort] + b"\0" + leb(count) + _text(name) for name, sort in exports]
    taken = Counter({"instance": count + 1, "component": count + 1})
    items = []
    for name, sort in exports:
        items.append(b"\0" + _text(name) + _SORTS[sort] + leb(taken[sort]) + b"\0")
        taken[sort] += 1
    tail = section(_INSTANCE, _vector(instances)) + section(_ALIAS, _vector(aliases)) + section(_EXPORT, _vector(items))
    return _HEADER + components + tail


def _text(name: str) -> bytes:
    encoded = name.encode()
    return leb(len(encoded)) + encoded


def _vector(items: Sequence[bytes]) -> bytes:
    return leb(len(items)) + b"".join(items)
