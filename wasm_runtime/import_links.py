"""Which imports of a guest are granted, and what becomes of the others (specification: differences 3 and 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from polycall.interop.errors import ImportDeniedError
from polycall.interop.ids import suggestion
from polycall.interop.protocols import ImportNeed
from polycall.wasm_runtime.engine.guest_text import listed, shown
from polycall.wasm_runtime.imports import FUNCS_INTERFACE, GROUPS, group_of_interface
from polycall.wasm_runtime.wit.signature import Signature

__all__ = [
    "FUNCS_VERSION",
    "ImportedInterface",
    "import_needs",
    "is_our_funcs",
    "refusal",
    "refuse_strictly",
]

FUNCS_VERSION = (0, 1, 0)
"""The version of ``wippy:runtime/funcs`` that this runtime offers."""

_TELLS_OF_EXCEPTIONS = ("wasi:cli/environment", "wasi:cli/stderr", "wasi:cli/exit")
_EXCEPTION_HINT = (
    "a guest whose toolchain reports an uncaught exception this way has failed: "
    "let its export return a result to see the message"
)


class ImportedInterface(NamedTuple):
    """One interface, or core module, that a guest imports.

    Attributes:
        name: As the guest writes it, version included: ``wasi:io/streams@0.2.8``. functions: Its functions; the
        signature is None for those of core modules. A function that a component imports on
            its own has the empty name in an interface named like it.
        has_resources: Whether the guest also imports resource types from it.
    """

    name: str
    functions: Mapping[str, Signature | None]
    has_resources: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether a host must stand behind it; an import of types alone asks for nothing."""
        return bool(self.functions) or self.has_resources


def import_needs(
    imports: Iterable[ImportedInterface], grants: frozenset[str], *, is_component: bool
) -> tuple[ImportNeed, ...]:
    """Returns what a guest needs of its host, and what of it is granted and there."""
    return tuple(
        ImportNeed(
            name=shown(interface.name),
            group=(group := group_of_interface(interface.name)),
            granted=group in grants,
            available=is_component and is_our_funcs(interface.name),
        )
        for interface in imports
        if interface.is_needed
    )


def is_our_funcs(name: str) -> bool:
    """Whether an imported interface is ``wippy:runtime/funcs`` in a version that ours can stand in for (semver)."""
    interface, _, version = name.partition("@")
    if interface != FUNCS_INTERFACE:
        return False
    try:
        wanted = tuple(int(part) for part in version.split(".")) if version else FUNCS_VERSION
    except ValueError:  # a pre-release promises nothing
        return False
    return wanted[:2] == FUNCS_VERSION[:2] and wanted <= FUNCS_VERSION


def refusal(interface: str, function: str, grants: frozenset[str], *, is_component: bool) -> ImportDeniedError:
    """Returns the error of a guest that called an import which nothing stands behind."""
    name = shown(f"{interface}#{function}" if function else interface)
    group = group_of_interface(interface)
    if group is None:
        known = (name for interfaces in GROUPS.values() for name in interfaces)
        hint = suggestion(interface.partition("@")[0], known)
        return ImportDeniedError(f"the guest called {name}, which polycall does not offer", hint=hint)
    if group != "funcs":
        hint = _EXCEPTION_HINT if interface.partition("@")[0] in _TELLS_OF_EXCEPTIONS else None
        return ImportDeniedError(
            f"the guest called {name}; this version of polycall has no host for {group}", hint=hint
        )
    if group not in grants:
        message = f"the guest called {name}, which its entry does not grant"
        return ImportDeniedError(message, hint=f'add "{group}" to its imports')
    return _unfit_funcs(name, is_component=is_component)


def _unfit_funcs(name: str, *, is_component: bool) -> ImportDeniedError:
    if not is_component:
        hint = "make it a component to let it call other functions"
        return ImportDeniedError(f"the guest called {name}, which is for components; this is a core module", hint=hint)
    offered = f"{FUNCS_INTERFACE}@{'.'.join(map(str, FUNCS_VERSION))}"
    return ImportDeniedError(f"the guest called {name}; this version of polycall offers {offered}")


def refuse_strictly(needs: Iterable[ImportNeed]) -> ImportDeniedError | None:
    """Returns the error of an entry with ``strict_imports`` whose guest needs more than is granted, or None."""
    denied = [need for need in needs if not need.granted]
    if not denied:
        return None
    groups = sorted({need.group for need in denied if need.group})
    hints = [f"add {', '.join(groups)} to its imports"] if groups else []
    if any(need.group is None for need in denied):
        hints.append("polycall does not offer " + listed(need.name for need in denied if need.group is None))
    message = "the guest imports what its entry does not grant: " + listed(need.name for need in denied)
    return ImportDeniedError(message, hint="; ".join(hints))
