"""Typed links: entries that serve what a component imports, with the types of its WIT and nothing in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from polycall.interop.context import CallContext
from polycall.interop.errors import ConversionError, PolycallError, PreparationError, raise_if
from polycall.interop.ids import cut, suggestion
from polycall.interop.protocols import Invoker, Link
from polycall.interop.values import Value, describe
from polycall.wasm_runtime.component.host import HostFunction
from polycall.wasm_runtime.component.names import compatible, unversioned
from polycall.wasm_runtime.component.plan import ImportedFunction, ImportedInterface
from polycall.wasm_runtime.engine.guest_text import listed, shown
from polycall.wasm_runtime.engine.pace import Pace
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.link_names import is_namespace, key_of_link
from polycall.wasm_runtime.wit.check_values import Mismatch, compile_check
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import Primitive, ResultType, WitType, unsupported_part

__all__ = ["Links", "import_name", "link_of"]

_LONGEST_SIGNATURE = 1_000
_LONGEST_COMPARED = 10_000


def import_name(wanted: ImportedFunction) -> str:
    """Returns ``interface#function``, or the name of a function that is imported on its own."""
    return f"{wanted.interface}#{wanted.name}" if wanted.name else wanted.interface


def link_of(declared: Mapping[str, str], wanted: ImportedFunction) -> tuple[str, str] | None:
    """Returns the link that an imported function has, as declared, and the id of the entry; None without one.

    The closest one counts: of the function before that of its interface, of its very version before any other.
    """
    found = [(_closeness(link, wanted), link) for link in declared]
    closeness, link = max(found, default=(0, ""), key=lambda each: each[0])
    if not closeness:
        return None
    target = declared[link]
    return link, target if "#" in link or not wanted.name else f"{target}:{wanted.name}"


class Links:
    """The links of one entry.

    Args:
        declared: An interface to a namespace, or ``interface#function`` (or the name of a function that is imported on
            its own) to an entry id. A version may be left out.
        invoker: The way up to the registry.
    """

    def __init__(self, declared: Mapping[str, str], invoker: Invoker) -> None:
        self._declared = declared
        self._invoker = invoker

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._declared)

    def find(self, wanted: ImportedFunction) -> tuple[str, str] | None:
        """Returns what `link_of` finds among these links."""
        return link_of(self._declared, wanted)

    def check(self, imports: Iterable[ImportedInterface]) -> None:
        """Sees to it that every link has something to serve.

        Raises:
            PreparationError: One names nothing that the component imports, or leads to what cannot serve it.
        """
        functions = [function for interface in imports for function in interface.functions.values()]
        for link, target in self._declared.items():
            named = next((function for function in functions if _closeness(link, function)), None)
            if named is None:
                message = f'the component does not import "{shown(link)}"'
                raise PreparationError(message, hint=_near(link, functions)).at(key_of_link(link))
            wants_namespace = "#" not in link and bool(named.name)
            if wants_namespace is not is_namespace(target):
                expected = "an interface, which a namespace" if wants_namespace else "a function, which an entry"
                raise PreparationError(f'"{shown(link)}" is {expected} serves, not "{cut(target)}"').at(
                    key_of_link(link)
                )

    def of(self, wanted: ImportedFunction) -> Link | None:
        """Returns the link of an imported function as others see it, or None."""
        found = self.find(wanted)
        if found is None or _refusal(wanted) is not None:
            return None
        link, target = found
        return Link(link, shown(target), cut(str(wanted.signature), _LONGEST_COMPARED))

    def function(self, wanted: ImportedFunction) -> HostFunction | None:
        """Returns what to call for an imported function that is linked, or None.

        Raises:
            PreparationError: It has a type that no entry can serve.
        """
        found = self.find(wanted)
        if found is None:
            return None
        refusal = _refusal(wanted)
        if refusal is not None or wanted.signature is None:
            raise PreparationError(f"the import {shown(import_name(wanted))} cannot be linked: {refusal}").at(
                key_of_link(found[0])
            )
        call = _Call(found[1], wanted, wanted.signature, self._invoker)
        return HostFunction(call, wanted.signature, call.misfit)


def _closeness(link: str, wanted: ImportedFunction) -> int:
    """Returns how closely a link names a function: 0 if it does not."""
    interface, mark, function = link.partition("#")
    if mark and function != wanted.name:
        return 0
    if interface == wanted.interface:
        version = 3
    elif "@" in interface:
        version = 2 * compatible(wanted.interface, interface)
    else:
        version = interface == unversioned(wanted.interface)
    return version and version + 3 * bool(mark)


def _near(link: str, functions: Iterable[ImportedFunction]) -> str | None:
    named = list(dict.fromkeys(_names(functions, with_functions="#" in link)))
    if not named:
        return "it imports no functions"
    return suggestion(link, map(shown, named)) or f"it imports {listed(named)}"


def _names(functions: Iterable[ImportedFunction], *, with_functions: bool) -> Iterator[str]:
    for function in functions:
        yield import_name(function) if with_functions else function.interface


def _refusal(wanted: ImportedFunction) -> str | None:
    if wanted.signature is None:
        return wanted.refusal
    types = [wit_type for _, wit_type in wanted.signature.params]
    if wanted.signature.result is not None:
        types.append(wanted.signature.result)
    if wanted.name.startswith("[") or any(unsupported_part(each) is not None for each in types):
        return "it takes or gives resources"
    return None


class _Call:
    """What a guest calls: arguments go to the entry as they are, what it answers becomes the result.

    That the answer fits the type of the import is found out when it is lowered; see `HostFunction.misfit`.
    """

    def __init__(self, target: str, wanted: ImportedFunction, signature: Signature, invoker: Invoker) -> None:
        self._target = target
        self._serves = f"it serves {shown(import_name(wanted))}: {shown(str(signature), _LONGEST_SIGNATURE)}"
        self._invoker = invoker
        self._result = signature.result
        err = self._result.err if isinstance(self._result, ResultType) else None
        self._err = None if err is None else compile_check(err)

    def __call__(self, store: GuestStore, *values: Value) -> Value:
        caller = store.caller()
        try:
            answer = self._invoker.call_linked(self._target, values, caller)
        except PolycallError as error:
            # What an entry returns is the err of a result; what it raises is a failure, as is the end of its time.
            if not error.returned or not isinstance(self._result, ResultType):
                raise
            raise_if(caller.interruption())
            store.failed_call = error
            return {"err": self._err_of(error, self._result.err, caller)}
        if isinstance(self._result, ResultType):
            return _result(answer, self._result)
        if self._result is None and answer is not None:
            raise self.misfit(ConversionError("$.result", "lower", "nothing", describe(answer)))
        return answer

    def _err_of(self, error: PolycallError, wit_type: WitType | None, caller: CallContext) -> Value:
        """Returns an error as an err: its message where that is a string, else its details, or its message without."""
        if self._err is None:
            return True
        message = error.message.encode("utf-8", "replace").decode()
        if wit_type == Primitive("string"):
            return message
        try:
            # Not both: of details that are there, the message would hide what is wrong with them.
            err: Value = self._err(message if error.details is None else error.details, Pace(caller))
            return err
        except Mismatch as mismatch:
            misfit = self.misfit(mismatch.error("$.result.err", "lower"))
            misfit.frames = error.frames
            raise misfit from error

    def misfit(self, error: ConversionError) -> ConversionError:
        """Returns an error with whose answer it was that does not fit, and what it had to fit."""
        error.entry_id = self._target
        error.hint = error.hint or self._serves
        return error


def _result(answer: Value, wit_type: ResultType) -> Value:
    """Returns an answer as a result: a plain value is its ok."""
    if type(answer) is dict and len(answer) == 1 and ("ok" in answer or "err" in answer):
        return answer
    return {"ok": True if answer is None and wit_type.ok is None else answer}
