"""What an entry's grants let stand behind its imports, and what becomes of the others (differences 3 and 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import NoReturn

from polycall.interop.errors import ImportDeniedError, PreparationError
from polycall.interop.ids import suggestion
from polycall.interop.protocols import ImportNeed, Link
from polycall.wasm_runtime.component.core_function import CoreInterfaces
from polycall.wasm_runtime.component.host import HostFunction, Interfaces
from polycall.wasm_runtime.component.plan import ImportedFunction, ImportedInterface
from polycall.wasm_runtime.engine.guest_text import listed, shown
from polycall.wasm_runtime.imports import GROUPS, group_of_interface
from polycall.wasm_runtime.links import Links, import_name

__all__ = ["GrantedHost", "refuse_strictly"]

_TELLS_OF_EXCEPTIONS = ("wasi:cli/environment", "wasi:cli/stderr", "wasi:cli/exit")
_EXCEPTION_HINT = (
    "if that is how its toolchain reports an uncaught exception, it has failed: "
    "then the message is in its log, or in the err of an export that returns a result"
)


class GrantedHost:
    """The host of one entry: its links, the interfaces that its grants open, and a refusal for everything else."""

    def __init__(
        self,
        interfaces: Interfaces,
        grants: frozenset[str],
        links: Links,
        core_interfaces: CoreInterfaces = MappingProxyType({}),
    ) -> None:
        """Opens what is granted.

        Args:
            interfaces: What components are offered.
            grants: The groups that the entry grants.
            links: What other entries serve.
            core_interfaces: What core modules are offered.
        """
        self._interfaces = interfaces
        self._core_interfaces = core_interfaces
        self._grants = grants
        self._links = links

    def function(self, wanted: ImportedFunction) -> HostFunction:
        """Returns what to call; see `polycall.wasm_runtime.component.host.Host`."""
        linked = self._links.function(wanted)
        if linked is not None:
            return linked
        if not self._granted(wanted.interface) or self._interfaces.find(wanted.interface) is None:
            return self._refused(wanted)
        if wanted.refusal is not None:
            raise PreparationError(f"the import {shown(f'{wanted.interface}#{wanted.name}')}: {wanted.refusal}")
        return self._interfaces.function(wanted) or self._refused(wanted)

    def resource(self, interface: str, name: str) -> type | None:
        """Returns the class of an imported resource type, or None.

        Granted or not: a type opens nothing. What a granted interface gives, such as the stream of ``get-stdout``, may
        be of one that another group declares.
        """
        return self._interfaces.resource(interface, name)

    def refuse_import(self, module: str, name: str) -> ImportDeniedError:
        """Returns the error of a core module that called an import which it was not given."""
        return _core_refusal(module, name, self._grants, self._core_interfaces)

    def core_interfaces(self) -> CoreInterfaces:
        """Returns what a core module is given: what is offered and granted."""
        return {name: functions for name, functions in self._core_interfaces.items() if self._granted(name)}

    def needs(self, imports: Iterable[ImportedInterface], *, is_component: bool) -> tuple[ImportNeed, ...]:
        """Returns what a guest needs of its host, and what of it is granted and there.

        An import of types alone needs nothing.

        Args:
            imports: The guest's.
            is_component: Whether it is one, or a core module.
        """
        available = self._interfaces.find if is_component else self._core_interfaces.get
        return tuple(
            ImportNeed(
                name=shown(name),
                group=group_of_interface(interface.name),
                granted=link is not None or self._granted(interface.name),
                available=link is not None or available(interface.name) is not None,
                link=link,
            )
            for interface in imports
            for name, link in self._parts(interface)
        )

    def _parts(self, interface: ImportedInterface) -> Iterator[tuple[str, Link | None]]:
        """Yields the name of an interface that is not linked; of one that is, its functions and what they have."""
        links = [(import_name(each), self._links.of(each)) for each in interface.functions.values()]
        if any(link is not None for _, link in links):
            yield from links
        elif interface.functions or interface.resources:
            yield interface.name, None

    def _granted(self, interface: str) -> bool:
        return group_of_interface(interface) in self._grants

    def _refused(self, wanted: ImportedFunction) -> HostFunction:
        def refuse(*_arguments: object) -> NoReturn:
            raise self._refusal(wanted)

        return HostFunction(refuse)

    def _refusal(self, wanted: ImportedFunction) -> ImportDeniedError:
        name = _called(wanted.interface, wanted.name)
        group = group_of_interface(wanted.interface)
        if group is None:
            return _unknown(wanted.interface, name)
        if group not in self._grants:
            return _not_granted(wanted.interface, name, group)
        offered = self._interfaces.offered(wanted.interface)
        return ImportDeniedError(f"the guest called {name}; this version of polycall offers {offered or 'none'}")


def _core_refusal(module: str, function: str, grants: frozenset[str], offered: CoreInterfaces) -> ImportDeniedError:
    name = _called(module, function)
    group = group_of_interface(module)
    if group is None:
        return _unknown(module, name)
    if group not in grants:
        return _not_granted(module, name, group)
    if module in offered:
        return ImportDeniedError(
            f"the guest called {name}, which is not in {module}", hint=suggestion(function, offered[module])
        )
    hint = "make it a component to let it call other functions"
    return ImportDeniedError(f"the guest called {name}, which is for components; this is a core module", hint=hint)


def _called(interface: str, function: str) -> str:
    return shown(f"{interface}#{function}" if function else interface)


def _unknown(interface: str, name: str) -> ImportDeniedError:
    known = (each for interfaces in GROUPS.values() for each in interfaces)
    hint = suggestion(interface.partition("@")[0], known)
    return ImportDeniedError(f"the guest called {name}, which polycall does not offer", hint=hint)


def _not_granted(interface: str, name: str, group: str) -> ImportDeniedError:
    hint = f'add "{group}" to its imports'
    if interface.partition("@")[0] in _TELLS_OF_EXCEPTIONS:
        hint = f"{hint}; {_EXCEPTION_HINT}"
    return ImportDeniedError(f"the guest called {name}, which its entry does not grant", hint=hint)


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
