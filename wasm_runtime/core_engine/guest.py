"""A guest of core modules of the project's own; see `polycall.interop.core_engine.CoreGuest`."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import addressof, sizeof
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.core_engine import HostFunction
from polycall.interop.errors import InternalError, MissingExportError
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.core_engine.instance import CoreInstance
from polycall.wasm_runtime.core_engine.links import Numbers
from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.core_calls import EXTERN_CONTENT, CoreCall
from polycall.wasm_runtime.engine.native import Buffer
from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["WasmCoreGuest"]


class WasmCoreGuest:
    """Who has an instance, until it is closed. Used by one thread at a time.

    Attributes:
        host: Answers its calls.
        takes_calls: Whether it may be called: not after a call that failed, nor while its host answers it.
    """

    __slots__ = ("_instance", "_leave", "host", "takes_calls")

    def __init__(self, instance: CoreInstance, host: HostFunction, leave: Callable[[CoreInstance, bool], None]) -> None:
        """Makes one.

        Args:
            instance: What it has.
            host: Answers its calls.
            leave: Is given the instance at the end, and whether another guest may have it.
        """
        self.takes_calls = True
        self.host = host
        self._instance: CoreInstance | None = instance
        self._leave = leave
        instance.guest = self

    def function(self, name: str) -> Callable[..., Any]:
        """Returns a function that it exports; see `polycall.interop.core_engine.CoreGuest.function`."""
        instance = self._open()
        place = instance.links.exports.get(name)
        if place is None or place.numbers is None:
            raise MissingExportError(f'a core module exports no function "{name}" of numbers')
        return _Function(self, instance.store, instance.extern(name, place), place.numbers)

    @property
    def memory(self) -> GuestMemory:
        """The memory that it exports; of one that exports none, an empty one."""
        return self._open().memory

    def content(self) -> bytes:
        """Returns a copy of all of its memory as it is now."""
        return bytes(self._open().memory.whole())

    def begin(self, context: CallContext) -> None:
        """Makes ready for a call; `end` must follow."""
        instance = self._instance
        (self._open() if instance is None else instance).store.begin(context)

    def end(self) -> None:
        """Ends what `begin` began; a signal that came in the meantime may raise here."""
        instance = self._instance
        (self._open() if instance is None else instance).store.end()

    def _open(self) -> CoreInstance:
        if self._instance is None:
            raise InternalError("a guest was used after its end")
        return self._instance

    def close(self, *, lost: bool = False) -> None:
        """Gives the memory back; see `polycall.interop.core_engine.CoreGuest.close`."""
        instance, self._instance = self._instance, None
        if instance is not None:
            unhurt, self.takes_calls = self.takes_calls, False
            instance.guest = None
            del self.host  # which refers to this: nobody shall need the cycle collector
            self._leave(instance, unhurt and not lost)


class _Function(CoreCall):
    """A function of a guest that takes and gives numbers."""

    __slots__ = ("_extern", "_guest", "_pack", "_results")

    def __init__(self, guest: WasmCoreGuest, store: GuestStore, extern: Buffer, numbers: Numbers) -> None:
        super().__init__(store, extern.address + EXTERN_CONTENT, numbers.slots)
        self._guest = guest
        self._extern = extern  # where the engine reads which function it is
        self._pack = numbers.parameters.pack_into
        slots = native.view(addressof(self.raw), sizeof(self.raw))
        self._results = None if numbers.result is None else slots.cast(numbers.result)

    def __call__(self, *arguments: int | float) -> Any:
        guest, raw = self._guest, self.raw
        if not guest.takes_calls:  # nothing may reach into freed memory, or into a generator that runs
            raise InternalError("a guest was called after its end, or while its host answers it")
        self._pack(raw, 0, *arguments)
        try:
            self.run()
        except BaseException:
            guest.takes_calls = False
            raise
        return None if self._results is None else self._results[0]
