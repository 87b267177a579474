"""A host interface is a Python class: what it offers stands in WIT, and a method of the class is behind each function.

    class Greetings(HostInterface):
        name = "shop:words/greetings@1.0.0"
        wit = '''
            resource greeting {
                constructor(name: string);
                text: func() -> string;
            }
            default-name: func() -> string;
        '''
        resources = {"greeting": Greeting}

        def default_name(self, store: GuestStore) -> str: ...

    class Greeting:
        def __init__(self, store: GuestStore, name: str) -> None: ...
        def text(self, store: GuestStore) -> str: ...
        def drop(self) -> None: ...

Each is called with the calling store first, which holds the context of the running call. Arguments and results are
values as `polycall.wasm_runtime.wit.check_values` has them; a resource is the object itself. What a method raises ends
the guest's call; an ``err`` that the guest shall see is a result. A resource that has a `drop` is told when its last
owner is gone; one that is a `HostResource` may come to its end before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

from polycall.interop.errors import ConversionError, PreparationError, TrapError
from polycall.wasm_runtime.component.names import compatible, unversioned
from polycall.wasm_runtime.component.plan import ImportedFunction
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_parser import interface_signatures

__all__ = ["Host", "HostFunction", "HostInterface", "HostResource", "Interfaces"]

_NO_RESOURCES: Mapping[str, type] = MappingProxyType({})


class HostFunction(NamedTuple):
    """A function that components may import.

    Attributes:
        implementation: Takes the calling store and the arguments, returns the result. What it raises ends the call.
        signature: What it takes and gives; None for one that only raises, whatever the guest declares.
        misfit: Takes the error of a result that does not fit the signature, returns the one to raise.
    """

    implementation: Callable[..., Any]
    signature: Signature | None = None
    misfit: Callable[[ConversionError], ConversionError] | None = None


class Host(Protocol):
    """What stands behind the imports of one entry's component."""

    def function(self, wanted: ImportedFunction) -> HostFunction:
        """Returns what to call for an imported function: for one that is not granted, something that raises.

        Raises:
            PreparationError: It is offered with another signature.
        """
        ...

    def resource(self, interface: str, name: str) -> type | None:
        """Returns the class of an imported resource type; None if nothing stands behind it."""
        ...

    def refuse_import(self, module: str, name: str) -> Exception:
        """Returns the error of a core module that called a function which it imports."""
        ...


class HostResource:
    """Base of resources that may end while guests still have handles of them.

    Attributes:
        gone: Why it cannot be used any more; empty while it can.
    """

    gone: str = ""

    def check(self) -> None:
        """Refuses to be used after its end; methods that guests call need not ask.

        Raises:
            TrapError: It is gone.
        """
        if self.gone:
            raise TrapError(f"the guest used a resource that is gone: {self.gone}")


class HostInterface:
    """Base of what polycall offers under one name.

    Attributes:
        name: Package, interface and version, as components import it. Components that want an older version with which
            this one is compatible get it as well.
        wit: The interface's declarations in WIT.
        uses: The interfaces whose types it uses.
        resources: The class of each resource type that it declares.
    """

    name: ClassVar[str]
    wit: ClassVar[str]
    uses: ClassVar[Sequence[type[HostInterface]]] = ()
    resources: ClassVar[Mapping[str, type]] = _NO_RESOURCES

    def functions(self) -> Mapping[str, HostFunction]:
        """Returns every function by the name that it has in a component."""
        signatures = interface_signatures(self.declarations(), _short(self.name))
        return {name: HostFunction(self._implementation(name), signature) for name, signature in signatures.items()}

    @classmethod
    def declarations(cls) -> str:
        """Returns the WIT of the interface, after that of those whose types it uses, each once."""
        return "".join(f"interface {_short(each.name)} {{{each.wit}}}\n" for each in cls._with_used())

    @classmethod
    def _with_used(cls) -> Iterable[type[HostInterface]]:
        found = dict.fromkeys(inner for each in cls.uses for inner in each._with_used())
        return [*found, cls]

    def _implementation(self, name: str) -> Callable[..., Any]:
        kind, bracket, member = name.partition("]")
        if not bracket:
            return _method(self, name)
        resource, _, function = member.partition(".")
        owner = self.resources[resource]
        if kind == "[constructor":
            return owner
        if kind == "[static":
            return _method(owner, function)
        method = _method(owner, function)
        if not issubclass(owner, HostResource):
            return lambda store, this, *values: method(this, store, *values)

        def serve(store: GuestStore, this: HostResource, *values: Any) -> Any:
            if this.gone:
                this.check()
            return method(this, store, *values)

        return serve


def _method(owner: object, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(owner, name.replace("-", "_"))
    return method


def _short(name: str) -> str:
    return unversioned(name).rpartition("/")[2]


class Interfaces:
    """Every interface that a runtime offers. Shared by threads."""

    def __init__(
        self, interfaces: Sequence[HostInterface], more: Callable[[str], HostInterface | None] = lambda _name: None
    ) -> None:
        """Offers them.

        Args:
            interfaces: Some.
            more: Makes others, by their names without versions, when somebody first asks for them; None if it has none.
        """
        self._interfaces = {unversioned(each.name): each for each in interfaces}
        self._more = more
        self._functions: dict[str, Mapping[str, HostFunction]] = {}

    def find(self, name: str) -> HostInterface | None:
        """Returns the interface that serves an import of this name and version, or None."""
        found = self._named(name)
        fits = found is not None and ("@" not in name or compatible(name, found.name))
        return found if fits else None

    def offered(self, name: str) -> str | None:
        """Returns an interface's name with the version that is offered, whichever is asked for; None if none is."""
        found = self._named(name)
        return None if found is None else found.name

    def _named(self, name: str) -> HostInterface | None:
        key = unversioned(name)
        found = self._interfaces.get(key) or self._more(key)
        # Two threads may make one each; all get the same, which is what tells its functions and types from others.
        return None if found is None else self._interfaces.setdefault(key, found)

    def function(self, wanted: ImportedFunction) -> HostFunction | None:
        """Returns the function that serves an import; None if there is none.

        Raises:
            PreparationError: The component declares it with another signature.
        """
        interface = self.find(wanted.interface)
        found = None if interface is None else self._functions_of(interface).get(wanted.name)
        # Types by their text: it is structural, and tells resource types by their names. That a handle is of the very
        # type that is meant, its table says when it comes.
        if found is not None and str(wanted.signature) != str(found.signature):
            name = shown(f"{wanted.interface}#{wanted.name}")
            said = shown(str(wanted.signature), 1_000)
            raise PreparationError(f"the component imports {name} as {said}; it is {found.signature}")
        return found

    def resource(self, interface: str, name: str) -> type | None:
        """Returns the class of a resource type of an interface, or None."""
        found = self.find(interface)
        return None if found is None else found.resources.get(name)

    def _functions_of(self, interface: HostInterface) -> Mapping[str, HostFunction]:
        # Made when first asked for: reading the WIT of interfaces that nobody imports would slow every start.
        found = self._functions.get(interface.name)
        if found is None:
            found = self._functions[interface.name] = interface.functions()
        return found
