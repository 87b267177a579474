"""``python -m polycall`` and the ``polycall`` command."""

# `signal`, which is written in Python, would be the first thing to take long enough for Ctrl-C to come in between.
import _signal as signal  # type: ignore[import-not-found]  # it is part of the interpreter
import gc
import os
import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    code = _INTERRUPTED
    try:
        code = _run()
    except KeyboardInterrupt:
        pass
    finally:
        # All is said: neither Ctrl-C nor a last search for garbage, through all objects of all modules, is of use.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.freeze()
    if code == _INTERRUPTED:
        _leave()
    sys.exit(code)


def _run() -> int:
    # Until the command begins there is nothing to clean up, and an exception would show a traceback, or be lost:
    # Python only prints those that come while a module's lock or an object goes away.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell lets its background jobs ignore it
        signal.signal(signal.SIGINT, _leave)
    gc.disable()  # what is imported stays: looking for garbage in it takes a tenth of a short command's time
    from polycall.registry.cli.main import main as run  # noqa: PLC0415  # after the two lines above

    return run(begin=_begin)


def _leave(*_signal_and_frame: object) -> None:
    # Not by way of Python's own end: a thread may still be inside of an engine, which must not be taken apart under it.
    # What there is to see has been flushed as it was written.
    os._exit(_INTERRUPTED)


def _begin() -> None:
    gc.freeze()
    gc.enable()
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    main()
