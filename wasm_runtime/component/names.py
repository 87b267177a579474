"""The names of imports and exports, and which versions of an interface stand for each other.

Specification: Component Model, Explainer ("Import and Export Definitions", "Canonical Interface Name").
"""

from __future__ import annotations

import re

from polycall.interop.records import record

__all__ = [
    "FunctionName",
    "InterfaceName",
    "canonical_version",
    "compatible",
    "parse_function",
    "parse_interface",
    "unversioned",
]

_WORDS = r"[a-z][0-9a-z]*(?:-[0-9a-z]+)*"
_LABEL = r"(?:[a-z][0-9a-z]*|[A-Z][0-9A-Z]*)(?:-(?:[0-9a-z]+|[0-9A-Z]+))*"
_INTERFACE = re.compile(rf"((?:{_WORDS}:)+{_WORDS})((?:/{_LABEL})+)(?:@([0-9A-Za-z.+-]+))?")
_FUNCTION = re.compile(rf"(?:\[constructor\]({_LABEL})|\[(method|static)\]({_LABEL})\.({_LABEL})|({_LABEL}))")
_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_CANONICAL = re.compile(r"[1-9][0-9]*|0\.[1-9][0-9]*|0\.0\.[1-9][0-9]*|0\.0\.0")
_LONGEST = 1_000  # characters; expressions above take quadratic time at worst


@record
class InterfaceName:
    """``wasi:io/streams@0.2.1``.

    Attributes:
        package: ``wasi:io``.
        interface: ``streams``; with the interfaces around it where it is nested: ``outer/inner``.
        version: ``0.2.1``, or None.
    """

    package: str
    interface: str
    version: str | None

    def __str__(self) -> str:
        """Returns the name as components write it."""
        return f"{self.package}/{self.interface}" + ("" if self.version is None else f"@{self.version}")


@record
class FunctionName:
    """The name of a function: ``run``, ``[constructor]cart``, ``[method]cart.add`` or ``[static]cart.merge``.

    Attributes:
        kind: ``function``, ``constructor``, ``method`` or ``static``.
        resource: The resource that it belongs to; None for a plain function.
        label: Its own name; empty for a constructor.
    """

    kind: str
    resource: str | None
    label: str


def parse_interface(name: str) -> InterfaceName | None:
    """Returns the parts of an interface's name, or None for a name that is none."""
    found = _INTERFACE.fullmatch(name) if len(name) <= _LONGEST else None
    if found is None:
        return None
    package, path, version = found.groups()
    if version is not None and canonical_version(version) is None:
        return None
    return InterfaceName(package, path[1:], version)


def parse_function(name: str) -> FunctionName | None:
    """Returns the parts of a function's name, or None for a name that is none."""
    found = _FUNCTION.fullmatch(name) if len(name) <= _LONGEST else None
    if found is None:
        return None
    constructed, kind, resource, member, label = found.groups()
    if constructed is not None:
        return FunctionName("constructor", constructed, "")
    return FunctionName("function", None, label) if kind is None else FunctionName(kind, resource, member)


def unversioned(name: str) -> str:
    """Returns a name without its version."""
    return name.partition("@")[0]


def canonical_version(version: str) -> str | None:
    """Returns the part of a version that says what it is compatible with; None for what is no version.

    ``1.2.3`` is ``1``, ``0.2.6-rc.1`` is ``0.2``, ``0.0.1-alpha`` is ``0.0.1``. A canonical version is its own.
    """
    if _CANONICAL.fullmatch(version):
        return version
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    major, minor, patch = found.groups()
    if major != "0":
        return major
    return f"0.{minor}" if minor != "0" else f"0.0.{patch}"


def compatible(wanted: str, offered: str) -> bool:
    """Whether an offer may stand for what is wanted, as far as names say; their types must fit as well.

    It does not matter which of two compatible versions is the newer one: a host of 0.2.1 serves a guest that was built
    for 0.2.6 and uses nothing of what came between.

    Args:
        wanted: The name of an import.
        offered: The name of what there is.
    """
    if wanted == offered:
        return True
    want, offer = parse_interface(wanted), parse_interface(offered)
    if want is None or offer is None or (want.package, want.interface) != (offer.package, offer.interface):
        return False
    if want.version is None or offer.version is None:
        return False
    return canonical_version(want.version) == canonical_version(offer.version)
