"""The names in ``links``: what a declaration may link, and to what."""

from __future__ import annotations

from polycall.interop.ids import NAMESPACE, cut
from polycall.wasm_runtime.component.names import parse_function, parse_interface

__all__ = ["is_namespace", "key_of_link", "link_problem"]

_A_LINK = (
    'an interface ("shop:rules/tax@1.0.0"), a function of one ("shop:rules/tax#rate") '
    'or a function that is imported on its own ("rate")'
)
_AN_ENTRY = 'an entry id, "namespace:name"'
_A_NAMESPACE = "a namespace: the functions of the interface are its entries"


def link_problem(link: str, target: str) -> str | None:
    """Says what is wrong with a link by its form; None if nothing is."""
    interface, mark, function = link.partition("#")
    if not (_is_label(interface) or parse_interface(interface)) or (mark and not _is_label(function)):
        return _expected(_A_LINK, link)
    if mark:
        return None if _is_entry(target) else _expected(_AN_ENTRY, target)
    if "/" in link:
        return None if is_namespace(target) else _expected(_A_NAMESPACE, target)
    # A function, or an interface that stands in the world itself: only the component says which.
    return None if _is_entry(target) or is_namespace(target) else _expected(_AN_ENTRY, target)


def is_namespace(target: str) -> bool:
    """Whether a link leads to a namespace, not to an entry."""
    return NAMESPACE.fullmatch(target) is not None


def key_of_link(link: str) -> str:
    """Returns the path of a link in its entry: ``links.rate``, ``links."shop:rules/tax@1.0.0"``."""
    return f'links."{link}"' if "." in link else f"links.{link}"


def _expected(expected: str, got: str) -> str:
    return f'expected {expected}, got "{cut(got)}"'


def _is_label(name: str) -> bool:
    found = parse_function(name)
    return found is not None and found.kind == "function"


def _is_entry(target: str) -> bool:
    namespace, colon, name = target.partition(":")
    return bool(colon and name.strip()) and is_namespace(namespace)
