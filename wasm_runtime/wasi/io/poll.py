"""``wasi:io/poll``: waiting for one of many things."""

from __future__ import annotations

from collections.abc import Sequence

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.readiness import Readiness
from polycall.wasm_runtime.wasi.session import Kept, Session

__all__ = ["Poll", "Pollable"]

_MOST = 10_000
"""Pollables of one call of ``poll``; one may be there several times."""


_READY = Readiness()


class Pollable(Kept):
    """Something that a guest can wait for."""

    bound = "max_pollables"

    def __init__(self, session: Session, subject: Readiness, what: str) -> None:
        """Makes one.

        Args:
            session: Of the instance.
            subject: What is waited for.
            what: What errors call it: ``a connection``.
        """
        super().__init__(session)
        self.subject = subject
        self.what = what

    def ready(self, _store: GuestStore) -> bool:
        """Says whether it is ready."""
        return self.subject.ready()

    def block(self, _store: GuestStore) -> None:
        """Returns as soon as it is ready."""
        self.session.wait((self.subject,), self.what)

    def close(self) -> None:
        """Lets go of what was waited for: a guest may keep the handle for ever."""
        self.subject = _READY


class Poll(HostInterface):
    """The interface."""

    name = "wasi:io/poll@0.2.12"
    wit = """
        resource pollable {
            ready: func() -> bool;
            block: func();
        }
        poll: func(in: list<borrow<pollable>>) -> list<u32>;
    """
    resources = {"pollable": Pollable}

    def poll(self, _store: GuestStore, pollables: Sequence[Pollable]) -> list[int]:
        """Returns the places of those that are ready, once any is."""
        if not pollables:
            raise TrapError("poll was called with an empty list: nothing in it would ever be ready")
        if len(pollables) > _MOST:
            raise TrapError(f"poll was called with {len(pollables)} pollables; at most {_MOST} can be waited for")
        for each in pollables:
            each.check()
        subjects = list(dict.fromkeys(each.subject for each in pollables))
        what = pollables[0].what if len(subjects) == 1 else f"one of {len(subjects)} things"
        while True:
            pollables[0].session.wait(subjects, what)
            found = [place for place, each in enumerate(pollables) if each.subject.ready()]
            if found:  # another thread may have changed what was
                return found
