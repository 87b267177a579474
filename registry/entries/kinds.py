"""Every kind of entry: those that polycall runs, those that are data, and those that it only keeps.

Importing this starts no engine: `polycall list` must not pay for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from polycall.interop.ids import suggestion
from polycall.interop.limits import LimitsSpec
from polycall.interop.pool_spec import PoolSpec
from polycall.lua_runtime import spec as lua_spec
from polycall.registry.entries import data_kinds, env_kinds
from polycall.wasm_runtime import spec as wasm_spec

__all__ = [
    "DATA_KINDS",
    "EVERY_ENTRY",
    "FILE_KEYS",
    "KEPT_KINDS",
    "NAMESPACE",
    "SPECS",
    "TOLERATED_KEYS",
    "doubt_about",
]

SPECS: Mapping[str, type] = MappingProxyType(
    {**lua_spec.KINDS, **wasm_spec.KINDS, **data_kinds.KINDS, **env_kinds.KINDS}
)
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

FILE_KEYS = ("version", "namespace", "meta", "entries")
"""The keys at the top of a file with a list of entries."""

NAMESPACE = re.compile(r"[^\s.:]+(?:\.[^\s.:]+)*")
"""Names joined by dots; in a form that ECMAScript reads alike."""

EVERY_ENTRY = frozenset({"options", "lifecycle", "security"})
"""Keys of Wippy that any entry may have and that polycall accepts without doing anything."""

TOLERATED_KEYS: Mapping[type, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(SPECS.values(), EVERY_ENTRY),
        PoolSpec: frozenset({"worker_class"}),
        LimitsSpec: frozenset(
            {"max_retained_memory_bytes", "retained_memory_check_interval", "max_open_sockets", "socket_timeout_ms"}
        ),
    }
)
"""Keys that Wippy reads in these places and that polycall accepts without doing anything."""


def doubt_about(kind: str) -> tuple[str, str | None] | None:
    """Returns the warning that a kind deserves, as message and hint; None if polycall understands the kind."""
    if kind in SPECS or kind in DATA_KINDS:
        return None
    if kind in KEPT_KINDS:
        return f'polycall does not run the kind "{kind}"; the entry is kept as data', None
    return f'unknown kind "{kind}"; the entry is kept as data', suggestion(kind, {*SPECS, *DATA_KINDS, *KEPT_KINDS})
