"""Every error that polycall raises, and the one table of exit codes, HTTP statuses and Lua kinds.

Foreign exceptions (wasmtime's, lupa's, PyYAML's, the operating system's) are turned into these once, where they are
met. An error that comes out of a call carries the frames of that call, outermost first.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

from polycall.interop.public import public

__all__ = [
    "MOST_SHOWN",
    "OUTCOMES",
    "CallDeniedError",
    "CallError",
    "CancelledError",
    "ConversionError",
    "DeadlineError",
    "DeclarationError",
    "DepthError",
    "ExitError",
    "Frame",
    "GuestError",
    "HashError",
    "ImportDeniedError",
    "InternalError",
    "LimitError",
    "MemoryLimitError",
    "MissingExportError",
    "NotFoundError",
    "Outcome",
    "PolycallError",
    "PoolClosedError",
    "PoolDeadlockError",
    "PoolError",
    "PreparationError",
    "Problem",
    "TrapError",
    "WorkerError",
    "raise_if",
    "summed_up",
]


@public
class Frame(NamedTuple):
    """One hop of a cross-language call."""

    entry_id: str
    language: str

    def __str__(self) -> str:
        """Returns ``app:tax (lua)``."""
        return f"{self.entry_id} ({self.language})"


def raise_if(error: BaseException | None) -> None:
    """Raises an error that was found, if one was; give it without keeping it in a variable: ``raise_if(find())``.

    An error in a variable of a frame that it passes refers to itself by its traceback. What all those frames hold, such
    as arguments and instances, would then live until the garbage collector comes by.
    """
    try:
        if error is not None:
            raise error
    finally:
        del error


_LONGEST_TEXT = 64 * 1024
_LONGEST_KIND = 100


def _shortened(text: str, longest: int = _LONGEST_TEXT) -> str:
    return text if len(text) <= longest else f"{text[:longest]} ... ({len(text) - longest} more characters)"


@public
class PolycallError(Exception):
    """The root of every error that polycall raises on purpose.

    Attributes:
        code: A stable, machine-readable name of the kind of failure; see ``docs/errors.md``.
        message: What went wrong, without frames and hint. Texts of an error have at most 64 Ki characters, for guests
            choose many of them and errors are kept: the rest is cut off, and a note says how much that was.
        entry_id: The entry that the failure is about, as text, or None.
        hint: What would mend it, or None.
        kind: The kind a Lua guest sees (``err:kind()``), one of spec's names such as ``NotFound``.
        retryable: Whether the same call may succeed later; None where nobody said.
        details: Plain values that a guest or host attached.
        guest_traceback: The guest's own traceback as text, or None.
        returned: Whether a guest returned it (``nil, err``) and did not raise it.
        frames: The hops of the call that failed, outermost first; empty outside calls.
    """

    code: ClassVar[str] = "internal"
    _longest: ClassVar[int] = _LONGEST_TEXT

    def __init__(
        self,
        message: str,
        *,
        entry_id: str | None = None,
        hint: str | None = None,
        kind: str | None = None,
        retryable: bool | None = None,
        details: Any = None,
        guest_traceback: str | None = None,
        returned: bool = False,
    ) -> None:
        message = _shortened(message, self._longest)
        super().__init__(message)
        self.message = message
        self.entry_id = entry_id
        self.hint = hint and _shortened(hint)
        self.kind = OUTCOMES[self.code].kind if kind is None else kind[:_LONGEST_KIND]
        self.retryable = retryable
        self.details = details
        self.guest_traceback = guest_traceback and _shortened(guest_traceback)
        self.returned = returned
        self.frames: tuple[Frame, ...] = ()

    def text(self, *, skip_frames: int = 0) -> str:
        """Returns frames, message and hint on one line; the entry as well if the call failed on one outside the frames.

        Args:
            skip_frames: How many of the outermost frames to leave out: a guest that receives the error is told of the
                frames below itself only.
        """
        frames = _joined(self.frames[skip_frames:])
        head = ": ".join(filter(None, (frames, self._unnamed_entry(), self.message)))
        return f"{head} ({self.hint})" if self.hint else head

    def _unnamed_entry(self) -> str | None:
        about = self.entry_id
        named = about is None or about in self.message or not self.frames or self.frames[-1].entry_id == about
        return None if named else about

    def __str__(self) -> str:
        """Returns frames, message and hint on one line."""
        return self.text()

    @property
    def exit_code(self) -> int:
        """What the command line ends with when this ends it."""
        return OUTCOMES[self.code].exit_code

    @property
    def http_status(self) -> int:
        """What an HTTP answer would say of it."""
        return OUTCOMES[self.code].http_status

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets errors be copied and pickled although the arguments of the classes differ."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(error_type: type[PolycallError], arguments: tuple[Any, ...]) -> PolycallError:
    error = error_type.__new__(error_type, *arguments)
    error.args = arguments  # an OSError, as DeadlineError is one, takes them in `__init__`
    return error


_SHOWN_FRAMES = 8


def _joined(frames: Sequence[Frame]) -> str:
    shown = [str(frame) for frame in frames]
    if len(shown) > _SHOWN_FRAMES:  # endless recursion would fill the screen with its frames
        half = _SHOWN_FRAMES // 2
        shown[half:-half] = [f"({len(shown) - 2 * half} more)"]
    return " -> ".join(shown)


@public
class Problem(NamedTuple):
    """One thing wrong with a declaration.

    Attributes:
        file: The file, relative to the project folder; ``add()`` and its like for what Python declared.
        line: 1-based line; 0 if there is no file.
        column: 1-based column, in characters; 0 if there is no file.
        path: The key's path, such as ``entries[2].pool.size``; empty for the file as a whole.
        message: What is wrong and what was expected.
        hint: What would mend it, or None.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        """Returns ``file:line:column: path: message (hint)``; what Python declared has no lines."""
        where = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        path = f"{self.path}: " if self.path else ""
        return f"{where}{path}{self.message}" + (f" ({self.hint})" if self.hint else "")


MOST_SHOWN = 20
"""Problems that a person is shown at once."""


def summed_up(problems: Sequence[Problem]) -> list[str]:
    """Returns a line that says what the problems after the first twenty come to; none if there are no more."""
    rest = problems[MOST_SHOWN:]
    if not rest:
        return []
    files = len({problem.file for problem in rest})
    return [f"... and {len(rest)} more, in {files} file{'s' if files > 1 else ''}"]


@public
class DeclarationError(PolycallError):
    """The declarations of a project are wrong, all of what is wrong at once; its text sums up what is beyond twenty.

    Attributes:
        problems: All of them, in file order; never empty.
    """

    code = "declaration"
    _longest = sys.maxsize  # each problem is bounded

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{count} problem{'s' if count > 1 else ''} in the declarations"
        super().__init__("\n  ".join([head + ":", *self.lines()]))

    def lines(self) -> list[str]:
        """Returns the problems as lines of text, the first twenty and a summary of the others."""
        return [*map(str, self.problems[:MOST_SHOWN]), *summed_up(self.problems)]


@public
class NotFoundError(PolycallError, LookupError):
    """No such entry, file, key or module."""

    code = "not_found"


@public
class PreparationError(PolycallError):
    """An entry cannot be made ready to call: its source does not compile, or does not fit its declaration.

    Attributes:
        key: The key of the declaration at which it is most likely mended, such as ``wit``; None where nobody said.
    """

    code = "preparation"
    key: str | None = None

    def at(self, key: str) -> Self:
        """Returns this error with its key set."""
        self.key = key
        return self


@public
class HashError(PreparationError):
    """A binary is not the one that the entry declares."""

    code = "hash"
    key = "hash"


@public
class MissingExportError(PreparationError):
    """The method that an entry names is not there."""

    code = "missing_export"
    key = "method"


@public
class ImportDeniedError(PreparationError):
    """A guest needs an import that its entry does not grant."""

    code = "import_denied"
    key = "imports"


@public
class ConversionError(PolycallError):
    """A value does not fit the type it is converted to.

    Attributes:
        path: Where in the arguments or the result, such as ``$.args[0].users[2].id``.
        direction: ``lower`` (host to guest) or ``lift`` (guest to host).
        expected: The type, as WIT or Lua writes it.
        got: What stood there, abbreviated.
    """

    code = "conversion"

    def __init__(self, path: str, direction: str, expected: str, got: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: expected {expected}, got {got}", hint=hint)
        self.path = path
        self.direction = direction
        self.expected = expected
        self.got = got


@public
class CallError(PolycallError):
    """A call was made and did not come back with a value."""

    code = "call"


@public
class CallDeniedError(CallError):
    """A guest called an entry that its list ``calls``, or that of the whole call, does not have."""

    code = "call_denied"


@public
class GuestError(CallError):
    """The guest raised, or returned ``nil, err``."""

    code = "guest_error"


@public
class TrapError(CallError):
    """A WebAssembly guest trapped; its instance is discarded."""

    code = "trap"


@public
class ExitError(CallError):
    """A WebAssembly guest ended itself.

    Attributes:
        exit_status: With what; 0 is success, and no error of a call.
    """

    code = "exit"

    def __init__(self, exit_status: int) -> None:
        super().__init__(f"the guest exited with status {exit_status}")
        self.exit_status = exit_status


@public
class WorkerError(CallError):
    """The worker process of an isolated function died, or sent what is no message; it is replaced."""

    code = "worker"


@public
class LimitError(CallError):
    """A limit of the call was reached."""

    code = "limit"


@public
class DeadlineError(LimitError, TimeoutError):
    """The call ran past its deadline and was stopped.

    For Python it is a `TimeoutError`, and so an `OSError`: whoever catches those lets this pass first.
    """

    code = "deadline"


@public
class MemoryLimitError(LimitError):
    """The guest asked for more memory than its entry allows."""

    code = "memory"


@public
class DepthError(LimitError):
    """The chain of cross-language calls is deeper than allowed."""

    code = "depth"


@public
class CancelledError(LimitError):
    """The caller cancelled the call."""

    code = "cancelled"


@public
class PoolError(CallError):
    """No instance could be had."""

    code = "pool"


@public
class PoolClosedError(PoolError):
    """The registry, or the pool of this entry, is closed."""

    code = "pool_closed"


@public
class PoolDeadlockError(PoolError):
    """Waiting for an instance could never end: the calls that hold all of them wait, in turn, for this one."""

    code = "pool_deadlock"


@public
class InternalError(PolycallError):
    """A fault of polycall itself, or of an engine; please report it."""

    code = "internal"


class Outcome(NamedTuple):
    """What an error code means outside Python.

    Attributes:
        exit_code: Of the command line.
        http_status: Of an HTTP answer.
        kind: What ``err:kind()`` says in Lua (specification: system facts 4.3).
    """

    exit_code: int
    http_status: int
    kind: str


OUTCOMES: Mapping[str, Outcome] = MappingProxyType(
    {
        "declaration": Outcome(3, 500, "Invalid"),
        "not_found": Outcome(4, 404, "NotFound"),
        "preparation": Outcome(5, 500, "Invalid"),
        "hash": Outcome(5, 500, "Invalid"),
        "missing_export": Outcome(5, 500, "Invalid"),
        "import_denied": Outcome(5, 500, "PermissionDenied"),
        "conversion": Outcome(6, 400, "Invalid"),
        "call": Outcome(1, 500, "Internal"),
        "call_denied": Outcome(5, 403, "PermissionDenied"),
        "guest_error": Outcome(1, 500, "Internal"),
        "exit": Outcome(1, 500, "Internal"),
        "trap": Outcome(7, 500, "Internal"),
        "worker": Outcome(7, 500, "Internal"),
        "limit": Outcome(8, 503, "Unavailable"),
        "deadline": Outcome(8, 504, "Timeout"),
        "memory": Outcome(8, 507, "Unavailable"),
        "depth": Outcome(8, 508, "Internal"),
        "cancelled": Outcome(130, 499, "Canceled"),
        "pool": Outcome(9, 503, "Unavailable"),
        "pool_closed": Outcome(9, 503, "Unavailable"),
        "pool_deadlock": Outcome(9, 503, "Unavailable"),
        "internal": Outcome(70, 500, "Internal"),
    }
)
"""Code to exit code, HTTP status and Lua kind: the only such table."""
