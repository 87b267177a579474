"""What serves the core functions that the host gives to a component: functions of hosts and of its parts, built-ins.

Specification: Canonical ABI, ``canon lower`` and the built-ins ``resource.new``, ``resource.drop``, ``resource.rep``,
``context.get`` and ``context.set``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from polycall.interop.errors import InternalError, TrapError
from polycall.wasm_runtime.canonical.handles import Handle, ResourceType
from polycall.wasm_runtime.component.abort_import import abort_error
from polycall.wasm_runtime.component.calls import LiftedCall, LoweredCall
from polycall.wasm_runtime.component.plan import (
    AbortImport,
    AsyncFunction,
    CoreImport,
    HostCoreFunction,
    LiftedFunction,
    LoweredFunction,
    RefusedFunction,
    RefusedImport,
    ResourceFunction,
)
from polycall.wasm_runtime.engine.stores import Handler

if TYPE_CHECKING:
    from polycall.wasm_runtime.component.instance import ComponentInstance
    from polycall.wasm_runtime.component.linked_plan import LinkedPlan

__all__ = ["Handlers", "closed_error"]

_NUMBER = struct.Struct("<I")
_WIDE = struct.Struct("<Q")


class Handlers(dict[int, Handler]):
    """Those of one instance, by the numbers of the functions: each is made when it is first called."""

    __slots__ = ("_instance", "_linked")

    def __init__(self, instance: ComponentInstance, linked: LinkedPlan) -> None:
        super().__init__()
        self._instance: ComponentInstance | None = instance
        self._linked = linked

    def close(self) -> None:
        """Lets go of the instance, which holds this: both go at once, without the garbage collector."""
        self.clear()
        self._instance = None

    def __missing__(self, index: int) -> Handler:
        if self._instance is None:
            raise closed_error()
        made = self[index] = self._made(self._linked.plan.host_functions[index], self._instance)
        return made

    def _made(self, function: HostCoreFunction, instance: ComponentInstance) -> Handler:
        match function:
            case LoweredFunction():
                return self._lowered(function, instance)
            case ResourceFunction(operation=operation, slot=slot, instance=number):
                return partial(_RESOURCE_FUNCTIONS[operation], instance, instance.types[slot], number)
            case AsyncFunction(name="context.get", immediates=(width, slot)):
                return partial(_context_get, instance, width, slot)
            case AsyncFunction(name="context.set", immediates=(width, slot)):
                return partial(_context_set, instance, width, slot)
            case AsyncFunction(name=name):
                return partial(_fail, lambda: TrapError(f"the guest called {name}, which belongs to WASI 0.3"))
            case CoreImport(function=core_function):
                return core_function.bind(instance.store, instance.memory_of_caller)
            case AbortImport():
                return _abort
            case RefusedImport(module=module, name=name):
                return partial(_fail, partial(self._linked.refuse_import, module, name))

    def _lowered(self, function: LoweredFunction, instance: ComponentInstance) -> Handler:
        callee = function.function
        if isinstance(callee, RefusedFunction):
            return partial(_fail, lambda: TrapError(f"the guest called a function that {callee.refusal}"))
        if isinstance(callee, LiftedFunction):
            return self._lowered_inner(function, callee, instance)
        host = self._linked.host_function(callee)
        implementation, store = host.implementation, instance.store
        if callee.signature is None or host.signature is None:
            return lambda _caller, _raw: implementation(store)
        how = self._linked.codec(function, callee.signature)
        if how.plain_result is not None and host.misfit is None:
            return partial(_number, instance, function.instance, partial(implementation, store), how.plain_result)
        return LoweredCall(
            instance, function, how, implementation, first=instance.store_first, misfit=host.misfit
        ).serve

    def _lowered_inner(self, function: LoweredFunction, callee: LiftedFunction, instance: ComponentInstance) -> Handler:
        """Returns what serves the calls of one component instance to another one."""
        if not instance.entering(callee.instance, function.instance):
            return partial(self._call_back, function, callee, instance)
        caller, how = function.instance, self._linked.codec(function, callee.signature)
        return LoweredCall(instance, function, how, lambda *values: instance.lifted(callee).call(values, caller)).serve

    def _call_back(  # four are those of the `partial` above
        self,
        function: LoweredFunction,
        callee: LiftedFunction,
        instance: ComponentInstance,
        engine: int,
        raw: memoryview,
    ) -> None:
        """Serves a call of a component instance to itself or to one around it, which runs already.

        The same call may be on its way several times over, so nothing is kept from one to the next.
        """
        linked = self._linked
        inner = LiftedCall(instance, callee, linked.codec(callee, callee.signature))
        how = linked.codec(function, callee.signature)
        LoweredCall(instance, function, how, lambda *values: inner.call(values, function.instance)).serve(engine, raw)


def closed_error() -> InternalError:
    """Returns the error of who calls an instance that is closed."""
    return InternalError("an instance that is closed was called")


# Handlers: the engine's caller and the slots of the call come last.


def _number(  # as above
    instance: ComponentInstance,
    number: int,
    call: Callable[[], Any],
    write: Callable[[memoryview, int, Any], None],
    _caller: int,
    raw: memoryview,
) -> None:
    """Serves a host's function that takes nothing and gives a number: a clock, most of all."""
    if not instance.may_leave[number]:
        raise _no_leave()
    write(raw, 0, call())


def _new(instance: ComponentInstance, resource_type: ResourceType, number: int, _caller: int, raw: memoryview) -> None:
    if not instance.may_leave[number]:
        raise _no_leave()
    (rep,) = _NUMBER.unpack_from(raw)
    _NUMBER.pack_into(raw, 0, instance.tables[number].add(Handle(resource_type, rep)))


def _rep(instance: ComponentInstance, resource_type: ResourceType, number: int, _caller: int, raw: memoryview) -> None:
    handle = instance.tables[number].get(_NUMBER.unpack_from(raw)[0], resource_type)
    _NUMBER.pack_into(raw, 0, handle.rep)


def _drop(instance: ComponentInstance, resource_type: ResourceType, number: int, _caller: int, raw: memoryview) -> None:
    if not instance.may_leave[number]:
        raise _no_leave()
    handle = instance.tables[number].take(_NUMBER.unpack_from(raw)[0], resource_type)
    if handle.scope is not None:
        handle.scope.borrows -= 1
    else:
        instance.destruct(resource_type, handle.rep, number)


_RESOURCE_FUNCTIONS = {"resource.new": _new, "resource.drop": _drop, "resource.rep": _rep}


def _no_leave() -> TrapError:
    return TrapError("cannot leave component instance")


def _context_get(instance: ComponentInstance, width: int, slot: int, _caller: int, raw: memoryview) -> None:
    task = instance.task
    value = 0 if task is None or task.slots is None else task.slots[slot]
    (_NUMBER if width == 4 else _WIDE).pack_into(raw, 0, value)


def _context_set(instance: ComponentInstance, width: int, slot: int, _caller: int, raw: memoryview) -> None:
    task = instance.task
    if task is not None:
        task.slots = task.slots or [0, 0]
        (task.slots[slot],) = (_NUMBER if width == 4 else _WIDE).unpack_from(raw)


def _fail(error: Callable[[], Exception], _caller: int, _raw: memoryview) -> NoReturn:
    raise error()


def _abort(caller: int, raw: memoryview) -> NoReturn:
    raise abort_error(caller, raw)
