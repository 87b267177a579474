"""Errors of the operating system as guests of ``wasi:filesystem`` see them: a code, and nothing of the host's."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from polycall.interop.errors import PolycallError
from polycall.wasm_runtime.wasi.io.ends import Failed
from polycall.wasm_runtime.wasi.io.error import IoError
from polycall.wasm_runtime.wasi.session import Kept, TooManyError

__all__ = ["CODES", "FileErrorCode", "Outcome", "code_of", "failed", "outcome"]

Outcome = dict[str, Any]
"""``{"ok": ...}`` or ``{"err": code}``."""

F = TypeVar("F", bound=Callable[..., Any])

_REFUSALS = frozenset({errno.EPERM, errno.EROFS})
"""What leads out of a mount, is no file, or may only be read."""

CODES: Mapping[int, str] = {
    errno.EACCES: "access",
    errno.EAGAIN: "would-block",
    errno.EALREADY: "already",
    errno.EBADF: "bad-descriptor",
    errno.EBUSY: "busy",
    errno.EDEADLK: "deadlock",
    errno.EDQUOT: "quota",
    errno.EEXIST: "exist",
    errno.EFBIG: "file-too-large",
    errno.EILSEQ: "illegal-byte-sequence",
    errno.EINPROGRESS: "in-progress",
    errno.EINTR: "interrupted",
    errno.EINVAL: "invalid",
    errno.EIO: "io",
    errno.EISDIR: "is-directory",
    errno.ELOOP: "loop",
    errno.EMLINK: "too-many-links",
    errno.EMSGSIZE: "message-size",
    errno.ENAMETOOLONG: "name-too-long",
    errno.ENODEV: "no-device",
    errno.ENOENT: "no-entry",
    errno.ENOLCK: "no-lock",
    errno.ENOMEM: "insufficient-memory",
    errno.ENOSPC: "insufficient-space",
    errno.ENOSYS: "unsupported",
    errno.ENOTDIR: "not-directory",
    errno.ENOTEMPTY: "not-empty",
    errno.ENOTRECOVERABLE: "not-recoverable",
    errno.ENOTSUP: "unsupported",
    errno.ENOTTY: "no-tty",
    errno.ENXIO: "no-such-device",
    errno.EOPNOTSUPP: "unsupported",
    errno.EOVERFLOW: "overflow",
    errno.EPERM: "not-permitted",
    errno.EPIPE: "pipe",
    errno.EROFS: "read-only",
    errno.ESPIPE: "invalid-seek",
    errno.ETXTBSY: "text-file-busy",
    errno.EXDEV: "cross-device",
    # The specification has no code for them; they are what an entry, or the process, may have open.
    errno.EMFILE: "quota",
    errno.ENFILE: "quota",
}
"""The number of an error to its ``error-code``."""


class FileErrorCode(str):
    """An ``error-code``, as the cause of an error of a stream."""

    __slots__ = ()


def code_of(error: OSError) -> str:
    """Returns the ``error-code`` of an error of the operating system; ``io`` for one that it has no code for."""
    return CODES.get(error.errno or 0, "io")


def failed(error: OSError) -> Failed:
    """Returns an error of the operating system as that of a stream."""
    code = code_of(error)
    return Failed(IoError(f"the file failed: {code}", FileErrorCode(code)))


def outcome(method: F) -> F:
    """Makes a method give a ``result`` with an ``error-code``: what it returns, or what it raised of the system's.

    Args:
        method: Of something that is kept for a session, which counts what is refused.
    """

    @functools.wraps(method)
    def tell(kept: Kept, *arguments: Any) -> Outcome:
        try:
            return {"ok": method(kept, *arguments)}
        except TooManyError:
            return {"err": "quota"}
        except PolycallError:  # a DeadlineError is an OSError as well, and nothing that a guest is told
            raise
        except OSError as error:
            kept.session.refusals += error.errno in _REFUSALS
            return {"err": code_of(error)}
        except OverflowError:  # a size or an offset that no file of the system can have
            return {"err": "invalid"}
        except UnicodeError:  # a name that is not UTF-8, or that the system's encoding has no bytes for
            return {"err": "illegal-byte-sequence"}

    return tell  # type: ignore[return-value]  # the host calls it by what the WIT says
