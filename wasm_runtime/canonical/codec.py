"""How the values of one function cross, in either direction: source written for its types, when it is first called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any

from polycall.interop.values import Value
from polycall.wasm_runtime.canonical.crossing import Crossing
from polycall.wasm_runtime.canonical.forms import IN_MEMORY, IN_SLOTS
from polycall.wasm_runtime.canonical.layout import MAX_FLAT_PARAMETERS, MAX_FLAT_RESULTS, alignment, flat, size
from polycall.wasm_runtime.canonical.lifting import Lifting
from polycall.wasm_runtime.canonical.lowering import MISFITS, Lowering
from polycall.wasm_runtime.canonical.pieces import Pieces
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.wit.check_values import Mismatch, compile_check
from polycall.wasm_runtime.wit.signature import ArgumentCheck, Signature
from polycall.wasm_runtime.wit.wit_types import TupleType

__all__ = ["Codec", "codec"]

_MOST_KEPT = 1_000
_LOWERING = "image, at, pieces, handles, pace"
_Lower = Callable[..., None]


class Codec:
    """Lifts and lowers what one function takes and gives. Shared by threads.

    Core values lie in slots (`forms.SLOT_BYTES`), the first one of parameters or results at 0.

    Attributes:
        signature: The function's.
        encoding: Of its strings.
        spills: Whether the parameters lie in memory, and the core function takes their address.
        returns_pointer: Whether the result lies in memory: a lifted function gives its address, a lowered one takes it as
            its last parameter.
        lifted_core_type: Core parameters and results of a function that is lifted.
        lowered_core_type: Of one that is lowered.
    """

    def __init__(self, signature: Signature, encoding: str) -> None:
        self.signature = signature
        self.encoding = encoding
        self._types = [wit_type for _, wit_type in signature.params]
        parameters = flat(TupleType(tuple(self._types))) if self._types else ()
        results = () if signature.result is None else flat(signature.result)
        self.spills = len(parameters) > MAX_FLAT_PARAMETERS
        self.returns_pointer = len(results) > MAX_FLAT_RESULTS
        parameters = ("i32",) if self.spills else parameters
        self.lifted_core_type = parameters, ("i32",) if self.returns_pointer else results
        pointer = ("i32",) if self.returns_pointer else ()
        self.lowered_core_type = (*parameters, *pointer), () if self.returns_pointer else results
        self._pointer_at = SLOT_BYTES * len(parameters)
        self._shared: dict[Any, Callable[..., Any]] = {}

    # --- what the host gives ---

    def lower_parameters(self, values: Sequence[Value], raw: bytearray, pieces: Pieces, crossing: Crossing) -> None:
        """Packs the arguments of a call: into slots, and into pieces that are still to be placed.

        Args:
            values: Plain values, in any spelling that the types accept.
            raw: The slots.
            pieces: Empty.
            crossing: Of the call.

        Raises:
            ConversionError: They are too many or too few, or one does not fit its type.
        """
        try:
            self._lower_parameters(values, raw, 0, pieces.pieces, pieces.handles, crossing.pace)
        except MISFITS:
            pieces.clear()
            exact = self._check_parameters(values, crossing.pace)
            self._lower_parameters(exact, raw, 0, pieces.pieces, pieces.handles, crossing.pace)

    def lower_result(self, value: Value, raw: bytearray, pieces: Pieces, crossing: Crossing) -> Callable[[], None]:
        """Packs the result of a host function, like `lower_parameters`.

        Returns:
            What writes it to where the guest wants it; to be called when the pieces are placed.

        Raises:
            ConversionError: It does not fit.
            TrapError: The guest wants it where it has no memory.
        """
        if self.signature.result is None:
            return _nothing
        if not self.returns_pointer:
            self._lower(value, raw, pieces, crossing)
            return _nothing
        at = int.from_bytes(raw[self._pointer_at : self._pointer_at + 4], "little")
        length = size(self.signature.result)
        image = bytearray(length)
        self._lower(value, image, pieces, crossing)

        def write() -> None:
            view = crossing.memory.fence(at, length, "the place of the result", alignment(result))
            view[at : at + length] = image

        result = self.signature.result
        crossing.memory.fence(at, length, "the place of the result", alignment(result))
        return write

    def _lower(self, value: Value, image: bytearray, pieces: Pieces, crossing: Crossing) -> None:
        try:
            self._lower_result(value, image, 0, pieces.pieces, pieces.handles, crossing.pace)
        except MISFITS:
            pieces.clear()
            try:
                exact = self._check_result(value, crossing.pace)
            except Mismatch as mismatch:
                raise mismatch.error("$.result", "lower") from None
            self._lower_result(exact, image, 0, pieces.pieces, pieces.handles, crossing.pace)

    # --- what the guest gives ---

    def lift_parameters(self, raw: bytearray | memoryview, crossing: Crossing) -> list[Any]:
        """Reads the arguments of a guest's call of a host function, in the normal form of `check_values`.

        Raises:
            TrapError: The guest gave what is no value.
            LimitError: It is more than one call may bring.
        """
        values: list[Any] = self._lift_parameters(raw, 0, crossing)
        return values

    def lift_result(self, raw: bytearray | memoryview, crossing: Crossing) -> Any:
        """Reads the result of a call, like `lift_parameters`."""
        return self._lift_result(raw, 0, crossing)

    # --- source ---

    @cached_property
    def _check_parameters(self) -> ArgumentCheck:
        return ArgumentCheck(self.signature)

    @cached_property
    def _check_result(self) -> Callable[..., Any]:
        if self.signature.result is None:
            raise TypeError("a function without result")
        return compile_check(self.signature.result)

    @cached_property
    def _lower_parameters(self) -> _Lower:
        lowering = Lowering(f"values, {_LOWERING}", self.encoding, self._shared)
        source = lowering.source
        names = [source.name() for _ in self._types]
        source.line(f"if len(values) != {len(names)}: raise Misfit")
        if names:
            source.line(f"{', '.join(names)}, = values")
        together = TupleType(tuple(self._types)) if names else None
        if together is not None and self.spills:
            # One piece holds all of them; the core function takes its address.
            source.line(f"room = bytearray({size(together)})")
            source.line(f"pieces.append((room, {alignment(together)}, image, at))")
            source.pack([(0, "I", "0")], "image", "at")
            lowering.values(IN_MEMORY, self._types, names, "room", "0")
        else:
            lowering.values(IN_SLOTS, self._types, names, "image", "at")
        return source.function()

    @cached_property
    def _lower_result(self) -> _Lower:
        if self.signature.result is None:
            raise TypeError("a function without result")
        lowering = Lowering(f"value, {_LOWERING}", self.encoding, self._shared)
        lowering.value(IN_MEMORY if self.returns_pointer else IN_SLOTS, self.signature.result, "value", "image", "at")
        return lowering.source.function()

    @cached_property
    def _lift_parameters(self) -> Callable[..., list[Any]]:
        lifting = Lifting("image, at, crossing", self.encoding, self._shared)
        if self.spills:
            image, at = _indirect(lifting, TupleType(tuple(self._types)), "the parameters")
            values = lifting.values(IN_MEMORY, self._types, image, at)
        else:
            values = lifting.values(IN_SLOTS, self._types, "image", "at")
        lifting.source.line(f"return [{', '.join(values)}]")
        return lifting.source.function()

    @cached_property
    def _lift_result(self) -> Callable[..., Any]:
        lifting = Lifting("image, at, crossing", self.encoding, self._shared)
        result = self.signature.result
        if result is None:
            lifting.source.line("return None")
        elif self.returns_pointer:
            image, at = _indirect(lifting, result, "the result")
            lifting.source.line(f"return {lifting.value(IN_MEMORY, result, image, at)}")
        else:
            lifting.source.line(f"return {lifting.value(IN_SLOTS, result, 'image', 'at')}")
        return lifting.source.function()


def _indirect(lifting: Lifting, wit_type: Any, what: str) -> tuple[str, str]:
    """Adds what goes from a pointer in the first slot to what lies there; returns the image and the offset."""
    source = lifting.source
    at, view = source.name(), source.name()
    source.unpack([(0, "I", at)], "image", "at")
    source.line(f'{view} = crossing.memory.fence({at}, {size(wit_type)}, "{what}", {alignment(wit_type)})')
    return view, at


def _nothing() -> None:
    return


@lru_cache(_MOST_KEPT)
def codec(signature: Signature, encoding: str) -> Codec:
    """Returns how the values of a function cross; one for all functions of that signature and encoding."""
    return Codec(signature, encoding)
