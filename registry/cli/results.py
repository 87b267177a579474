"""Results of calls on stdout, and the err of a WIT result, which is a failure of the command."""

from __future__ import annotations

import sys

from polycall.interop.errors import ConversionError, GuestError
from polycall.interop.json_text import encode_json
from polycall.interop.protocols import Signature
from polycall.interop.signature_text import types_of
from polycall.interop.values import Value
from polycall.registry.cli.output import print_text
from polycall.registry.cli.printable import printable, printable_json

__all__ = ["may_err", "print_result", "refuse_err", "result_line"]


def may_err(signature: Signature | None) -> bool:
    """Says whether a function's result is a WIT ``result``: only there is ``{"err": ...}`` an error of the guest's."""
    if signature is None:
        return False
    result = types_of(str(signature))[1]
    return result == "result" or result.startswith("result<")


def refuse_err(result: Value, entry_id: str) -> None:
    """Raises what an err is to the command line.

    Args:
        result: Of a function that `may_err`.
        entry_id: The function.

    Raises:
        GuestError: It is an err; the `details` are what came with it.
    """
    if isinstance(result, dict) and result.keys() == {"err"}:
        err = result["err"]
        shown = err if isinstance(err, str) else encode_json(_with_base64(err), bounded=False)
        hint = "this is the err of its WIT result; --no-fail-on-err takes it for a result"
        raise GuestError(f"{entry_id}: {shown}", entry_id=entry_id, details=err, returned=True, hint=hint)


def print_result(result: Value, as_json: bool) -> None:
    """Prints text and bytes as they are, other values as JSON; nothing for nothing, unless all is to be JSON."""
    if isinstance(result, (str, bytes)) and not as_json:
        _print_text(result)
    elif result is not None or as_json:
        print_text(printable_json(encode_json(_with_base64(result), indent=2, bounded=False), sys.stdout))


def result_line(result: Value) -> str:
    """Returns a result as one line of JSON, without its end."""
    try:
        line = encode_json(result, bounded=False)
    except ConversionError:  # bytes that are not UTF-8: most results have none, and are not walked for them
        line = encode_json(_with_base64(result), bounded=False)
    return printable_json(line, sys.stdout)


def _print_text(result: str | bytes) -> None:
    """Prints what a guest may have chosen freely: safe on a terminal, byte for byte in a pipe and in a file."""
    if sys.stdout.isatty():
        print_text(printable(result if isinstance(result, str) else result.decode(errors="backslashreplace")))
    elif isinstance(result, str):
        print_text(result)
    else:
        sys.stdout.buffer.write(result)
        sys.stdout.flush()


def _with_base64(value: Value) -> Value:
    """Returns a value in which bytes that are not UTF-8, which JSON has no form for, are ``{"base64": ...}``."""
    if isinstance(value, list):
        return [_with_base64(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_base64(item) for key, item in value.items()}
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        import base64  # noqa: PLC0415  # few results have such bytes

        return {"base64": base64.b64encode(value).decode()}
