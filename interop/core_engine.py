"""What a runtime needs of an engine for core WebAssembly that is the project's own: Lua 5.4, compiled.

Nothing that a guest has written is compiled here, and nothing is granted: a module imports what stands beside it in its
program, and one function of the host's. What runs inside is hostile all the same, for it runs code of guests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from polycall.interop.context import CallContext

__all__ = ["CoreEngine", "CoreGuest", "CoreMemory", "CoreModule", "CoreProgram", "HostFunction"]

HostFunction = Callable[[], None]
"""Answers a call of a guest: what is asked and what is answered lies in the guest's memory. What it raises ends the
guest's call and is raised there."""


class CoreModule(Protocol):
    """A module in machine code. Shared by threads.

    Attributes:
        module: The engine's own; nobody else looks into it.
    """

    module: Any


class CoreMemory(Protocol):
    """The linear memory of a guest.

    Attributes:
        size: How many bytes it had when somebody last looked.
        view: Those bytes. What is cut out of it must be copied: it must not be kept beyond the call.
    """

    size: int
    view: memoryview

    def fence(self, at: int, size: int, what: str, boundary: int = 1) -> memoryview:
        """Returns the memory as it is now, if a region lies in it.

        Args:
            at: Where it begins, as the guest gave it: an unsigned number.
            size: How many bytes, of any size.
            what: What lies there, for the message.
            boundary: The alignment it must have.

        Raises:
            TrapError: It is outside of the memory, or not aligned.
        """
        ...


class CoreGuest(Protocol):
    """An instance of a program. Used by one thread at a time; its functions may be called between `begin` and `end`.

    A call that fails is the guest's end: it is to be closed. A host function must not call its guest.
    """

    @property
    def memory(self) -> CoreMemory:
        """The memory that it exports."""
        ...

    def content(self) -> bytes:
        """Returns a copy of all of its memory as it is now."""
        ...

    def function(self, name: str) -> Callable[..., Any]:
        """Returns a function that it exports; to be kept, for looking it up takes longer than a call.

        It takes and gives numbers: an i32 as 0 to 2**32 - 1, an i64 with its sign, f32 and f64 as float. It raises

        - `TrapError` if the guest trapped, `MemoryLimitError` if it did so for lack of memory,
        - `DeadlineError` or `CancelledError` when the call is over,
        - whatever the host function raised; what is none of polycall's errors is the cause of an `InternalError`,
        - `struct.error` where the numbers do not fit.

        Raises:
            MissingExportError: There is none.
        """
        ...

    def begin(self, context: CallContext) -> None:
        """Makes ready for a call, which its deadline and its cancellation may end; `end` must follow."""
        ...

    def end(self) -> None:
        """Ends what `begin` began. A signal that came in the meantime may raise here."""
        ...

    def close(self, *, lost: bool = False) -> None:
        """Gives the memory back; harmless when repeated.

        Args:
            lost: That nobody ended it, and what it consists of may be freed at the same time: it serves no other guest.
        """
        ...


class CoreProgram(Protocol):
    """Modules linked with each other. Shared by threads.

    Attributes:
        most_bytes: What a memory can hold, whatever its bound; None for 4 GiB.
    """

    most_bytes: int | None

    def start(self, host: HostFunction, context: CallContext, *, memory_bytes: int | None = None) -> CoreGuest:
        """Makes a guest. The call of `context` has begun in it then: `CoreGuest.end` must follow.

        Args:
            host: Answers its calls.
            context: What bounds its start.
            memory_bytes: What its memory may grow to, with what it starts with; None for as much as there can be.

        Raises:
            MemoryLimitError: It starts with more.
            PolycallError: It did not start.
        """
        ...


class CoreEngine(Protocol):
    """Compiles modules and links them. Shared by threads."""

    def module(self, binary: bytes) -> CoreModule:
        """Returns a module, compiled once for all processes that share the cache.

        Args:
            binary: Its bytes, which nobody else has written.

        Raises:
            PreparationError: It does not compile.
        """
        ...

    def divided(self, binary: bytes) -> tuple[CoreModule, CoreModule]:
        """Returns a module that imports its memory as two, in the order in which they start; see `module`.

        Args:
            binary: Its bytes, which nobody else has written.

        Returns:
            The memory that it begins with, exported as ``memory``; and its code, which writes nothing when it
            starts: so it may start with an `image` as well, of what a guest has made of that memory.

        Raises:
            PreparationError: It does not compile.
        """
        ...

    def image(self, memory: bytes | memoryview) -> CoreModule:
        """Returns a module that is nothing but a memory with this content, whole pages, exported as ``memory``.

        Its instances share what they do not write. It is kept by nobody but who refers to it.
        """
        ...

    def program(self, *modules: CoreModule, starts_over: bool = False) -> CoreProgram:
        """Links modules, which are instantiated in this order.

        A module is given what an earlier one exports by the name of the import, the latest one first; whatever the
        import says of the module. One function is left over at most, of no numbers: that is the host's.

        Args:
            modules: What is linked.
            starts_over: Whether a guest may get the instance of one that was closed, its memory being as at first, but
                larger perhaps: for modules that keep nothing outside of the memory between two calls.

        Raises:
            PreparationError: Something else is left over.
        """
        ...

    def close(self) -> None:
        """Lets go of what is kept for guests to come; harmless when repeated."""
        ...
