"""What core modules are given when they are instantiated, with every address ready for C.

A Python guest is given two thousand things, one by one, for each fresh instance. So all that a name costs beside the
engine's own look-up is paid once: arguments are made beforehand, and the memory that the engine writes
to is used again for the next instance.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from polycall.wasm_runtime.component.plan import CoreExport, CoreRef, Instantiate
from polycall.wasm_runtime.engine.core_calls import EXTERN_BYTES, EXTERN_CONTENT, INSTANCE_BYTES
from polycall.wasm_runtime.engine.native import Argument, Buffer, as_bytes, as_pointer, as_size

__all__ = ["Frame", "Frames", "Given"]

_EXTERN = struct.Struct(f"{EXTERN_BYTES}s")
_SPARE = 6
_MOST_KEPT = 16
_MOST_SLOTS_KEPT = 20_000  # a slot is a few hundred bytes


class _Export(NamedTuple):
    """An export of a core instance that goes to a slot."""

    core: int
    name: Argument
    length: Argument
    slot: int
    text: bytes


class Given(NamedTuple):
    """What one core module imports: the slots from `first` on, in its order.

    Attributes:
        first: Its first slot.
        how_many: Their number.
        exports: What is looked up.
        hosts: Core functions of the host that are made: their number and slot.
        copies: What an earlier slot has: that one and the slot.
    """

    first: int
    how_many: Argument
    exports: tuple[_Export, ...]
    hosts: tuple[tuple[int, int], ...]
    copies: tuple[tuple[int, int], ...]


class Frame:
    """The core instances of one instance, and a slot for each thing that they import.

    Attributes:
        cores: The addresses of the ``wasmtime_instance_t``.
        slots: The addresses of the ``wasmtime_extern_t``.
        contents: What is in those.
    """

    __slots__ = ("_data", "_slots_at", "_spare_at", "contents", "cores", "slots")

    def __init__(self, cores: int, slots: int) -> None:
        self._slots_at = cores * INSTANCE_BYTES
        # One more: modules without imports are given an address as well.
        spare_at = self._slots_at + (slots + 1) * EXTERN_BYTES
        buffer = Buffer(spare_at + _SPARE * EXTERN_BYTES)
        self._data, start = buffer.data, buffer.address
        self._spare_at = start + spare_at
        addresses = range(start + self._slots_at, start + spare_at, EXTERN_BYTES)
        # Tuples of what the garbage collector does not look at: it does not look at them either.
        self.cores = tuple(as_pointer(start + each * INSTANCE_BYTES) for each in range(cores))
        self.slots = tuple(as_pointer(each) for each in addresses)
        self.contents = tuple(as_pointer(each + EXTERN_CONTENT) for each in addresses)

    def spare(self, number: int) -> int | None:
        """Returns the address of a ``wasmtime_extern_t`` for something that is exported; None if there are too few."""
        return self._spare_at + number * EXTERN_BYTES if number < _SPARE else None

    def copy(self, copies: Iterable[tuple[int, int]]) -> None:
        """Fills slots with what others have."""
        data, start = self._data, self._slots_at
        for source, target in copies:
            at = start + source * EXTERN_BYTES
            _EXTERN.pack_into(data, start + target * EXTERN_BYTES, data[at : at + EXTERN_BYTES])


class Frames:
    """The frames of one plan's instances. Shared by threads.

    Attributes:
        given: What each `Instantiate` step of the plan needs, in order.
    """

    def __init__(self, steps: Sequence[object]) -> None:
        self._slots = 0
        self._known: dict[CoreRef, int] = {}
        self.given = [self._given(step.imports) for step in steps if isinstance(step, Instantiate)]
        self._kept: list[Frame] = []
        self._most = min(_MOST_KEPT, _MOST_SLOTS_KEPT // max(1, self._slots))

    def _given(self, imports: Sequence[CoreRef]) -> Given:
        first = self._slots
        exports, hosts, copies = [], [], []
        for slot, ref in enumerate(imports, first):
            known = self._known.setdefault(ref, slot)
            if known != slot:
                copies.append((known, slot))
            elif isinstance(ref, CoreExport):
                name = ref.name.encode()
                exports.append(_Export(ref.instance, as_bytes(name), as_size(len(name)), slot, name))
            else:
                hosts.append((ref.index, slot))
        self._slots += len(imports)
        return Given(first, as_size(len(imports)), tuple(exports), tuple(hosts), tuple(copies))

    def take(self) -> Frame:
        """Returns a frame that nobody else uses."""
        try:
            return self._kept.pop()
        except IndexError:
            return Frame(len(self.given), self._slots)

    def give_back(self, frame: Frame) -> None:
        """Takes a frame back whose instance is closed: nothing of its store is touched any more."""
        if len(self._kept) < self._most:
            self._kept.append(frame)
