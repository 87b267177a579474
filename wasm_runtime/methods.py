"""What resources that a component hands out can do: the functions that stand beside their type in its exports."""

from __future__ import annotations

from collections.abc import Iterator

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.plan import ExportedInstance, LiftedFunction, Plan
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import HandleType, WitType, parts

__all__ = ["ResourceMethods", "refuse_resources_of_hosts", "takes_or_gives_resources"]


class ResourceMethods:
    """The methods of every resource type that a component exports. Shared by threads."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._known: dict[int, dict[str, tuple[LiftedFunction, bool]]] = {}

    def of(self, slot: int) -> dict[str, tuple[LiftedFunction, bool]]:
        """Returns the methods and the static functions of a resource type.

        Returns:
            By name, with ``_`` for ``-``: the function, and whether it takes the resource as its first argument.
        """
        found = self._known.get(slot)
        if found is None:
            found = self._known[slot] = dict(self._found(slot))
        return found

    def _found(self, slot: int) -> Iterator[tuple[str, tuple[LiftedFunction, bool]]]:
        exports = self._plan.exports
        for instance in (*exports.instances.values(), exports):
            for name, its in instance.resources.items():
                if its == slot:
                    yield from _methods(instance, name)


def _methods(instance: ExportedInstance, resource: str) -> Iterator[tuple[str, tuple[LiftedFunction, bool]]]:
    # Methods come last: where a static function has the name of one, it is the method that counts.
    for kind in ("static", "method"):
        prefix = f"[{kind}]{resource}."
        for name, function in instance.functions.items():
            if name.startswith(prefix) and isinstance(function, LiftedFunction):
                yield name[len(prefix) :].replace("-", "_"), (function, kind == "method")


def takes_or_gives_resources(signature: Signature) -> bool:
    """Says whether there is a handle among the parameters or in the result of a function."""
    return next(_handles(signature), None) is not None


def refuse_resources_of_hosts(signature: Signature, plan: Plan) -> None:
    """Refuses a function that takes or gives what the component itself was given: nobody outside has such a thing.

    Raises:
        PreparationError: It is one.
    """
    for handle in _handles(signature):
        if plan.slots[handle.resource].owner is None:
            raise PreparationError(
                f"it takes or gives {shown(str(handle))}, a resource that the component imports",
                hint="only functions with resources of the component's own can be called",
            )


def _handles(signature: Signature) -> Iterator[HandleType]:
    types = [wit_type for _, wit_type in signature.params]
    for wit_type in types if signature.result is None else [*types, signature.result]:
        yield from _handles_in(wit_type)


def _handles_in(wit_type: WitType) -> Iterator[HandleType]:
    if isinstance(wit_type, HandleType):
        yield wit_type
    for part in parts(wit_type):
        if part is not None:
            yield from _handles_in(part)
