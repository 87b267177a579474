"""Host functions that need what the registry offers: absent services and failures become ``nil, err`` in one place."""

from __future__ import annotations

import errno
from collections.abc import Callable
from io import UnsupportedOperation
from typing import Any

from polycall.interop.errors import PolycallError
from polycall.lua_runtime.session import MOST_NAME_BYTES, Session

__all__ = ["offered"]

_KINDS = {
    errno.ENOENT: "NotFound",
    errno.EEXIST: "AlreadyExists",
    errno.ENOTEMPTY: "Conflict",
    errno.EACCES: "PermissionDenied",
    errno.EPERM: "PermissionDenied",
    errno.EROFS: "PermissionDenied",
    errno.EISDIR: "Invalid",
    errno.ENOTDIR: "Invalid",
    errno.EINVAL: "Invalid",
    errno.ENAMETOOLONG: "Invalid",
    errno.ELOOP: "Invalid",
    errno.EFBIG: "Invalid",
    errno.EBADF: "Invalid",
    errno.ESPIPE: "Invalid",
    errno.ENOSPC: "Unavailable",
    errno.EDQUOT: "Unavailable",
    errno.EMFILE: "Unavailable",
    errno.ENFILE: "Unavailable",
}


def offered(session: Session, function: Callable[..., Any], most: int = MOST_NAME_BYTES) -> Callable[..., Any]:
    """Returns a host function that calls ``function(services, *arguments)`` and tells the guest what went wrong.

    Args:
        session: Of the state.
        function: What it does.
        most: Bytes that a text which the guest gives may have.
    """

    def host_function(*arguments: Any) -> Any:
        if session.services is None:
            return session.refuse("the host offers this module's services to nobody here", "Unavailable")
        try:
            return function(session.services, *arguments)
        except PolycallError as error:
            return session.refuse(error.text(), error.kind)
        except UnicodeDecodeError:
            return session.refuse("the name or the value is not UTF-8 text", "Invalid")
        except UnsupportedOperation as error:  # a file that was opened for something else
            return session.refuse(str(error), "Invalid")
        except OSError as error:
            return session.refuse(error.strerror or str(error), _KINDS.get(error.errno or 0, "Internal"))

    return session.safe(host_function, most)
