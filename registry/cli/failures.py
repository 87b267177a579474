"""How an error looks to a person at a terminal, and what exit code it has."""

from __future__ import annotations

import os
import sys

from polycall.interop.errors import MOST_SHOWN, OUTCOMES, DeclarationError, PolycallError
from polycall.registry.cli.printable import indented, one_line, printable
from polycall.registry.cli.stderr import say

__all__ = ["ERROR", "add_hint", "show_failure"]

ERROR = ("error:", "\x1b[31m\x1b[1m")
"""What stands before a message, and its colour on a terminal."""

_OUTPUT_NOT_WANTED = 141
"""What a shell reports of a program that SIGPIPE ended: the reader, such as `head`, has had enough."""

_SYSTEM_REFUSED = 74
"""EX_IOERR of sysexits.h, from which 70 for an internal error comes as well."""


def add_hint(error: PolycallError, hint: str) -> None:
    """Adds to what an error says would mend it."""
    before = error.hint or ""
    separator = " " if before.endswith("?") else "; "
    error.hint = f"{before}{separator}{hint}" if before else hint


def show_failure(error: Exception, *, debug: bool) -> int:
    """Writes what went wrong to stderr.

    Args:
        error: An error of polycall's, of the operating system's, or a fault.
        debug: Whether to show the Python traceback instead of the message.

    Returns:
        The exit code.

    Raises:
        KeyboardInterrupt: The error comes of Ctrl-C.
    """
    if _broken_off(error):
        raise KeyboardInterrupt from error
    if isinstance(error, OSError) and not isinstance(error, PolycallError):
        _discard_unwritten_output()
    if isinstance(error, BrokenPipeError):
        return _OUTPUT_NOT_WANTED
    if debug:
        import traceback  # noqa: PLC0415  # most failures show none

        say(printable("".join(traceback.format_exception(error)).rstrip()))
    elif isinstance(error, PolycallError):
        _show_error(error)
    elif isinstance(error, OSError):
        _complain(f"{_what_was_refused(error)}: {error.strerror or error}")
    else:
        _complain(f"internal error: {type(error).__name__}: {error}", "this is a fault of polycall; please report it")
    if isinstance(error, PolycallError):
        return error.exit_code
    return _SYSTEM_REFUSED if isinstance(error, OSError) else OUTCOMES["internal"].exit_code


def _broken_off(error: BaseException) -> bool:
    """Says whether Ctrl-C is behind an error: Python 3.11 wraps one in a class's body, and cleaning up may fail."""
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in chain:
        chain.append(step)
        step = step.__cause__ or step.__context__
    return any(isinstance(each, KeyboardInterrupt) for each in chain)


def _show_error(error: PolycallError) -> None:
    hint, error.hint = error.hint, None
    if isinstance(error, DeclarationError):
        head = error.message.partition("\n")[0]
        more = len(error.problems) > MOST_SHOWN
        _complain("\n".join([head, *map(one_line, error.lines())]), "polycall check --all lists them" if more else hint)
    else:
        _complain(error.text(), hint)
    if error.guest_traceback:
        lines = printable(error.guest_traceback).rstrip().splitlines()
        say("\n".join(["guest traceback:", *(f"  {line}" for line in lines)]))


def _complain(message: str, hint: str | None = None) -> None:
    say(indented(message), label=ERROR)
    if hint:
        say(indented(hint), label=("hint:", "\x1b[36m"))


def _what_was_refused(error: OSError) -> str:
    # A file that was opened by its name is named in the error; what has no name came with the process.
    return "standard input or output" if error.filename is None else str(error.filename)


def _discard_unwritten_output() -> None:
    """Frees stdout of text that it cannot get rid of; Python would complain of it once more at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
