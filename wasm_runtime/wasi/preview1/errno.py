"""The error numbers of preview 1, and how what went wrong becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any

__all__ = ["Errno", "Refusal", "done"]


class Errno(IntEnum):
    """The numbers that functions here return; the specification has more of them."""

    SUCCESS = 0
    ACCES = 2
    AGAIN = 6
    ALREADY = 7
    BADF = 8
    BUSY = 10
    DEADLK = 16
    DQUOT = 19
    EXIST = 20
    FBIG = 22
    ILSEQ = 25
    INPROGRESS = 26
    INTR = 27
    INVAL = 28
    IO = 29
    ISDIR = 31
    LOOP = 32
    MLINK = 34
    MSGSIZE = 35
    NAMETOOLONG = 37
    NODEV = 43
    NOENT = 44
    NOLCK = 46
    NOMEM = 48
    NOSPC = 51
    NOTDIR = 54
    NOTEMPTY = 55
    NOTRECOVERABLE = 56
    NOTSOCK = 57
    NOTSUP = 58
    NOTTY = 59
    NXIO = 60
    OVERFLOW = 61
    PERM = 63
    PIPE = 64
    ROFS = 69
    SPIPE = 70
    TXTBSY = 74
    XDEV = 75
    NOTCAPABLE = 76


_OF_CODE: Mapping[str, Errno] = MappingProxyType(
    {
        "access": Errno.ACCES,
        "would-block": Errno.AGAIN,
        "already": Errno.ALREADY,
        "bad-descriptor": Errno.BADF,
        "busy": Errno.BUSY,
        "deadlock": Errno.DEADLK,
        "quota": Errno.DQUOT,
        "exist": Errno.EXIST,
        "file-too-large": Errno.FBIG,
        "illegal-byte-sequence": Errno.ILSEQ,
        "in-progress": Errno.INPROGRESS,
        "interrupted": Errno.INTR,
        "invalid": Errno.INVAL,
        "io": Errno.IO,
        "is-directory": Errno.ISDIR,
        "loop": Errno.LOOP,
        "too-many-links": Errno.MLINK,
        "message-size": Errno.MSGSIZE,
        "name-too-long": Errno.NAMETOOLONG,
        "no-device": Errno.NODEV,
        "no-entry": Errno.NOENT,
        "no-lock": Errno.NOLCK,
        "insufficient-memory": Errno.NOMEM,
        "insufficient-space": Errno.NOSPC,
        "not-directory": Errno.NOTDIR,
        "not-empty": Errno.NOTEMPTY,
        "not-recoverable": Errno.NOTRECOVERABLE,
        "unsupported": Errno.NOTSUP,
        "no-tty": Errno.NOTTY,
        "no-such-device": Errno.NXIO,
        "overflow": Errno.OVERFLOW,
        "not-permitted": Errno.PERM,
        "pipe": Errno.PIPE,
        "read-only": Errno.ROFS,
        "invalid-seek": Errno.SPIPE,
        "text-file-busy": Errno.TXTBSY,
        "cross-device": Errno.XDEV,
    }
)
"""The error codes of ``wasi:filesystem``."""


class Refusal(Exception):  # noqa: N818  # no failure of the call: a number on its way to the guest
    """A function does not do what the guest asked it for.

    Attributes:
        errno: What the guest is told.
    """

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno.name)
        self.errno = errno

    @classmethod
    def of_code(cls, code: object) -> Refusal:
        """Returns that of an error code of ``wasi:filesystem``; whatever else it is, it is ``IO``."""
        return cls(_OF_CODE.get(code, Errno.IO) if isinstance(code, str) else Errno.IO)


def done(outcome: Any) -> Any:
    """Returns what a method of WASI 0.2 gives.

    Args:
        outcome: A result as WIT values have it (``{"ok": ...}``), its error a code of ``wasi:filesystem``.

    Raises:
        Refusal: It is an error.
    """
    if "err" in outcome:
        raise Refusal.of_code(outcome["err"])
    return outcome["ok"]
