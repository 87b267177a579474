"""Typed links: entries that serve what a component imports, with the types of its WIT and nothing in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from polycall.interop.errors import CallError, PolycallError, PreparationError
from polycall.interop.protocols import Invoker
from polycall.interop.values import Value
from polycall.wasm_runtime.component.host import HostFunction
from polycall.wasm_runtime.component.names import compatible, unversioned
from polycall.wasm_runtime.component.plan import ImportedFunction, ImportedInterface
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wit.check_values import Mismatch, compile_check
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import HandleType, ResultType, WitType, parts

__all__ = ["Links"]


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

    def serve_all(self, interface: ImportedInterface) -> bool:
        """Whether every function that is imported from an interface is linked."""
        return bool(interface.functions) and all(map(self.target, interface.functions.values()))

    def target(self, wanted: ImportedFunction) -> str | None:
        """Returns the id of the entry that serves an imported function; None if it is not linked."""
        for link, target in self._declared.items():
            interface, mark, name = link.partition("#")
            if not _names(interface, wanted.interface):
                continue
            if mark and name == wanted.name:
                return target
            if not mark:
                return target if not wanted.name else f"{target}:{wanted.name}"
        return None

    def function(self, wanted: ImportedFunction) -> HostFunction | None:
        """Returns what to call for an imported function that is linked, or None.

        Raises:
            PreparationError: It has a type that no entry can serve.
        """
        target = self.target(wanted)
        if target is None:
            return None
        name = shown(f"{wanted.interface}#{wanted.name}" if wanted.name else wanted.interface)
        if wanted.signature is None:
            raise PreparationError(f"the import {name} cannot be linked: {wanted.refusal}").at("links")
        if _has_handle(wanted.signature):
            raise PreparationError(f"the import {name} cannot be linked: it takes or gives resources").at("links")
        return HostFunction(_linked(target, wanted.signature, self._invoker), wanted.signature)


def _names(link: str, interface: str) -> bool:
    if "@" not in link:
        return link == unversioned(interface)
    return link == interface or (unversioned(link) == unversioned(interface) and compatible(interface, link))


def _has_handle(signature: Signature) -> bool:
    types = [wit_type for _, wit_type in signature.params]
    return any(map(_is_handle, types)) or (signature.result is not None and _is_handle(signature.result))


def _is_handle(wit_type: WitType) -> bool:
    return isinstance(wit_type, HandleType) or any(_is_handle(part) for part in parts(wit_type) if part is not None)


def _linked(target: str, signature: Signature, invoker: Invoker) -> Callable[..., Value]:
    result = signature.result
    if isinstance(result, ResultType):
        answered = _answered(result)
    else:
        answered = _as_it_is if result is None else _checked(result)

    def call(store: GuestStore, *values: Value) -> Value:
        caller = store.call
        if caller is None or store.starting:
            raise CallError("the guest called another function while it was starting; only calls of it may do that")
        try:
            value: Value = answered(lambda: invoker.call_linked(target, values, caller))
            return value
        except Mismatch as mismatch:
            error = mismatch.error("$.result", "lift")
            error.entry_id = target
            raise error from None

    return call


_Answer = Callable[[Callable[[], Value]], Any]


def _as_it_is(call: Callable[[], Value]) -> None:
    call()


def _checked(wit_type: WitType) -> _Answer:
    check = compile_check(wit_type)
    return lambda call: check(call())


def _answered(result: ResultType) -> _Answer:
    """Returns how an answer becomes a ``result``: what an entry returns is its ok, an error that it returns its err."""
    whole = compile_check(result)
    ok = None if result.ok is None else compile_check(result.ok)
    err = None if result.err is None else compile_check(result.err)

    def answered(call: Callable[[], Value]) -> Any:
        try:
            answer = call()
        except PolycallError as error:
            if not error.returned:
                raise
            return {"err": True if err is None else _err(err, error)}
        if type(answer) is dict and len(answer) == 1 and ("ok" in answer or "err" in answer):
            return whole(answer)
        return {"ok": True if ok is None else ok(answer)}

    return answered


def _err(check: Callable[..., Any], error: PolycallError) -> Any:
    """Returns an error as the err of a result: its details if they are of that type, else its message."""
    if error.details is not None:
        try:
            return check(error.details)
        except Mismatch:
            pass
    try:
        return check(error.message)
    except Mismatch:
        raise error from None
