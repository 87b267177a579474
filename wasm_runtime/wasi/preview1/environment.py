"""Arguments and variables."""

from __future__ import annotations

from collections.abc import Sequence

from polycall.wasm_runtime.wasi.cli.environment import arguments_of, encoded, variables_of
from polycall.wasm_runtime.wasi.preview1.functions import U32, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest

__all__ = ["FUNCTIONS"]


def args_get(guest: Guest, pointers: U32, texts: U32) -> None:
    """Writes the arguments."""
    _put(guest, _arguments(guest), pointers, texts)


def args_sizes_get(guest: Guest, count: U32, size: U32) -> None:
    """Writes how many arguments there are, and how many bytes they take."""
    _put_sizes(guest, _arguments(guest), count, size)


def environ_get(guest: Guest, pointers: U32, texts: U32) -> None:
    """Writes the variables, as they were when the guest asked how much room they take."""
    _put(guest, _variables(guest) if guest.variables is None else guest.variables, pointers, texts)


def environ_sizes_get(guest: Guest, count: U32, size: U32) -> None:
    """Writes how many variables there are, and how many bytes they take."""
    guest.variables = _variables(guest)
    _put_sizes(guest, guest.variables, count, size)


def _arguments(guest: Guest) -> list[bytes]:
    return [_terminated(each, f"argument {at}") for at, each in enumerate(arguments_of(guest.session))]


def _variables(guest: Guest) -> list[bytes]:
    return [_terminated(f"{name}={value}", f"variable {name}") for name, value in variables_of(guest.session)]


def _terminated(text: str, what: str) -> bytes:
    # What the shell gave us need not be UTF-8: it goes through as the bytes that it was.
    return encoded(text, what, "surrogateescape").replace(b"\0", b"") + b"\0"


def _put(guest: Guest, texts: Sequence[bytes], pointers: int, at: int) -> None:
    for place, text in enumerate(texts):
        guest.put_u32(pointers + 4 * place, at & 0xFFFFFFFF)
        guest.put(at, text)
        at += len(text)


def _put_sizes(guest: Guest, texts: Sequence[bytes], count: int, size: int) -> None:
    guest.put_u32(count, len(texts))
    guest.put_u32(size, sum(map(len, texts)))


FUNCTIONS = served(args_get, args_sizes_get, environ_get, environ_sizes_get)
