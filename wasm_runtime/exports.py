"""The export that an entry's ``method`` names."""

from __future__ import annotations

from collections.abc import Collection

from polycall.interop.errors import MissingExportError, PreparationError
from polycall.interop.ids import suggestion
from polycall.wasm_runtime.engine.guest_text import listed, look_alike, shown
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import unsupported_part

__all__ = ["supported", "the_export"]

_NESTED = (
    'the component exports "{1}" as an instance inside of the instance "{0}"; '
    "only its own functions and those of its own instances can be called, so export it at the top"
)


def the_export(method: str, exports: Collection[str], nested: Collection[str] = ()) -> str:
    """Returns `method` if it is exported.

    Args:
        method: The entry's.
        exports: The functions that can be called.
        nested: Instances inside of exported instances, as ``outer#inner``: what they hold cannot be called.

    Raises:
        MissingExportError: It is not; the hint lists what is.
    """
    if method in exports:
        return method
    for name in nested:
        if method == name or method.startswith(f"{name}#"):
            raise MissingExportError(f'no export "{method}"', hint=_NESTED.format(*map(shown, name.split("#", 1))))
    near = look_alike(method, exports) or suggestion(method, exports)
    # The only export there is, if it is near enough to be meant, is named once.
    hints = [near] if near and len(exports) == 1 else [near, _listed(exports)]
    raise MissingExportError(f'no export "{method}"', hint="; ".join(hint for hint in hints if hint))


def _listed(exports: Collection[str]) -> str:
    if not exports:
        return "it exports no functions"
    return f"it exports {listed(sorted(exports))}"


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
            message = f'the export "{method}" cannot be called: {shown(place)} has the type {shown(str(wit_type))}'
            raise PreparationError(message, hint=f"{part}: resources are not supported yet")
    return signature
