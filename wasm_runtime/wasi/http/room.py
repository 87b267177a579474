"""What is kept for an instance of what it sends and receives by HTTP: bounded in all, whatever it is kept in."""

from __future__ import annotations

from polycall.wasm_runtime.wasi.session import Kept, Session, TooManyError

__all__ = ["Buffered", "piece_bytes"]

_PIECE = 256 * 1024
_LEAST_PIECE = 512
_ITSELF = 256
"""What each of these things counts by itself: so that many empty ones are no way around the bound."""

_PIECES = 90
"""Of these, a request has three for what comes and two for what goes: 16 requests leave a tenth for header fields."""


class _Room:
    """The bytes of one instance; touched by its calls alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    def change(self, count: int) -> None:
        if count > 0 and self._taken + count > self._most:
            raise TooManyError(
                f"the guest's HTTP requests need more than {self._most} bytes",
                hint="it must close some, or raise wasi.limits.max_buffered_bytes",
            )
        self._taken += count

    def end_call(self) -> None:
        """Is told that a call has ended: whoever has taken room gives it back by itself."""

    def close(self) -> None:
        """Is told that the instance has."""


class Buffered(Kept):
    """Something that a guest holds open and that bytes are kept for.

    Attributes:
        held: How many, itself not counted.
    """

    def __init__(self, session: Session, size: int = 0) -> None:
        """Makes one.

        Args:
            session: Of the instance.
            size: Of what is kept for it, in bytes.

        Raises:
            TooManyError: That is more than there is room for, or there are too many of the kind.
        """
        room = _room(session)
        room.change(_ITSELF + size)
        try:
            super().__init__(session)
        except TooManyError:
            room.change(-_ITSELF - size)
            raise
        self.held = size

    def hold(self, size: int) -> None:
        """Changes how many bytes are kept for it.

        Raises:
            TooManyError: That is more than there is room for.
        """
        _room(self.session).change(size - self.held)
        self.held = size

    def close(self) -> None:
        """Gives its room back."""
        _room(self.session).change(-_ITSELF - self.held)


def _room(session: Session) -> _Room:
    return session.shared("http", lambda: _Room(session.settings.limits.max_buffered_bytes))


def piece_bytes(session: Session) -> int:
    """Returns how much of a body is passed between threads at once: much, for each time costs the same."""
    return min(_PIECE, max(_LEAST_PIECE, session.settings.limits.max_buffered_bytes // _PIECES))
