"""The WebAssembly entry kinds as declared, and as resolved for the runtime (specification: system facts 1.7, 2.2)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from polycall.interop.callees import CalleePattern
from polycall.interop.fields import at_least, key, matches, one_of
from polycall.interop.ids import EntryId
from polycall.interop.isolation import ISOLATIONS
from polycall.interop.limits import LimitsSpec
from polycall.interop.pool_spec import PoolSpec
from polycall.interop.records import record
from polycall.interop.source import SourceText
from polycall.wasm_runtime.build_spec import BuildSpec
from polycall.wasm_runtime.imports import check_import
from polycall.wasm_runtime.network_spec import WasiNetworkSpec

if TYPE_CHECKING:
    from polycall.interop.network_rules import NetworkRules

__all__ = [
    "KINDS",
    "BinaryFile",
    "BuildSpec",
    "CappedNetwork",
    "WasiEnvSpec",
    "WasiLimitsSpec",
    "WasiMountSpec",
    "WasiNetworkSpec",
    "WasiSpec",
    "WasmFunctionSpec",
    "WasmProgram",
    "WatFunctionSpec",
    "check_hash",
    "guest_path",
]

check_hash = matches("sha256:[0-9a-fA-F]{64}", '"sha256:" and 64 hexadecimal digits')
"""Accepts a hash as a declaration has it."""

# A guest splits "NAME=value" at the first "=", and a C string at its first zero: it would see another variable.
_check_name = matches(r"\s*[^=\x00\s][^=\x00]*", 'a name without "=", such as "LANG"')

_check_absolute = matches(r"/[\s\S]*", 'an absolute guest path, such as "/data"')


def guest_path(named: str) -> str:
    """Returns the path of a mount as its guest sees it: absolute, without what changes nothing in it.

    A relative one, which only a command line has, begins where the guest stands: ``.`` is the root. Its ``..`` stay,
    for C libraries look for what a program opens by these very words.
    """
    path = posixpath.normpath(named)
    return "/" if path == "." else "/" + path.lstrip("/")


def _repeated(values: Sequence[str], key_path: str) -> Iterable[tuple[str, str]]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield key_path.format(index), f'"{value}" is used twice; each must be unique'


@record
class WasiEnvSpec:
    """One environment variable that a guest sees."""

    id: EntryId = key("The env.variable entry that holds the value.", refers_to=("env.variable",))
    name: str = key("The name that the guest sees.", non_empty=True, check=_check_name)
    required: bool = key("Fail the call when the variable has no value.", default=False)


@record
class WasiMountSpec:
    """One directory that a guest sees."""

    fs: EntryId = key("The file system entry to show.", refers_to=("fs.directory",))
    guest: str = key("Where the guest sees it.", check=_check_absolute)
    read_only: bool = key("Refuse writes.", default=False)


@record
class CappedNetwork(WasiNetworkSpec):
    """What an entry says under the ceiling of its project; no declaration of its own.

    Attributes:
        ceiling: What ``network`` in ``polycall.yaml`` says.
    """

    ceiling: WasiNetworkSpec = field(default_factory=WasiNetworkSpec)

    def rules(self) -> NetworkRules:
        """Returns what decides."""
        ceiling = self.ceiling
        own = WasiNetworkSpec.rules(self)  # `super` knows the class without slots, which this one has replaced
        return own.under(ceiling.allow, ceiling.deny, ceiling.listen, where="network (polycall.yaml)")


@record
class WasiLimitsSpec:
    """What one instance may hold of the host at a time."""

    max_open_files: int = key(
        "Files and folders, those that the mounts give not counted.", default=64, check=at_least(0)
    )
    max_open_sockets: int = key("Sockets, with the connections that they have accepted.", default=16, check=at_least(0))
    max_http_requests: int = key("HTTP requests on their way, with their answers.", default=16, check=at_least(0))
    max_pollables: int = key("Things that it can wait for.", default=16_384, check=at_least(0))
    max_buffered_bytes: int = key(
        "What is kept for it of what it sends and receives, in bytes.", default=16 * 1024 * 1024, check=at_least(4096)
    )
    max_header_bytes: int = key("The headers of one HTTP message, in bytes.", default=64 * 1024, check=at_least(0))


@record
class WasiSpec:
    """What the WASI groups that an entry grants hand out."""

    args: tuple[str, ...] = key("The guest's argv.", default=())
    cwd: str = key("The guest's working directory.", default="/", check=_check_absolute)
    env: tuple[WasiEnvSpec, ...] = key("Environment variables.", default=())
    mounts: tuple[WasiMountSpec, ...] = key("Directories.", default=())
    limits: WasiLimitsSpec = key("What one instance may hold of the host at a time.", default=WasiLimitsSpec())
    network: WasiNetworkSpec = key("Where on the network it may go.", default=WasiNetworkSpec())

    def problems(self) -> Iterable[tuple[str, str]]:
        """Yields names and guest paths that stand twice."""
        yield from _repeated([variable.name.strip() for variable in self.env], "env[{}].name")
        yield from _repeated([guest_path(mount.guest) for mount in self.mounts], "mounts[{}].guest")


@record
class _FunctionSpec:
    """The keys that both kinds have."""

    method: str = key("The export to call: `name`, or `interface#name`.", non_empty=True)
    wit: str | None = key('The signature of a core module\'s export: "name: func(a: s32) -> s32".', default=None)
    transport: str = key(
        "How arguments and result travel.", default="payload", check=one_of("payload", "wasi-http", "")
    )
    imports: tuple[str, ...] = key(
        "The host capabilities that the guest may use.", default=(), element_check=check_import
    )
    strict_imports: bool = key("Refuse a component that imports more than is granted.", default=False)
    links: Mapping[str, str] = key(
        "Entries that serve what a component imports: an interface to a namespace, interface#function to an entry id.",
        default=MappingProxyType({}),
    )
    calls: tuple[CalleePattern, ...] | None = key(
        "The entries that it may call: ids, and beginnings with a star; every one if it is not there.", default=None
    )
    wasi: WasiSpec = key("What the WASI groups hand out.", default=WasiSpec())
    pool: PoolSpec = key("How instances are kept.", default=PoolSpec())
    limits: LimitsSpec = key("What a call may use at most.", default=LimitsSpec())
    isolation: str | None = key(
        "Where its instances run: process is a worker process for each; each is a sandbox in any case.",
        default=None,
        check=one_of(*ISOLATIONS),
    )

    def problems(self) -> Iterable[tuple[tuple[str, ...], str]]:
        """Yields links that cannot be any by their form."""
        if not self.links:
            return
        from polycall.wasm_runtime.link_names import link_problem  # noqa: PLC0415  # most projects have none

        for link, target in self.links.items():
            problem = link_problem(link, target)
            if problem is not None:
                yield ("links", link), problem


@record
class WatFunctionSpec(_FunctionSpec):
    """``function.wat``: WebAssembly text, a component or a core module."""

    source: SourceText = key("WebAssembly text, or file:// and its path.", non_empty=True)


@record
class WasmFunctionSpec(_FunctionSpec):
    """``function.wasm``: a WebAssembly binary, a component or a core module."""

    fs: EntryId = key("The fs.directory entry that holds the file.", refers_to=("fs.directory",))
    path: str = key("The file inside it.", non_empty=True)
    hash: str | None = key(
        '"sha256:" and the digest of the file in hexadecimal, without which it is not run; '
        "`polycall build` or `polycall hash --write` fills it in.",
        default=None,
        check=check_hash,
    )
    build: BuildSpec | None = key(
        "How the file is made; `polycall build` runs it, and nothing else does.", default=None
    )


KINDS: Mapping[str, type] = MappingProxyType({"function.wasm": WasmFunctionSpec, "function.wat": WatFunctionSpec})
"""Kind to the dataclass of its keys."""


@record
class BinaryFile:
    """A binary on disk.

    Attributes:
        folder: The folder of its file system entry.
        path: Where it lies in there.
        name: What messages call it: ``assets:/tax.wasm``.
        hash: ``sha256:`` and the digest it must have.
    """

    folder: Path
    path: str
    name: str
    hash: str


@record
class WasmProgram:
    """A WebAssembly entry with every reference resolved: what the runtime prepares.

    Attributes:
        entry_id: ``namespace:name``.
        code: The binary, or text to assemble.
        method: The export to call; empty for what runs a command (`polycall.wasm_runtime.command`).
        wit: The signature of a core module's export, or None.
        grants: The capability groups that ``imports`` grants.
        strict_imports: Whether more imports than granted are an error.
        links: Interface to namespace, or interface#function to entry id: entries that serve its imports.
        limits: What a call may use.
        wasi: What the WASI groups hand out.
    """

    entry_id: str
    code: BinaryFile | SourceText
    method: str
    wit: str | None = None
    grants: frozenset[str] = frozenset()
    strict_imports: bool = False
    limits: LimitsSpec = field(default_factory=LimitsSpec)
    links: Mapping[str, str] = field(default_factory=dict)
    wasi: WasiSpec = WasiSpec()
