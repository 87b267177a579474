"""``python -m polycall`` and the ``polycall`` command."""

from __future__ import annotations

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
        _end()
    sys.exit(code)


def _run() -> int:
    # Ctrl-C may come while all this is imported; most of polycall is, here and not at the top of the file.
    import gc  # noqa: PLC0415
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415

    def leave(_signal: int, _frame: object) -> None:
        os._exit(_INTERRUPTED)

    def begin() -> None:
        gc.freeze()
        gc.enable()
        if signal.getsignal(signal.SIGINT) is leave:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    # Until the command begins there is nothing to clean up, and an exception could be lost: Python only prints those
    # that come while a module's lock or an object goes away.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell lets its background jobs ignore it
        signal.signal(signal.SIGINT, leave)
    gc.disable()  # what is imported stays: looking for garbage in it takes a tenth of a short command's time
    from polycall.registry.cli.main import main as run  # noqa: PLC0415

    return run(begin=begin)


def _end() -> None:
    """Lets the process end: all is said, so that neither Ctrl-C nor the search for garbage has anything to do here."""
    import gc  # noqa: PLC0415
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # or the interpreter would look through all objects of all modules once more


if __name__ == "__main__":
    main()
