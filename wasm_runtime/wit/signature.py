"""The signature of a WebAssembly function, and what it makes of arguments."""

from __future__ import annotations

from collections.abc import Sequence

from polycall.interop.errors import ConversionError
from polycall.interop.ids import cut
from polycall.interop.payload import PayloadForm
from polycall.interop.records import record
from polycall.interop.values import Value
from polycall.wasm_runtime.engine.pace import Pace
from polycall.wasm_runtime.wit.check_values import Mismatch, compile_check
from polycall.wasm_runtime.wit.wit_types import ListType, OptionType, Primitive, WitType

__all__ = ["ArgumentCheck", "Signature"]

_LONGEST_LIST = 1_000


@record
class Signature:
    """Parameters and result of a function.

    Attributes:
        params: Name and type of each parameter.
        result: The type of the result, or None without one.
    """

    params: tuple[tuple[str, WitType], ...]
    result: WitType | None

    def __str__(self) -> str:
        """Returns the signature as WIT writes it: ``func(a: s32, b: s32) -> s32``."""
        return f"func({self._parameter_list()})" + ("" if self.result is None else f" -> {self.result}")

    def _parameter_list(self) -> str:
        return ", ".join(f"{name}: {wit_type}" for name, wit_type in self.params)

    def expected_arguments(self) -> str:
        """Returns ``2 arguments (a: s32, b: s32)``, for messages; long lists are cut."""
        count = len(self.params)
        listed = f" ({cut(self._parameter_list(), _LONGEST_LIST)})" if count else ""
        return f"{count or 'no'} argument{'' if count == 1 else 's'}{listed}"

    @property
    def payload_form(self) -> PayloadForm:
        """How a payload of ``call-string`` or ``call-bytes`` is read: one ``string`` or ``list<u8>`` takes it whole."""
        if len(self.params) == 1 and _takes_payload(self.params[0][1]):
            return PayloadForm.WHOLE
        return PayloadForm.JSON if self.params else PayloadForm.JSON_OR_NOTHING


def _takes_payload(wit_type: WitType) -> bool:
    return wit_type == Primitive("string") or (isinstance(wit_type, ListType) and wit_type.is_bytes)


class ArgumentCheck:
    """Checks the arguments of a call against a signature and normalises them. Compiled once, used by every call."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._checks = [compile_check(wit_type) for _, wit_type in signature.params]
        self._count = len(self._checks)

    def __call__(self, arguments: Sequence[Value], pace: Pace | None = None) -> list[Value]:
        """Returns the arguments in the one form that lowering takes (see `polycall.wasm_runtime.wit.check_values`).

        Args:
            arguments: Plain values.
            pace: The clock of the call that they are for, if there is one.

        Raises:
            ConversionError: Too many or too few arguments, or one does not fit its type.
        """
        if len(arguments) != self._count:
            arguments = self._completed(arguments)
        values: list[Value] = []
        try:
            for check, argument in zip(self._checks, arguments, strict=True):
                values.append(check(argument, pace))
        except Mismatch as mismatch:
            raise mismatch.error(f"$.args[{len(values)}]", "lower") from None
        return values

    def _completed(self, arguments: Sequence[Value]) -> Sequence[Value]:
        """Adds the trailing ``option`` parameters that a caller may leave out."""
        left_out = self._signature.params[len(arguments) :]
        if len(arguments) > self._count or not all(isinstance(wit_type, OptionType) for _, wit_type in left_out):
            raise ConversionError("$.args", "lower", self._signature.expected_arguments(), str(len(arguments)))
        return [*arguments, *(None for _ in left_out)]
