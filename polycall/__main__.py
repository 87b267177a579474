"""``python -m polycall`` and the ``polycall`` command."""

# `signal`, which is written in Python, would be the first thing to take long enough for Ctrl-C to come in between.
import _signal as signal  # type: ignore[import-not-found]  # it is part of the interpreter
import gc
import os
import sys

__all__ = ["main"]

_INTERRUPTED = 130
_SECONDS_UNTIL_HEARD = 0.001
_STREAMS = (0, 1, 2)


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    try:
        code = _run()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    # Python looks for signals at the begin of functions, after calls and in loops: from here on nowhere any more.
    # Its own end would take a fifth of a short command's time, and after Ctrl-C a thread may still be inside of an
    # engine, which must not be taken apart under it. All output has been flushed as it was written.
    os._exit(code)


def _run() -> int:
    # Until the command begins there is nothing to clean up, and an exception would show a traceback, or be lost:
    # Python only prints those that come while a module's lock or an object goes away.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell lets its background jobs ignore it
        signal.signal(signal.SIGINT, _interrupt)
    _open_streams()
    gc.disable()  # what is imported stays: looking for garbage in it takes a tenth of a short command's time
    from polycall.registry.cli.main import main as run  # noqa: PLC0415  # after the two lines above

    return run(begin=_begin)


def _open_streams() -> None:
    """Has nothing read or written where whoever started us has closed a stream: `sys` has none for it all the same.

    Else the next file that is opened has its number, a guest's perhaps, and a library's last words are written to it.
    """
    for stream in _STREAMS:
        try:
            os.fstat(stream)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # it gets the least number that is free: this one
            os.set_inheritable(opened, True)  # as streams are


def _interrupt(_signal: int, _frame: object) -> None:
    os._exit(_INTERRUPTED)


def _begin() -> None:
    gc.freeze()
    gc.enable()
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        sys.unraisablehook = _raise_later
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _raise_later(dropped: "sys.UnraisableHookArgs") -> None:
    """Takes what Python would only print: an exception that came while an object or a module's lock went away.

    Ctrl-C is raised once more, where it is heard.
    """
    if dropped.exc_type is KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_UNTIL_HEARD)
    else:
        sys.__unraisablehook__(dropped)


if __name__ == "__main__":
    main()
