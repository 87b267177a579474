"""The types of one entry."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from polycall.interop.errors import NotFoundError, PolycallError
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.folders import declared_folder
from polycall.registry.entries.index import Index
from polycall.registry.signatures.declared_types import EntryTypes, types_of_wit
from polycall.wasm_runtime.binaries import assemble
from polycall.wasm_runtime.component.plan import Plan
from polycall.wasm_runtime.exports import exported_function
from polycall.wasm_runtime.links import link_of
from polycall.wasm_runtime.look import look_at, read_binary
from polycall.wasm_runtime.spec import WasmFunctionSpec, WatFunctionSpec

__all__ = ["TypesOfEntries"]


class TypesOfEntries:
    """Finds out the types of entries; each binary is looked at once.

    Attributes:
        index: The entries.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._plans: dict[str, Plan | None] = {}
        self._linked: dict[str, EntryTypes] | None = None

    def of(self, entry: Entry) -> EntryTypes | None:
        """Returns the types of an entry; None if nothing is known of them.

        Those of a component are in its binary. Where that is not built yet, and for everything else, ``wit`` says them.
        An entry that says nothing, and that a component's link leads to, is what the component takes it for.

        Raises:
            PreparationError: Its binary is no WebAssembly, or its ``wit`` is wrong.
        """
        plan = self.plan(entry)
        if plan is not None:
            return _of_plan(plan, entry.spec.method)
        if getattr(entry.spec, "wit", None) is not None:
            return types_of_wit(entry)
        if self._linked is None:
            self._linked = dict(self._of_links())
        return self._linked.get(str(entry.id))

    def _of_links(self) -> Iterator[tuple[str, EntryTypes]]:
        for entry in self.index:
            if not getattr(entry.spec, "links", None):
                continue
            with suppress(PolycallError):  # of a broken component nothing is known
                plan = self.plan(entry)
                for interface in () if plan is None else plan.imports:
                    for function in interface.functions.values():
                        found = link_of(entry.spec.links, function)
                        if found is not None and function.signature is not None:
                            yield self.index.linked(found[1]), EntryTypes(function.signature, interface.types)

    def plan(self, entry: Entry) -> Plan | None:
        """Returns the plan of an entry's component; None for all else, and where the file is not there.

        Raises:
            PreparationError: It is no WebAssembly.
        """
        spec = entry.spec
        if isinstance(spec, WatFunctionSpec):
            key = f"text {entry.id}"
            if key not in self._plans:
                self._plans[key] = look_at(assemble(spec.source), spec.source.name).plan
            return self._plans[key]
        if not isinstance(spec, WasmFunctionSpec):
            return None
        path = self.file(entry)
        if str(path) not in self._plans:
            try:
                self._plans[str(path)] = look_at(read_binary(path), str(path)).plan
            except NotFoundError:
                self._plans[str(path)] = None
        return self._plans[str(path)]

    def file(self, entry: Entry) -> Path:
        """Returns where the binary of a ``function.wasm`` is, or will be."""
        folder = declared_folder(self.index.get(entry.spec.fs), self.index.root)
        return Path(os.path.normpath(folder / entry.spec.path.lstrip("/")))


def _of_plan(plan: Plan, method: str) -> EntryTypes:
    signature = exported_function(method, plan.exports).signature
    interface = method.rpartition("#")[0].partition("@")[0]
    names = {**plan.types, **plan.exports.types}
    for name, instance in plan.exports.instances.items():
        if name.partition("@")[0] == interface:
            names |= instance.types
    return EntryTypes(signature, names)
