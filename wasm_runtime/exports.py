"""The export that an entry's ``method`` names."""

from __future__ import annotations

from collections.abc import Collection

from polycall.interop.errors import MissingExportError, PreparationError
from polycall.interop.ids import suggestion
from polycall.wasm_runtime.signature import Signature
from polycall.wasm_runtime.wit_types import unsupported_part

__all__ = ["supported", "the_export"]

_SHOWN = 12


def the_export(method: str, exports: Collection[str]) -> str:
    """Returns `method` if it is exported.

    Raises:
        MissingExportError: It is not; the hint lists what is.
    """
    if method in exports:
        return method
    near = suggestion(method, exports)
    # The only export there is, if it is near enough to be meant, is named once.
    hints = [near] if near and len(exports) == 1 else [near, _listed(exports)]
    raise MissingExportError(f'no export "{method}"', hint="; ".join(hint for hint in hints if hint))


def _listed(exports: Collection[str]) -> str:
    if not exports:
        return "it exports no functions"
    names = sorted(exports)
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"it exports {', '.join(names[:_SHOWN])}{more}"


def supported(method: str, signature: Signature) -> Signature:
    """Returns the signature if all its types can travel between languages.

    Raises:
        PreparationError: A parameter or the result holds a resource handle.
    """
    places = [(f'the parameter "{name}"', wit_type) for name, wit_type in signature.params]
    if signature.result is not None:
        places.append(("the result", signature.result))
    for place, wit_type in places:
        part = unsupported_part(wit_type)
        if part is not None:
            message = f'the export "{method}" cannot be called: {place} has the type {wit_type}'
            raise PreparationError(message, hint=f"{part}: resources are not supported yet")
    return signature
