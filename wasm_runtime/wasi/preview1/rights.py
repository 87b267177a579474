"""What a descriptor of preview 1 may be used for.

A guest may give rights away (``fd_fdstat_set_rights``), and never gets them back. What is opened has the rights that
its folder hands on, without those to read and write that the guest did not ask for. The other rights it need not ask
for: toolchains differ in those that they name, and no engine that is in use holds them to it.

They are plain numbers: `enum.IntFlag` keeps an object for each set of flags that ever came up, as long as the process
lives, and a guest may name 2^30 of them.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ALL", "NONE", "OF_FILE", "OF_FOLDER", "OF_INPUT", "OF_OUTPUT", "Right"]


class Right:
    """The rights, with the bits that they have in preview 1."""

    FD_DATASYNC: Final = 1 << 0
    FD_READ: Final = 1 << 1
    FD_SEEK: Final = 1 << 2
    FD_FDSTAT_SET_FLAGS: Final = 1 << 3
    FD_SYNC: Final = 1 << 4
    FD_TELL: Final = 1 << 5
    FD_WRITE: Final = 1 << 6
    FD_ADVISE: Final = 1 << 7
    FD_ALLOCATE: Final = 1 << 8
    PATH_CREATE_DIRECTORY: Final = 1 << 9
    PATH_CREATE_FILE: Final = 1 << 10
    PATH_LINK_SOURCE: Final = 1 << 11
    PATH_LINK_TARGET: Final = 1 << 12
    PATH_OPEN: Final = 1 << 13
    FD_READDIR: Final = 1 << 14
    PATH_READLINK: Final = 1 << 15
    PATH_RENAME_SOURCE: Final = 1 << 16
    PATH_RENAME_TARGET: Final = 1 << 17
    PATH_FILESTAT_GET: Final = 1 << 18
    PATH_FILESTAT_SET_SIZE: Final = 1 << 19
    PATH_FILESTAT_SET_TIMES: Final = 1 << 20
    FD_FILESTAT_GET: Final = 1 << 21
    FD_FILESTAT_SET_SIZE: Final = 1 << 22
    FD_FILESTAT_SET_TIMES: Final = 1 << 23
    PATH_SYMLINK: Final = 1 << 24
    PATH_REMOVE_DIRECTORY: Final = 1 << 25
    PATH_UNLINK_FILE: Final = 1 << 26
    POLL_FD_READWRITE: Final = 1 << 27
    SOCK_SHUTDOWN: Final = 1 << 28
    SOCK_ACCEPT: Final = 1 << 29


NONE = 0
ALL = (1 << 28) - 1
"""All that files and folders have between them."""

OF_FOLDER = ALL & ~(
    Right.FD_READ
    | Right.FD_SEEK
    | Right.FD_TELL
    | Right.FD_WRITE
    | Right.FD_ADVISE
    | Right.FD_ALLOCATE
    | Right.FD_FILESTAT_SET_SIZE
    | Right.POLL_FD_READWRITE
)
OF_FILE = (
    Right.FD_DATASYNC
    | Right.FD_READ
    | Right.FD_SEEK
    | Right.FD_FDSTAT_SET_FLAGS
    | Right.FD_SYNC
    | Right.FD_TELL
    | Right.FD_WRITE
    | Right.FD_ADVISE
    | Right.FD_ALLOCATE
    | Right.FD_FILESTAT_GET
    | Right.FD_FILESTAT_SET_SIZE
    | Right.FD_FILESTAT_SET_TIMES
    | Right.POLL_FD_READWRITE
)
# Without the rights to seek and tell: by their lack, C libraries know a terminal.
_OF_STREAM = Right.FD_FDSTAT_SET_FLAGS | Right.FD_FILESTAT_GET | Right.POLL_FD_READWRITE
OF_INPUT = _OF_STREAM | Right.FD_READ
OF_OUTPUT = _OF_STREAM | Right.FD_WRITE
