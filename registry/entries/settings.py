"""``polycall.yaml``: what holds for a whole project where an entry, or who calls `polycall.load`, says nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polycall.interop.context import DEFAULT_MAX_DEPTH
from polycall.interop.errors import DeclarationError
from polycall.interop.fields import at_least, key, one_of
from polycall.interop.isolation import ISOLATIONS, combined
from polycall.interop.limits import LimitsSpec
from polycall.interop.pool_spec import PoolSpec
from polycall.interop.records import record
from polycall.interop.stack import DEFAULT_STACK_BYTES, LEAST_STACK_BYTES, MOST_STACK_BYTES
from polycall.registry.documents.nodes import MapNode, Mark, describe_node
from polycall.registry.documents.paths import is_file, is_folder
from polycall.registry.documents.problems import Report
from polycall.registry.documents.text_files import UnreadableError, read_text
from polycall.registry.documents.yaml_document import read_yaml
from polycall.registry.entries.decode import INVALID, Decoder
from polycall.wasm_runtime.engine import DEFAULT_CACHE_BYTES
from polycall.wasm_runtime.network_spec import WasiNetworkSpec

if TYPE_CHECKING:
    from polycall.wasm_runtime.spec import WasiSpec

__all__ = ["SETTINGS_FILE", "Settings", "read_settings"]

SETTINGS_FILE = "polycall.yaml"
"""Its name, at the top of the project folder."""


def _check_depth(value: int) -> str | None:
    return None if 1 <= value <= DEFAULT_MAX_DEPTH else f"1 to {DEFAULT_MAX_DEPTH}"


def _check_stack(value: int) -> str | None:
    return None if LEAST_STACK_BYTES <= value <= MOST_STACK_BYTES else f"{LEAST_STACK_BYTES} to {MOST_STACK_BYTES}"


@record
class Settings:
    """The keys of ``polycall.yaml``."""

    limits: LimitsSpec = key("Each limit for every function that does not declare it itself.", default=LimitsSpec())
    max_depth: int = key("How many hops a chain of calls may have.", default=DEFAULT_MAX_DEPTH, check=_check_depth)
    max_stack_bytes: int = key(
        "How much native stack a guest of WebAssembly may use in one call, in bytes.",
        default=DEFAULT_STACK_BYTES,
        check=_check_stack,
    )
    max_cache_bytes: int = key(
        "How much compiled WebAssembly is kept on disk, in bytes; what was not used for the longest time goes first.",
        default=DEFAULT_CACHE_BYTES,
        check=at_least(0),
    )
    pool: PoolSpec = key("The pool of every function that declares none.", default=PoolSpec())
    isolation: str = key(
        "Where the instances of every function run that does not say it itself.",
        default="none",
        check=one_of(*ISOLATIONS),
    )
    network: WasiNetworkSpec = key(
        "The ceiling of every entry's wasi.network: what one of them refuses is refused.", default=WasiNetworkSpec()
    )

    def resolve(self, spec: Any, isolation: str | None = None) -> Any:
        """Returns a spec with these defaults in the place of what it does not declare.

        Args:
            spec: The dataclass of an entry's kind.
            isolation: What the file of the entry says of all its entries, or None.
        """
        if not hasattr(spec, "pool"):  # data, libraries: nothing that runs by itself
            return spec
        limits, pool = self._limits(spec.limits), self.pool if spec.pool == PoolSpec() else spec.pool
        if self.network != WasiNetworkSpec() and hasattr(spec, "wasi"):
            spec = dataclasses.replace(spec, wasi=self._capped(spec.wasi))
        isolation = self._isolation(spec.isolation or isolation)
        return dataclasses.replace(spec, limits=limits, pool=pool, isolation=isolation)

    @property
    def given_isolation(self) -> str | None:
        """What whoever loaded the project said of isolation, or None."""
        return None

    def with_isolation(self, isolation: str) -> GivenSettings:
        """Returns settings with an isolation that is given by whoever loads the project."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(Settings)}
        return GivenSettings(**own | {"isolation": isolation})

    def _isolation(self, declared: str | None) -> str:
        return declared or self.isolation

    def _capped(self, wasi: WasiSpec) -> WasiSpec:
        from polycall.wasm_runtime.spec import CappedNetwork  # noqa: PLC0415  # loaded by then: `wasi` is of it

        own = wasi.network
        return dataclasses.replace(wasi, network=CappedNetwork(own.allow, own.deny, own.listen, self.network))

    def _limits(self, own: LimitsSpec) -> LimitsSpec:
        if self.limits == LimitsSpec():
            return own
        names = [field.name for field in dataclasses.fields(LimitsSpec)]
        return LimitsSpec(**{
            name: getattr(self.limits if getattr(own, name) is None else own, name) for name in names
        })  # fmt: skip


class GivenSettings(Settings):
    """Settings of a project whose isolation somebody gives who loads it, in the place of the file's.

    An entry can have more than that, and not less: who runs a project that is not theirs must be able to rely on it.
    """

    __slots__ = ()

    @property
    def given_isolation(self) -> str:
        """What was given."""
        return self.isolation

    def _isolation(self, declared: str | None) -> str:
        return combined(declared or self.isolation, self.isolation)


def read_settings(root: Path, report: Report) -> Settings:
    """Reads the settings of a project; without a file, or with one that says nothing, they are the defaults.

    Args:
        root: The project folder.
        report: What is wrong with the file goes there.
    """
    path = root / SETTINGS_FILE
    if not is_file(path) and not is_folder(path):
        return Settings()
    try:
        return _decode(read_text(path), report)
    except UnreadableError as error:
        report.problem(error.at, "", f"the file {error.message}", error.hint)
    except DeclarationError as error:
        report.problems += error.problems
    return Settings()


def _decode(text: str, report: Report) -> Settings:
    node = read_yaml(text, report).root
    if node is None:
        return Settings()
    if not isinstance(node, MapNode):
        report.problem(node, "", f"expected a mapping, got {describe_node(node)}")
        return Settings()
    if "namespace" in node.items:
        _refuse_entries(node.marks["namespace"], report)
        return Settings()
    settings = Decoder(report, "").spec(Settings, node, "")
    return Settings() if settings is INVALID else settings


def _refuse_entries(at: Mark, report: Report) -> None:
    message = f"{SETTINGS_FILE} holds the settings of the project, not entries"
    report.problem(at, "namespace", message, "give the file with the entries another name, such as _index.yaml")
