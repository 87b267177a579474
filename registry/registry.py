"""The registry: what `polycall.load` returns."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

from polycall.interop.context import Cancellation, deadline_in
from polycall.interop.errors import PolycallError, Problem
from polycall.interop.forks import new_lock
from polycall.interop.ids import EntryId
from polycall.interop.observer import Observer
from polycall.interop.protocols import Prepared
from polycall.interop.public import public
from polycall.interop.values import SCALARS, Value, plain_all
from polycall.registry.dispatch.python_functions import current_context
from polycall.registry.dispatch.route_table import is_callable
from polycall.registry.entries.entry import Entry
from polycall.registry.from_python.names import context_values, id_text
from polycall.registry.from_python.opened import Opened, without_files

if TYPE_CHECKING:  # at run time, what one call does not need is imported where it is used: a cold start pays for it
    from polycall.registry.check import Finding
    from polycall.registry.dispatch.stats import Stats
    from polycall.registry.entries.changes import Changes
    from polycall.registry.from_python.additions import PythonEntries
    from polycall.registry.from_python.calls import Calls
    from polycall.registry.from_python.terms import CallOptions

__all__ = ["Registry", "registry_of"]

Body = TypeVar("Body", bound=Callable[..., object])
T = TypeVar("T")


@public
class Registry:
    """Entries, and the calls to them: those of a project, which `load` reads, and those that Python adds.

    Safe to use from many threads at once. Use it as a context manager (``with``, or ``async with``), or call `close`:
    it owns instances and threads.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        cache_directory: str | PathLike[str] | None = None,
        max_depth: int | None = None,
        metrics: bool = False,
        telemetry: bool = False,
    ) -> None:
        """Makes a registry without files, for the entries that `add` and `function` put there.

        Args:
            settings: What holds for all of them, by the keys of ``polycall.yaml``.
            cache_directory: As for `load`.
            max_depth: The same.
            metrics: The same.
            telemetry: The same.

        Raises:
            DeclarationError: The settings are wrong; all problems are listed.
        """
        self._begin(
            Opened(
                without_files(settings),
                has_files=False,
                cache_directory=cache_directory,
                max_depth=max_depth,
                metrics=metrics,
                telemetry=telemetry,
            )
        )

    def _begin(self, opened: Opened) -> None:
        self._opened = opened
        self._dispatcher = opened.dispatcher
        self._admits = self._dispatcher.admits
        self._lock = new_lock()
        self._calls: Calls | None = None

    def _more(self) -> Calls:
        from polycall.registry.from_python.calls import Calls  # noqa: PLC0415  # see TYPE_CHECKING

        with self._lock:
            if self._calls is None:
                self._calls = Calls(self._dispatcher)
                if self._dispatcher.closed:  # `close`, which has looked by then
                    self._calls.close()
            return self._calls

    @property
    def _python(self) -> PythonEntries:
        from polycall.registry.from_python.additions import PythonEntries  # noqa: PLC0415  # see TYPE_CHECKING

        return PythonEntries(self._opened)

    def __repr__(self) -> str:
        where = f" of {self.root}" if self._opened.has_files else ""
        return f"<Registry{where}: {len(self)} entries>"

    @overload
    def call(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        cancellation: Cancellation | None = None,
        **options: Unpack[CallOptions],
    ) -> Value: ...

    @overload
    def call(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        returns: type[T],
        cancellation: Cancellation | None = None,
        **options: Unpack[CallOptions],
    ) -> T: ...

    @overload
    def call(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        returns: Any,
        cancellation: Cancellation | None = None,
        **options: Unpack[CallOptions],
    ) -> Any: ...

    def call(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        returns: Any = None,
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        cancellation: Cancellation | None = None,
        observer: Observer | None = None,
    ) -> Any:
        """Calls a function and returns its result: in this thread, as long as its stack has room.

        Args:
            target: ``namespace:name``, or the `EntryId`.
            *arguments: None, bool, int, float, str, bytes, and lists and dicts of them.
            returns: The type that the result must have, which is checked: ``list[int]``, a TypedDict, ``str | None``.
            timeout: Seconds that the call and all that it calls may take, or None for no limit but the entries' own.
            values: What ``ctx.get`` gives to every function of the chain.
            limits: Limits of the entry for this call, by the keys of its ``limits``; a limit above the entry's own
                changes nothing. With one of memory or output, the call has an instance of its own.
            calls: The entries that may be called in the call, at whatever depth: ids, and beginnings with a star. The
                entries' own lists hold as well. None for no list.
            cancellation: A switch by which another thread can stop the call.
            observer: Who is told of this call and of all that it calls.

        Returns:
            Plain values. ``{"ok": ...}`` and ``{"err": ...}`` are a WIT ``result``: values, not failures.

        Raises:
            PolycallError: The call failed; ``docs/errors.md`` lists the classes.
            ConversionError: The result is not what `returns` says, among others.
            ValueError: The timeout is negative or not a number; a limit or a callee is none.
            TypeError: The target, the timeout or the values are of a wrong type, or plain values cannot be of the type
                that `returns` says.
        """
        if returns is not None:
            more = self._calls or self._more()
            terms = more.terms(timeout, values, limits=limits, calls=calls, observer=observer)
            return more.checked(target, arguments, returns, terms, cancellation)
        given: Sequence[Any] = arguments
        for each in arguments:  # `plain_all`, which most calls need not
            if type(each) not in SCALARS:
                given = plain_all(arguments, "$.args", self._admits)
                break
        return self._dispatcher.call_from_outside(
            target if type(target) is str else id_text(target),
            given,
            current_context(),
            None if timeout is None else deadline_in(timeout),
            cancellation,
            None if values is None else context_values(values),
            observer,
            None if limits is None and calls is None else (self._calls or self._more()).narrowing(limits, calls),
        )

    @overload
    async def call_async(
        self, target: str | EntryId, /, *arguments: object, **options: Unpack[CallOptions]
    ) -> Value: ...

    @overload
    async def call_async(
        self, target: str | EntryId, /, *arguments: object, returns: type[T], **options: Unpack[CallOptions]
    ) -> T: ...

    @overload
    async def call_async(
        self, target: str | EntryId, /, *arguments: object, returns: Any, **options: Unpack[CallOptions]
    ) -> Any: ...

    async def call_async(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        returns: Any = None,
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        observer: Observer | None = None,
    ) -> Any:
        """Like `call`, on a worker thread. Cancelling the awaiting task stops the guest as well.

        The timeout counts from here, waiting for a thread included. There are 64 threads; a call that a registered
        Python function makes has one of its own.

        Raises:
            PolycallError: The call failed.
            ValueError, TypeError: As for `call`.
            asyncio.CancelledError: The task was cancelled.
        """
        more = self._calls or self._more()
        terms = more.terms(timeout, values, limits=limits, calls=calls, observer=observer)
        return await more.in_thread(target, arguments, returns, terms)

    @overload
    def map(
        self,
        target: str | EntryId,
        items: Iterable[object],
        /,
        *,
        workers: int = 1,
        unordered: bool = False,
        spread: bool = False,
        keep_going: Literal[False] = False,
        **options: Unpack[CallOptions],
    ) -> Generator[Value]: ...

    @overload
    def map(
        self,
        target: str | EntryId,
        items: Iterable[object],
        /,
        *,
        workers: int = 1,
        unordered: bool = False,
        spread: bool = False,
        keep_going: bool,
        **options: Unpack[CallOptions],
    ) -> Generator[Value | PolycallError]: ...

    def map(
        self,
        target: str | EntryId,
        items: Iterable[Any],
        /,
        *,
        workers: int = 1,
        unordered: bool = False,
        spread: bool = False,
        keep_going: bool = False,
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        observer: Observer | None = None,
    ) -> Generator[Value | PolycallError]:
        """Calls a function with each of many items, and yields the results, lazily and in the order of the items.

        Each item is one argument, whatever it is. The items are read in the thread that asks for results. Closing the
        generator ends the work: no call begins any more; those that run are stopped if they have a `timeout`, else
        waited for.

        Args:
            target: ``namespace:name``, or the `EntryId`.
            items: Read no further ahead than 32 items a worker; with one worker, not at all.
            workers: Threads that make the calls; with one, that is the thread that asks for results.
            unordered: Yield results as they are ready.
            spread: Each item is a sequence of arguments.
            keep_going: Yield the error of a call that failed in the place of its result, and go on.
            timeout: Seconds that each call may take; see `call`.
            values: What ``ctx.get`` gives to every function of the chains.
            limits: Limits of the entry for each call; see `call`.
            calls: The entries that may be called in each; see `call`.
            observer: Who is told of the calls, from several threads.

        Returns:
            A generator of plain values. An error has a note that says which item it was, counted from 0.

        Raises:
            PolycallError: From the generator: a call failed; the results before it were yielded.
            ValueError: There is not at least one worker, or the timeout is negative or not a number.
            TypeError: The target, the timeout or the values are of a wrong type.
        """
        if workers < 1:
            raise ValueError(f"workers is {workers}; it must be at least 1")
        more = self._calls or self._more()
        terms = more.terms(timeout, values, limits=limits, calls=calls, observer=observer)
        return more.of_each(
            target, items, terms, workers=workers, ordered=not unordered, spread=spread, keep_going=keep_going
        )

    def run(
        self,
        target: str | EntryId,
        /,
        *arguments: str,
        stdin: int | None = 0,
        stdout: int | None = 1,
        stderr: int | None = 2,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        cancellation: Cancellation | None = None,
        observer: Observer | None = None,
    ) -> int:
        """Runs a WebAssembly command: a component that exports ``wasi:cli/run``, or a core module with ``_start``.

        It has an instance of its own; its streams are descriptors of this process, byte for byte.

        Args:
            target: ``namespace:name``, or the `EntryId`; any export of a component will do as its ``method``.
            *arguments: What the command is given behind its own name.
            stdin: The descriptor that it reads; None for an empty input.
            stdout: The descriptor that it writes to; None for the entry's log.
            stderr: The same.
            env: Environment variables beside those of ``wasi.env``, or in their place.
            timeout: Seconds that it may take, or None.
            limits: As for `call`.
            calls: The same.
            cancellation: A switch by which another thread can stop it.
            observer: Who is told of this call and of all that it calls.

        Returns:
            The exit status: 0 is success.

        Raises:
            PolycallError: It is no command, trapped, or was interrupted.
            TypeError: A stream is no number, or an argument or a variable no string.
            ValueError: A stream is not open.
        """
        from polycall.wasm_runtime.wasi.console import Console  # noqa: PLC0415  # see TYPE_CHECKING

        text = id_text(target)
        console = Console(stdin, stdout, stderr, (text.partition(":")[2], *arguments), tuple((env or {}).items()))
        console.check()
        narrowed = self._more().narrowing(limits, calls)
        return self._dispatcher.run_command(text, console, timeout, cancellation, observer, narrowed)

    def add(self, declaration: Mapping[str, Any], *, prepare: bool = False) -> Entry:
        """Adds an entry, by the keys that it would have in a file, and ``id`` instead of its name.

        It is there for every call from now on, whatever thread makes it, and stays when the project is reloaded. A
        text in it is never the name of a file: ``source`` is the program.

        Args:
            declaration: ``{"id": "app:greet", "kind": "function.lua", "method": "greet", "source": ...}``. Bare names
                in it belong to the namespace of the id.
            prepare: Whether it is made ready to call before it is there: what does not compile is then not added. Else
                that happens when it is first called.

        Returns:
            The entry.

        Raises:
            DeclarationError: It is wrong, or its id is taken; all problems are listed, and nothing has changed.
            PreparationError: It is to be prepared, and cannot be; nothing has changed.
            PoolClosedError: The registry is closed.
        """
        return self._python.put(declaration, "add()", replace=False, prepare=prepare)

    def replace(self, declaration: Mapping[str, Any], *, prepare: bool = False) -> Entry:
        """Like `add`, whether or not there is an entry of that id, which this one takes the place of in one step.

        Calls that run end on the code they began with. One that a file declares is back when `remove` takes this one
        away.

        Raises:
            DeclarationError: It is wrong, or does not fit those that refer to it.
            PreparationError: It is to be prepared, and cannot be; the old one stays.
            PoolClosedError: The registry is closed.
        """
        return self._python.put(declaration, "replace()", replace=True, prepare=prepare)

    def remove(self, entry_id: str | EntryId) -> None:
        """Takes an entry away that `add`, `replace` or `function` has put there.

        Calls that run end as they would have; for later ones there is none, or the one that it had replaced.

        Raises:
            NotFoundError: There is none.
            ValueError: The files declare it.
            DeclarationError: Others refer to it; nothing has changed.
            PoolClosedError: The registry is closed.
        """
        self._python.remove(entry_id)

    def function(
        self, entry_id: str | EntryId, *, meta: Mapping[str, Any] | None = None, replace: bool = False
    ) -> Callable[[Body], Body]:
        """Registers a Python callable as an entry of kind ``function.python``; for use as a decorator.

        An ``async def`` runs on the event loop that runs here; whoever calls it waits for it in a thread.

        Args:
            entry_id: ``namespace:name``, or the `EntryId`.
            meta: Metadata of the entry.
            replace: Whether there may be one of that id, which this one takes the place of; see `replace`.

        Returns:
            A decorator that returns the callable unchanged.

        Raises:
            ValueError: The id is taken or malformed.
            TypeError: What is to be registered is no callable.
            RuntimeError: It is async, and no event loop runs here.
            PoolClosedError: The registry is closed.
        """
        return self._python.function(entry_id, meta or {}, replace=replace)

    def get(self, entry_id: str | EntryId) -> Entry:
        """Returns an entry.

        Raises:
            NotFoundError: There is none of that id; near names are in the hint.
        """
        return self._dispatcher.table.index.get(id_text(entry_id))

    def find(
        self, *, namespace: str | None = None, kind: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> list[Entry]:
        """Returns the entries that fit every filter given, in the order of their ids; see `Index.find`."""
        return self._dispatcher.table.index.find(namespace=namespace, kind=kind, meta=meta)

    def __iter__(self) -> Iterator[Entry]:
        """Iterates over all entries in the order of their ids."""
        return iter(self._dispatcher.table.index)

    def __len__(self) -> int:
        """Returns the number of entries."""
        return len(self._dispatcher.table.index)

    def __contains__(self, entry_id: object) -> bool:
        """Says whether there is an entry of that id (text or `EntryId`)."""
        return entry_id in self._dispatcher.table.index

    @property
    def root(self) -> Path:
        """The project folder; of a registry without one, the working directory in which it was made."""
        return self._dispatcher.table.index.root

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd about the declarations without being wrong."""
        return self._dispatcher.table.index.warnings

    def prepare(
        self,
        entry_id: str | EntryId,
        *,
        timeout: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Prepared:
        """Makes an entry ready to call, which happens by itself at its first call, and says what is known of it.

        Args:
            entry_id: ``namespace:name``, or the `EntryId`.
            timeout: Seconds that it may take, or None.
            cancellation: A switch by which another thread can stop it.

        Raises:
            PreparationError: It cannot be made ready.
            DeadlineError, CancelledError: It was stopped.
        """
        deadline = None if timeout is None else deadline_in(timeout)
        return self._dispatcher.prepared(id_text(entry_id), deadline, cancellation)

    def callable(self, entry_id: str | EntryId) -> bool:
        """Says whether an entry is of a kind that can be called.

        Raises:
            NotFoundError: There is no such entry.
        """
        return is_callable(self.get(entry_id))

    def check(self, *, begin: Callable[[str], None] = lambda _entry_id: None) -> list[Finding]:
        """Compiles and checks every entry without calling any, and returns what is wrong or odd.

        Args:
            begin: Is told the id of each entry before it is checked, for whoever shows progress.
        """
        from polycall.registry.check import check_index  # noqa: PLC0415  # see TYPE_CHECKING

        index = self._dispatcher.table.index
        return check_index(index, lambda entry: self._dispatcher.table.inspect(entry, index), begin)

    def reload(self) -> Changes:
        """Reads the project again and swaps all entries at once, while calls go on.

        A call runs to its end on the code it began with; calls that guests make look up their target at that moment.
        Entries that did not change keep their compiled code and their instances; what Python has put there stays. A
        binary counts as changed when its declared hash does, whatever became of the file. Without a folder, nothing is
        read and nothing changes.

        Returns:
            What is different now.

        Raises:
            DeclarationError: The entry files or the settings are wrong; nothing has changed.
            NotFoundError: The project folder is gone; nothing has changed.
            PoolClosedError: The registry is closed.
        """
        return self._opened.reload()

    def stats(self) -> Stats:
        """Returns what was counted so far, for each entry that was called or prepared; nothing after `close`.

        An entry that a reload changed begins anew with all its figures; one that is gone has none.
        """
        return self._opened.stats()

    def close(self) -> None:
        """Closes idle instances, refuses new calls and waits for those of `call_async`. Harmless when repeated.

        A call that is under way in another thread goes on, but for a guest that waits (asleep, for input, for an
        answer): that ends with a `PoolClosedError`. Its instance is closed when the call ends. Within a call, it does
        not wait for the others: they may be waiting for it.
        """
        self._dispatcher.close()
        with self._lock:
            calls = self._calls
        if calls is not None:
            calls.close()

    def __enter__(self) -> Self:
        """Returns the registry."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the registry."""
        self.close()

    async def __aenter__(self) -> Self:
        """Returns the registry."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the registry in another thread: calls that it waits for may need the event loop."""
        import asyncio  # noqa: PLC0415  # see TYPE_CHECKING

        await asyncio.to_thread(self.close)


def registry_of(opened: Opened) -> Registry:
    """Returns a registry of what is open already."""
    registry = Registry.__new__(Registry)
    registry._begin(opened)
    return registry
