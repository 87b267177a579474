"""The capability groups that ``imports`` can grant (specification: system facts 2.4, differences 3 and 10)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from polycall.interop.ids import suggestion

__all__ = ["FUNCS_INTERFACE", "GROUPS", "check_import", "group_of_interface", "group_of_spelling"]

FUNCS_INTERFACE = "wippy:runtime/funcs"

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "funcs": (FUNCS_INTERFACE,),
        "wasi:cli": (
            "wasi:cli/environment",
            "wasi:cli/exit",
            "wasi:cli/stdin",
            "wasi:cli/stdout",
            "wasi:cli/stderr",
            "wasi:cli/terminal-input",
            "wasi:cli/terminal-output",
            "wasi:cli/terminal-stdin",
            "wasi:cli/terminal-stdout",
            "wasi:cli/terminal-stderr",
        ),
        "wasi:io": ("wasi:io/error", "wasi:io/streams", "wasi:io/poll"),
        "wasi:clocks": ("wasi:clocks/wall-clock", "wasi:clocks/monotonic-clock"),
        "wasi:filesystem": ("wasi:filesystem/types", "wasi:filesystem/preopens"),
        "wasi:random": ("wasi:random/random", "wasi:random/insecure", "wasi:random/insecure-seed"),
        "wasi:sockets": (
            "wasi:sockets/network",
            "wasi:sockets/instance-network",
            "wasi:sockets/ip-name-lookup",
            "wasi:sockets/tcp",
            "wasi:sockets/tcp-create-socket",
            "wasi:sockets/udp",
            "wasi:sockets/udp-create-socket",
        ),
        "wasi:http": ("wasi:http/types", "wasi:http/outgoing-handler"),
        "wasi1": ("wasi_snapshot_preview1",),
    }
)
"""Group to the interfaces it grants, without versions."""

_ALIASES = {"wasi-preview1": "wasi1", "preview1": "wasi1", "wasi:poll": "wasi:io"}

_GROUP_OF_SPELLING = {
    **{name: group for group, interfaces in GROUPS.items() for name in (group, *interfaces)},
    **_ALIASES,
}


def group_of_spelling(spelling: str) -> str | None:
    """Returns the group that an element of ``imports`` names, or None if there is none.

    Case, surrounding space and a version do not matter: ``WASI:IO/streams@0.2.8`` is ``wasi:io``.
    """
    return _GROUP_OF_SPELLING.get(_unversioned(spelling))


def group_of_interface(interface: str) -> str | None:
    """Returns the group that would grant an imported interface, or None if polycall offers it in no group."""
    name = _unversioned(interface)
    return next((group for group, interfaces in GROUPS.items() if name in interfaces), None)


def check_import(spelling: str) -> str | None:
    """Says what was expected if an element of ``imports`` names no group; None if it does."""
    if group_of_spelling(spelling) is not None:
        return None
    near = suggestion(_unversioned(spelling), _GROUP_OF_SPELLING)
    return f"a host import, {near}" if near else "one of " + ", ".join(GROUPS)


def _unversioned(name: str) -> str:
    return name.strip().lower().partition("@")[0]
