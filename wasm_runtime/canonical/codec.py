"""How the values of one function cross, in either direction: source written for its types, when it is first called."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any

from polycall.interop.values import Value
from polycall.wasm_runtime.canonical.crossing import Crossing
from polycall.wasm_runtime.canonical.forms import IN_MEMORY, IN_SLOTS, Form
from polycall.wasm_runtime.canonical.layout import (
    MAX_FLAT_PARAMETERS,
    MAX_FLAT_RESULTS,
    alignment,
    flat,
    size,
    values_of,
)
from polycall.wasm_runtime.canonical.lifting import TOP, Lifting
from polycall.wasm_runtime.canonical.lowering import MISFITS, Lowering
from polycall.wasm_runtime.canonical.pieces import MAX_BYTES, Image, Pieces, too_large
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.engine.pace import AT_ONCE
from polycall.wasm_runtime.wit.check_values import Mismatch, compile_check
from polycall.wasm_runtime.wit.signature import ArgumentCheck, Signature
from polycall.wasm_runtime.wit.wit_types import Primitive, TupleType, WitType

__all__ = ["Codec", "codec"]

_MOST_KEPT = 1_000
_NUMBERS = {"u32": "<I", "s32": "<i", "u64": "<Q", "s64": "<q", "f64": "<d"}
_POINTER = struct.Struct("<I")
_Lower = Callable[..., None]


class Codec:
    """Lifts and lowers what one function takes and gives. Shared by threads.

    Core values lie in slots (`forms.SLOT_BYTES`), the first one of parameters or results at 0.

    Attributes:
        signature: The function's.
        encoding: Of its strings.
        spills: Whether the parameters lie in memory, and the core function takes their address.
        returns_pointer: Whether the result lies in memory: a lifted function gives its address, a lowered one takes it
            as its last parameter.
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
        self._result_size, self._result_alignment = (size(self._result), alignment(self._result)) if results else (0, 1)
        self._shared: dict[Any, Callable[..., Any]] = {}

    # --- what the host gives ---

    def lower_parameters(self, values: Sequence[Value], raw: Image, pieces: Pieces, crossing: Crossing) -> None:
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
            self.pack_parameters(values, raw, 0, pieces.pieces, pieces.handles, crossing.pace)
        except BaseException as error:  # noqa: BLE001  # raised again, or it says how to go on
            self.pack_again(error, values, raw, pieces, crossing)

    def pack_again(
        self, error: BaseException, values: Sequence[Value], raw: Image, pieces: Pieces, crossing: Crossing
    ) -> None:
        """Packs arguments that `pack_parameters` did not take as they are; see `lower_parameters`.

        Args:
            error: What it raised.
            values: Plain values, as in `lower_parameters`.
            raw: The slots.
            pieces: What that has left of them.
            crossing: Of the call.

        Raises:
            ConversionError: They do not fit.
            BaseException: What was raised, if that says nothing of the arguments.
        """
        pieces.clear()
        if not isinstance(error, MISFITS):
            raise error
        try:
            exact = self._check_parameters(values, crossing.pace)
            self.pack_parameters(exact, raw, 0, pieces.pieces, pieces.handles, crossing.pace)
        except BaseException:
            pieces.clear()
            raise

    def lower_result(
        self, value: Value, raw: Image, pieces: Pieces, crossing: Crossing
    ) -> tuple[int, bytearray] | None:
        """Packs the result of a host function, like `lower_parameters`.

        Returns:
            Where the guest wants it, and what is to be written there when the pieces are placed; None for one in slots.

        Raises:
            ConversionError: It does not fit.
            TrapError: The guest wants it where it has no memory.
        """
        if not self.returns_pointer:
            if self.signature.result is not None:
                try:
                    self._lower_result(value, raw, 0, pieces.pieces, pieces.handles, crossing.pace)
                except BaseException as error:  # noqa: BLE001  # as below
                    self._lower_again(error, value, raw, pieces, crossing)
            return None
        length, boundary = self._result_size, self._result_alignment
        if length > MAX_BYTES:
            raise too_large(length)
        (at,) = _POINTER.unpack_from(raw, self._pointer_at)
        memory = crossing.memory
        if at % boundary or at + length > memory.size:  # or it has grown
            memory.fence(at, length, "the place of the result", boundary)
        image = bytearray(length)
        try:
            self._lower_result(value, image, 0, pieces.pieces, pieces.handles, crossing.pace)
        except BaseException as error:  # noqa: BLE001  # raised again, or it says how to go on
            self._lower_again(error, value, image, pieces, crossing)
        return at, image

    def _lower_again(
        self, error: BaseException, value: Value, image: Image, pieces: Pieces, crossing: Crossing
    ) -> None:
        """Packs a result that `_lower_result` did not take as it is; see `pack_again`."""
        pieces.clear()
        try:
            if not isinstance(error, MISFITS):
                raise error
            exact = self._check_result(value, crossing.pace)
            self._lower_result(exact, image, 0, pieces.pieces, pieces.handles, crossing.pace)
        except Mismatch as mismatch:
            raise mismatch.error("$.result", "lower") from None
        except BaseException:
            pieces.clear()
            raise

    # --- what the guest gives ---

    @cached_property
    def lift_parameters(self) -> Callable[[Image, Crossing], list[Any]]:
        """Reads the arguments of a guest's call of a host function, in the normal form of `check_values`.

        Raises:
            TrapError: The guest gave what is no value.
            LimitError: It is more than one call may bring.
        """
        lifting = Lifting(self.encoding, self._shared, TOP)
        with lifting.reads_text():
            if self.spills:
                together = TupleType(tuple(self._types))
                image, at = _indirect(lifting, together, "the place of the parameters")
                lifting.source.line(f"return {lifting.value(IN_MEMORY, together, image, at)}")
            else:
                values = lifting.values(IN_SLOTS, self._types, "image", "0")
                lifting.source.line(f"return [{', '.join(values)}]")
        return lifting.source.function()

    @cached_property
    def lift_result(self) -> Callable[[Image, Crossing], Value]:
        """Reads the result of a call, like `lift_parameters`."""
        lifting = Lifting(self.encoding, self._shared, TOP)
        if self.signature.result is not None:
            with lifting.reads_text():
                image, at = "image", "0"
                if self.returns_pointer:
                    image, at = _indirect(lifting, self._result, "the result")
                lifting.source.line(f"return {lifting.value(self._result_form, self._result, image, at)}")
        return lifting.source.function()

    @cached_property
    def plain_result(self) -> Callable[[Image, int, Any], None] | None:
        """What writes the result of a function that takes nothing and gives a number; None for any other function.

        Such a call is over before its clock, its pieces and its handles would have been looked at.
        """
        result = self.signature.result
        if self._types or not isinstance(result, Primitive) or result.name not in _NUMBERS:
            return None
        write: Callable[[Image, int, Any], None] = struct.Struct(_NUMBERS[result.name]).pack_into
        return write

    # --- source ---

    @cached_property
    def _check_parameters(self) -> ArgumentCheck:
        return ArgumentCheck(self.signature)

    @cached_property
    def _check_result(self) -> Callable[..., Any]:
        return compile_check(self._result)

    @cached_property
    def pack_parameters(self) -> _Lower:
        """Does the work of `lower_parameters`, for arguments that are exactly of their types, and clears nothing."""
        lowering = Lowering("values", self.encoding, self._shared)
        source = lowering.source
        source.line(f"if len(values) != {len(self._types)}: raise Misfit")
        if self.spills:  # one piece holds all of them; the core function takes its address
            together = TupleType(tuple(self._types))
            source.line(f"if {size(together)} > MAX_BYTES: raise too_large({size(together)})")
            source.line(f"room = bytearray({size(together)})")
            source.line(f"pieces.append((room, {alignment(together)}, image, at))")
            source.line("values = list(values)")
            lowering.value(IN_MEMORY, together, "values", "room", "0")
        elif self._types:
            names = [source.name() for _ in self._types]
            source.line(f"{', '.join(names)}, = values")
            lowering.values(IN_SLOTS, self._types, names, "image", "at")
        return source.function()

    @cached_property
    def _lower_result(self) -> _Lower:
        lowering = Lowering("value", self.encoding, self._shared)
        lowering.value(self._result_form, self._result, "value", "image", "at")
        return lowering.source.function()

    @property
    def _result(self) -> WitType:
        if self.signature.result is None:
            raise TypeError("a function without result")
        return self.signature.result

    @property
    def _result_form(self) -> Form:
        return IN_MEMORY if self.returns_pointer else IN_SLOTS


def _indirect(lifting: Lifting, wit_type: WitType, what: str) -> tuple[str, str]:
    """Adds what goes from a pointer in the first slot to what lies there; returns the image and the offset."""
    source, length, boundary = lifting.source, size(wit_type), alignment(wit_type)
    at, view, memory = source.name(), source.name(), source.name()
    source.unpack([(0, "I", at)], "image", "0")
    source.line(f"{memory} = crossing.memory")
    # Asked here, for a call takes longer than both questions: whether it may be wrong, or the memory has grown.
    with source.block(f"if {at} + {length} > {memory}.size or {at} % {boundary}:"):
        source.line(f'{memory}.fence({at}, {length}, "{what}", {boundary})')
    source.line(f"{view} = {memory}.view")
    if values_of(wit_type) > AT_ONCE:  # it holds long fixed lists
        source.line(f"crossing.pace.take({values_of(wit_type)}, {size(wit_type)})")
    return view, at


@lru_cache(_MOST_KEPT)
def codec(signature: Signature, encoding: str) -> Codec:
    """Returns how the values of a function cross; one for all functions of that signature and encoding."""
    return Codec(signature, encoding)
