"""What the one text or byte string of ``call-string`` and ``call-bytes`` becomes (specification: difference 6)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from polycall.interop.json_text import decode_json
from polycall.interop.values import Value

__all__ = ["PayloadForm"]


class PayloadForm(StrEnum):
    """How a function reads a payload. It is data, so that it can be known in one process and applied in another."""

    WHOLE = "whole"
    """The payload as it is, as the only argument."""
    JSON = "json"
    """JSON: an array is the arguments, anything else the only one."""
    JSON_OR_NOTHING = "json-or-nothing"
    """JSON, for a function without parameters: an empty payload is no arguments."""

    def arguments(self, payload: str | bytes) -> Sequence[Value]:
        """Returns the arguments that a payload stands for.

        Raises:
            ConversionError: It should be JSON and is not.
        """
        if self is PayloadForm.WHOLE:
            return [payload]
        if self is PayloadForm.JSON_OR_NOTHING and not payload:
            return []
        value = decode_json(payload)
        return value if isinstance(value, list) else [value]
