"""Sockets. Preview 1 has no way to make one, and no entry hands one out: whatever a descriptor is, it is none."""

from __future__ import annotations

from typing import NoReturn

from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal
from polycall.wasm_runtime.wasi.preview1.functions import U32, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest

__all__ = ["FUNCTIONS"]


def sock_accept(guest: Guest, fd: U32, _flags: U32, _result: U32) -> None:
    """Would accept a connection."""
    _refuse(guest, fd)


def sock_recv(guest: Guest, fd: U32, buffers: U32, count: U32, _flags: U32, _size: U32, _received_flags: U32) -> None:
    """Would receive."""
    for _ in guest.buffers(buffers, count):
        pass
    _refuse(guest, fd)


def sock_send(guest: Guest, fd: U32, buffers: U32, count: U32, _flags: U32, _size: U32) -> None:
    """Would send."""
    for _ in guest.buffers(buffers, count):
        pass
    _refuse(guest, fd)


def sock_shutdown(guest: Guest, fd: U32, how: U32) -> None:
    """Would end one direction of a connection, or both."""
    if how not in (1, 2, 3):
        raise Refusal(Errno.INVAL)
    _refuse(guest, fd)


def _refuse(guest: Guest, fd: int) -> NoReturn:
    guest.table.find(fd)
    raise Refusal(Errno.NOTSOCK)


FUNCTIONS = served(sock_accept, sock_recv, sock_send, sock_shutdown)
