"""Every kind of entry: those that polycall runs, those that are data, and those that it only keeps.

Importing this starts no engine: `polycall list` must not pay for one. Nor for the dataclasses of kinds that a project
does not use: to make one takes half a millisecond.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

from polycall.interop.ids import suggestion
from polycall.interop.limits import LimitsSpec
from polycall.interop.pool_spec import PoolSpec

__all__ = [
    "DATA_KINDS",
    "EVERY_ENTRY",
    "FILE_KEYS",
    "KEPT_KINDS",
    "SPECS",
    "doubt_about",
    "tolerated_keys",
]

_HOMES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("function.lua", "library.lua"), "polycall.lua_runtime.spec"),
        **dict.fromkeys(("function.wasm", "function.wat"), "polycall.wasm_runtime.spec"),
        "fs.directory": "polycall.registry.entries.data_kinds",
        **dict.fromkeys(
            ("env.storage.memory", "env.storage.file", "env.storage.os", "env.storage.static", "env.storage.router"),
            "polycall.registry.entries.env_kinds",
        ),
        "env.variable": "polycall.registry.entries.env_kinds",
    }
)
"""Kind to the module whose ``KINDS`` has its dataclass."""


class _Specs(Mapping[str, type]):
    """Imports a dataclass when it is asked for."""

    def __getitem__(self, kind: str) -> type:
        spec: type = import_module(_HOMES[kind]).KINDS[kind]
        return spec

    def __contains__(self, kind: object) -> bool:
        return kind in _HOMES

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


SPECS: Mapping[str, type] = _Specs()
"""Kind to the dataclass of its keys: what polycall understands."""

DATA_KINDS = frozenset({"registry.entry", "ns.definition"})
"""Kinds whose keys are free and that nothing runs."""

KEPT_KINDS = frozenset(
    {
        *("cloudstorage.s3", "config.aws", "contract.binding", "contract.definition"),
        *("db.cdc.postgres", "db.sql.mysql", "db.sql.postgres", "db.sql.sqlite"),
        *("exec.docker", "exec.native", "fs.embed"),
        *("function.lua.bc", "library.lua.bc", "module.lua", "process.lua.bc", "workflow.lua.bc"),
        *("http.endpoint", "http.router", "http.service", "http.static"),
        *("network.i2p", "network.socks5", "network.tailscale", "ns.dependency", "ns.requirement", "pg.scope"),
        *("process.host", "process.lua", "process.service", "process.wasm"),
        *("queue.consumer", "queue.driver.amqp", "queue.driver.memory", "queue.driver.sqs", "queue.queue"),
        *("security.policy", "security.policy.expr", "security.token_store"),
        *("store.kv.crdt", "store.kv.raft", "store.memory", "store.sql"),
        *("template.jet", "template.set", "temporal.client", "temporal.worker", "terminal.host", "workflow.lua"),
    }
)
"""Kinds of Wippy that polycall does not have: kept as data, so that such a project loads."""

FILE_KEYS = ("version", "namespace", "meta", "calls", "entries")
"""The keys at the top of a file with a list of entries."""

EVERY_ENTRY = frozenset({"options", "lifecycle", "security"})
"""Keys of Wippy that any entry may have and that polycall accepts without doing anything."""

_TOLERATED_INSIDE: Mapping[type, frozenset[str]] = MappingProxyType(
    {
        PoolSpec: frozenset({"worker_class"}),
        LimitsSpec: frozenset(
            {"max_retained_memory_bytes", "retained_memory_check_interval", "max_open_sockets", "socket_timeout_ms"}
        ),
    }
)
"""Keys that Wippy reads in these places and that polycall accepts without doing anything."""


def tolerated_keys(spec_type: type) -> frozenset[str]:
    """Returns the keys that polycall accepts beside the fields of a dataclass without doing anything."""
    kinds = getattr(sys.modules[spec_type.__module__], "KINDS", {})  # the dataclasses of kinds stand beside it
    return EVERY_ENTRY if spec_type in kinds.values() else _TOLERATED_INSIDE.get(spec_type, frozenset())


def doubt_about(kind: str) -> tuple[str, str | None] | None:
    """Returns the warning that a kind deserves, as message and hint; None if polycall understands the kind."""
    if kind in SPECS or kind in DATA_KINDS:
        return None
    if kind in KEPT_KINDS:
        return f'polycall does not run the kind "{kind}"; the entry is kept as data', None
    return f'unknown kind "{kind}"; the entry is kept as data', suggestion(kind, {*SPECS, *DATA_KINDS, *KEPT_KINDS})
