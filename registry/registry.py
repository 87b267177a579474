"""The registry: what `polycall.load` returns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from polycall.interop.context import DEFAULT_MAX_DEPTH, Cancellation, deadline_in
from polycall.interop.errors import DeclarationError, PolycallError, Problem
from polycall.interop.ids import EntryId
from polycall.interop.isolation import ISOLATIONS
from polycall.interop.observer import Observer
from polycall.interop.protocols import Prepared
from polycall.interop.public import public
from polycall.interop.values import SCALARS, Value, describe, plain, plain_all
from polycall.registry.dispatch.additions import Put
from polycall.registry.dispatch.async_calls import AsyncCalls
from polycall.registry.dispatch.dispatcher import Dispatcher, is_callable
from polycall.registry.dispatch.narrowing import narrowing
from polycall.registry.dispatch.python_functions import PYTHON_KIND, PythonFunction, current_context
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.observers.call_log import CALL_LOG, CallLog
from polycall.registry.reading.load import load_index

if TYPE_CHECKING:  # at run time, what one call does not need is imported where it is used: a cold start pays for it
    from polycall.registry.check import Finding
    from polycall.registry.dispatch.stats import Stats
    from polycall.registry.entries.changes import Changes
    from polycall.registry.observers.latencies import Latencies

__all__ = ["Registry", "load"]

Body = TypeVar("Body", bound=Callable[..., object])
T = TypeVar("T")


@public
def load(
    path: str | PathLike[str] = ".",
    *,
    cache_directory: str | PathLike[str] | None = None,
    max_depth: int | None = None,
    isolation: str | None = None,
    metrics: bool = False,
    telemetry: bool = False,
) -> Registry:
    """Reads the settings and the entry files of a project folder.

    Args:
        path: The folder.
        cache_directory: Where compiled WebAssembly is kept between runs; by default ``polycall`` in the user's cache
            folder, or what ``POLYCALL_CACHE_DIR`` says.
        max_depth: How many hops a chain of calls may have, 1 to 32; by default what ``polycall.yaml`` says, or 32.
        isolation: ``none``, ``sandbox``, ``process`` or ``process+sandbox``: what every function has at least, in the
            place of what ``polycall.yaml`` says.
        metrics: Measure how long calls take, for the histograms of `Registry.stats`.
        telemetry: Tell OpenTelemetry of every call, by spans and metrics; needs the extra ``polycall[otel]``.

    Returns:
        The registry. Nothing is compiled yet: an entry is prepared when it is first called. Its calls are logged if the
        log ``polycall.call`` is enabled for DEBUG by now.

    Raises:
        DeclarationError: The entry files are wrong; all problems are listed.
        NotFoundError: There is no such folder, or it is no project.
        ModuleNotFoundError: `telemetry` is wanted, but opentelemetry-api is not installed.
    """
    if isolation is not None and isolation not in ISOLATIONS:
        raise ValueError(f"isolation is {isolation!r}; it must be one of {', '.join(ISOLATIONS)}")
    registry = Registry.__new__(Registry)
    registry._begin(
        load_index(Path(path), isolation=isolation),
        has_files=True,
        cache_directory=cache_directory,
        max_depth=max_depth,
        metrics=metrics,
        telemetry=telemetry,
    )
    return registry


def of_entries(index: Index) -> Registry:
    """Returns a registry of entries that nobody can read again."""
    registry = Registry.__new__(Registry)
    registry._begin(index, has_files=False, cache_directory=None, max_depth=None, metrics=False, telemetry=False)
    return registry


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
        index = Index((), Path.cwd())
        if settings is not None:
            from polycall.registry.entries.settings import Settings  # noqa: PLC0415  # see TYPE_CHECKING
            from polycall.registry.reading.python_entries import decoded  # noqa: PLC0415  # the same

            found, problems = decoded(Settings, settings, "Registry()")
            if problems:
                raise DeclarationError(problems)
            index = Index((), index.root, (), found)
        self._begin(
            index,
            has_files=False,
            cache_directory=cache_directory,
            max_depth=max_depth,
            metrics=metrics,
            telemetry=telemetry,
        )

    def _begin(
        self,
        index: Index,
        *,
        has_files: bool,
        cache_directory: str | PathLike[str] | None,
        max_depth: int | None,
        metrics: bool,
        telemetry: bool,
    ) -> None:
        if max_depth is not None and not 1 <= max_depth <= DEFAULT_MAX_DEPTH:
            raise ValueError(f"max_depth is {max_depth}; it must be 1 to {DEFAULT_MAX_DEPTH}")
        self._latencies, observers = _observers(metrics=metrics, telemetry=telemetry)
        self._has_files = has_files
        self._dispatcher = Dispatcher(
            index,
            cache_directory=None if cache_directory is None else Path(cache_directory),
            max_depth=max_depth,
            observers=observers,
            has_files=has_files,
        )
        self._admits = self._dispatcher.admits
        self._async_calls = AsyncCalls()

    def __repr__(self) -> str:
        where = f" of {self.root}" if self._has_files else ""
        return f"<Registry{where}: {len(self)} entries>"

    @overload
    def call(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        cancellation: Cancellation | None = None,
        observer: Observer | None = None,
    ) -> Value: ...

    @overload
    def call(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        returns: type[T],
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        cancellation: Cancellation | None = None,
        observer: Observer | None = None,
    ) -> T: ...

    @overload
    def call(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        returns: Any,
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        cancellation: Cancellation | None = None,
        observer: Observer | None = None,
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
            return _checking(returns)(
                self.call(
                    target,
                    *arguments,
                    timeout=timeout,
                    values=values,
                    limits=limits,
                    calls=calls,
                    cancellation=cancellation,
                    observer=observer,
                )
            )
        given: Sequence[Any] = arguments
        for each in arguments:  # `plain_all`, which most calls need not
            if type(each) not in SCALARS:
                given = plain_all(arguments, "$.args", self._admits)
                break
        return self._dispatcher.call_from_outside(
            target if type(target) is str else _id_text(target),
            given,
            current_context(),
            None if timeout is None else deadline_in(timeout),
            cancellation,
            None if values is None else _context_values(values),
            observer,
            None if limits is None and calls is None else narrowing(limits, calls),
        )

    @overload
    async def call_async(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        observer: Observer | None = None,
    ) -> Value: ...

    @overload
    async def call_async(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        returns: type[T],
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        observer: Observer | None = None,
    ) -> T: ...

    @overload
    async def call_async(
        self,
        target: str | EntryId,
        /,
        *arguments: object,
        returns: Any,
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        observer: Observer | None = None,
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
        deadline = None if timeout is None else deadline_in(timeout)
        cancellation = Cancellation()
        text = _id_text(target)
        check = None if returns is None else _checking(returns)
        narrowed = narrowing(limits, calls)

        def work() -> Value:
            given = plain_all(arguments, "$.args", self._admits)
            inherited = None if values is None else _context_values(values)
            value = self._dispatcher.call_from_outside(
                text, given, current_context(), deadline, cancellation, inherited, observer, narrowed
            )
            return value if check is None else check(value)

        return await self._async_calls.run(text, work, deadline, cancellation)

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
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        observer: Observer | None = None,
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
        timeout: float | None = None,
        values: Mapping[str, object] | None = None,
        limits: Mapping[str, int] | None = None,
        calls: Sequence[str | EntryId] | None = None,
        observer: Observer | None = None,
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
        from polycall.registry.dispatch.bulk import in_bulk, results  # noqa: PLC0415  # see TYPE_CHECKING

        if workers < 1:
            raise ValueError(f"workers is {workers}; it must be at least 1")
        if timeout is not None:  # what is wrong is said now
            deadline_in(timeout)
        if limits is not None or calls is not None:
            narrowing(limits, calls)
        text, call = _id_text(target), self.call
        inherited = None if values is None else _context_values(values)
        cancellation = None if timeout is None else Cancellation()

        one = partial(
            call,
            text,
            timeout=timeout,
            values=inherited,
            limits=limits,
            calls=calls,
            cancellation=cancellation,
            observer=observer,
        )
        work: Callable[[Any], Value] = (lambda item: one(*item)) if spread else one
        outcomes = in_bulk(work, items, workers=workers, ordered=not unordered, cancellation=cancellation)
        return results(outcomes, keep_going=keep_going)

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
            target: ``namespace:name``, or the `EntryId`; the entry's ``method`` does not matter for a component.
            *arguments: What the command is given behind its own name.
            stdin: The descriptor that it reads; None for an empty input.
            stdout: The descriptor that it writes to; None for the entry's log.
            stderr: The same.
            env: Environment variables beside those of ``wasi.env``.
            timeout: Seconds that it may take, or None.
            limits: As for `call`.
            calls: The same.
            cancellation: A switch by which another thread can stop it.
            observer: Who is told of this call and of all that it calls.

        Returns:
            The exit status: 0 is success.

        Raises:
            PolycallError: It is no command, trapped, or was interrupted.
        """
        from polycall.wasm_runtime.wasi.console import Console  # noqa: PLC0415  # see TYPE_CHECKING

        text = _id_text(target)
        console = Console(stdin, stdout, stderr, (text.partition(":")[2], *arguments), tuple((env or {}).items()))
        narrowed = narrowing(limits, calls)
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
        return self._put(declaration, "add()", replace=False, prepare=prepare)

    def replace(self, declaration: Mapping[str, Any], *, prepare: bool = False) -> Entry:
        """Like `add`, whether or not there is an entry of that id, which this one takes the place of in one step.

        Calls that run end on the code they began with. One that a file declares is back when `remove` takes this one
        away.

        Raises:
            DeclarationError: It is wrong, or does not fit those that refer to it.
            PreparationError: It is to be prepared, and cannot be; the old one stays.
            PoolClosedError: The registry is closed.
        """
        return self._put(declaration, "replace()", replace=True, prepare=prepare)

    def _put(self, declaration: Mapping[str, Any], place: str, *, replace: bool, prepare: bool) -> Entry:
        from polycall.registry.reading.python_entries import declared  # noqa: PLC0415  # see TYPE_CHECKING

        if not isinstance(declaration, Mapping):
            raise TypeError(f"{place}: a declaration is a mapping, not {describe(declaration)}")

        def read(index: Index) -> tuple[Entry, list[Problem]]:
            return declared(kept, index, place)

        kept = dict(declaration)
        entry = self._dispatcher.put(lambda index: Put(*read(index), declare=read), replace=replace, prepare=prepare)
        self._forget(entry.id)
        return entry

    def remove(self, entry_id: str | EntryId) -> None:
        """Takes an entry away that `add`, `replace` or `function` has put there.

        Calls that run end as they would have; for later ones there is none, or the one that it had replaced.

        Raises:
            NotFoundError: There is none.
            ValueError: The files declare it.
            DeclarationError: Others refer to it; nothing has changed.
            PoolClosedError: The registry is closed.
        """
        parsed = EntryId.parse(_id_text(entry_id))
        self._dispatcher.remove(parsed)
        self._forget(parsed)

    def _forget(self, entry_id: EntryId) -> None:
        if self._latencies is not None:
            self._latencies.forget((str(entry_id),))

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
        text = _id_text(entry_id)
        parsed = EntryId.parse(text)

        def register(body: Body) -> Body:
            function = PythonFunction(text, body, self._dispatcher.closing)
            entry = Entry.of_python(parsed, PYTHON_KIND, meta or {}, body)
            self._dispatcher.put(lambda _index: Put(entry, function=function), replace=replace)
            self._forget(parsed)
            return body

        return register

    def get(self, entry_id: str | EntryId) -> Entry:
        """Returns an entry.

        Raises:
            NotFoundError: There is none of that id; near names are in the hint.
        """
        return self._dispatcher.index.get(_id_text(entry_id))

    def find(
        self, *, namespace: str | None = None, kind: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> list[Entry]:
        """Returns the entries that fit every filter given, in the order of their ids; see `Index.find`."""
        return self._dispatcher.index.find(namespace=namespace, kind=kind, meta=meta)

    def __iter__(self) -> Iterator[Entry]:
        """Iterates over all entries in the order of their ids."""
        return iter(self._dispatcher.index)

    def __len__(self) -> int:
        """Returns the number of entries."""
        return len(self._dispatcher.index)

    def __contains__(self, entry_id: object) -> bool:
        """Says whether there is an entry of that id (text or `EntryId`)."""
        return entry_id in self._dispatcher.index

    @property
    def root(self) -> Path:
        """The project folder; of a registry without one, the working directory in which it was made."""
        return self._dispatcher.index.root

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd about the declarations without being wrong."""
        return self._dispatcher.index.warnings

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
        return self._dispatcher.prepared(_id_text(entry_id), deadline, cancellation)

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

        index = self._dispatcher.index
        return check_index(index, lambda entry: self._dispatcher.inspect(entry, index), begin)

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
        own = self._dispatcher.index
        given = own.settings.given_isolation

        def read() -> Index:
            if self._has_files:
                return load_index(self.root, isolation=given)
            return Index((), own.root, (), own.settings)

        changes = self._dispatcher.reload(read)
        if self._latencies is not None:
            self._latencies.forget((*changes.changed, *changes.removed))
        return changes

    def stats(self) -> Stats:
        """Returns what was counted so far, for each entry that was called or prepared; nothing after `close`.

        An entry that a reload changed begins anew with all its figures; one that is gone has none.
        """
        from polycall.registry.dispatch.stats import collect  # noqa: PLC0415  # see TYPE_CHECKING

        return collect(self._dispatcher.routes(), self._latencies)

    def close(self) -> None:
        """Closes idle instances, refuses new calls and waits for those of `call_async`. Harmless when repeated.

        A call that is under way in another thread goes on, but for a guest that waits (asleep, for input, for an
        answer): that ends with a `PoolClosedError`. Its instance is closed when the call ends. Within a call, it does
        not wait for the others: they may be waiting for it.
        """
        self._dispatcher.close()
        self._async_calls.close()

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


def _observers(*, metrics: bool, telemetry: bool) -> tuple[Latencies | None, list[Observer]]:
    latencies: Latencies | None = None
    observers: list[Observer] = []
    if metrics:
        from polycall.registry.observers.latencies import Latencies  # noqa: PLC0415  # see TYPE_CHECKING

        observers.append(latencies := Latencies())
    if CALL_LOG.isEnabledFor(logging.DEBUG):  # once: asking at each call would make short ones a tenth slower
        observers.append(CallLog())
    if telemetry:
        from polycall.registry.observers.telemetry import Telemetry  # noqa: PLC0415  # its package is an extra

        observers.append(Telemetry())
    return latencies, observers


def _checking(returns: Any) -> Callable[[Any], Any]:
    """Returns what checks a result; a type that it cannot be is found out before the call."""
    from polycall.interop.typed import checked, type_check  # noqa: PLC0415  # see TYPE_CHECKING

    type_check(returns)
    return lambda value: checked(value, returns)


def _id_text(entry_id: object) -> str:
    if isinstance(entry_id, EntryId):
        return str(entry_id)
    if isinstance(entry_id, str):
        return str.__str__(entry_id)
    raise TypeError(f'an entry is named by the text "namespace:name" or an EntryId, not by {describe(entry_id)}')


def _context_values(values: Mapping[str, object]) -> dict[str, Value]:
    checked = plain(values, "$.values")
    if not isinstance(checked, dict):
        raise TypeError(f"values is {describe(values)}; it must be a mapping of names to values, or None")
    return checked
