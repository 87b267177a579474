"""Where the log goes when polycall runs as a command."""

from __future__ import annotations

from polycall.interop.logs import logger, once_loaded

__all__ = ["configure_logging", "show_guests"]


def configure_logging(verbosity: int) -> None:
    """Sends the log to stderr.

    Args:
        verbosity: 0 shows warnings, 1 also all that guests print and log, 2 everything.
    """

    def configure() -> None:
        from polycall.registry.cli import log_lines  # noqa: PLC0415  # most commands say nothing

        log_lines.configure(verbosity)

    once_loaded(configure)
    if verbosity:
        logger("polycall")  # so that whoever asks hears that somebody listens


def show_guests() -> None:
    """Shows what guests print and log, except for debugging, whatever the verbosity: for the command that calls one."""

    def show() -> None:
        from polycall.registry.cli import log_lines  # noqa: PLC0415  # as above

        log_lines.show_guests()

    once_loaded(show)
