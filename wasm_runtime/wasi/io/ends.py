"""What stands behind streams: where bytes come from and where they go. Every host that has streams makes its own."""

from __future__ import annotations

from polycall.wasm_runtime.wasi.io.error import IoError
from polycall.wasm_runtime.wasi.readiness import Readiness

__all__ = ["Closed", "EmptySource", "Failed", "NullSink", "Sink", "Source"]


class Closed(Exception):  # noqa: N818  # not a failure: the end of a stream, on its way to the guest
    """The stream has ended."""


class Failed(Exception):  # noqa: N818  # as above
    """An operation of the stream failed; the stream is closed from then on.

    Attributes:
        error: What the guest is told.
    """

    def __init__(self, error: IoError) -> None:
        super().__init__(error.text)
        self.error = error


class _End(Readiness):
    def close(self) -> None:
        """Ends the stream; what was written still goes its way. Must neither block nor raise."""

    def end_call(self) -> None:
        """Is told that a call has ended, if this lives on. Must neither block nor raise."""


class Source(_End):
    """Where the bytes of an input stream come from.

    Ready when `read` gives something or raises, and so for good once the stream has ended.
    """

    def read(self, most: int) -> bytes:
        """Returns what is there, and nothing if nothing is; never blocks.

        Args:
            most: How many bytes at most, at least 1.

        Raises:
            Closed: There will be no more.
            Failed: It failed.
        """
        raise NotImplementedError


class Sink(_End):
    """Where the bytes of an output stream go.

    Ready when `permit` gives something or raises, and so for good once the stream has ended.
    """

    def permit(self) -> int:
        """Returns how many bytes can be written now; 0 while none can, or while a flush is on its way.

        Raises:
            Closed: Nobody takes any more.
            Failed: What was written before failed.
        """
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Takes bytes, at most as many as `permit` said; never blocks.

        Raises:
            Closed, Failed: As of `permit`.
        """
        raise NotImplementedError

    def flush(self) -> None:
        """Begins to pass on what was written; never blocks.

        Raises:
            Closed, Failed: As of `permit`.
        """


class EmptySource(Source):
    """Nothing, from the start."""

    def read(self, most: int) -> bytes:
        """Says that there is nothing."""
        raise Closed


class NullSink(Sink):
    """Takes everything and keeps nothing."""

    def permit(self) -> int:
        """Returns some bytes."""
        return 64 * 1024

    def write(self, data: bytes) -> None:
        """Forgets it."""
