"""From a resolved Lua entry to a function that can be called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from polycall.interop.aside import Asides
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import (
    CancelledError,
    DeadlineError,
    MissingExportError,
    PolycallError,
    PreparationError,
)
from polycall.interop.forks import new_lock
from polycall.interop.ids import cut, suggestion
from polycall.interop.protocols import Function, ImportNeed, Invoker, Signature, YamlText
from polycall.interop.services import Services
from polycall.interop.source import SourceText
from polycall.interop.start_up import start_frame, start_interruption, start_seconds
from polycall.interop.values import Value
from polycall.lua_runtime.compiling import MOST_COMPILING_BYTES, compiled, prepared
from polycall.lua_runtime.failure import conclude, raise_unforeseen
from polycall.lua_runtime.instance import LuaInstance, LuaKernel
from polycall.lua_runtime.kernel import CompiledChunk, Kernel
from polycall.lua_runtime.modules import ALWAYS_THERE, MODULES
from polycall.lua_runtime.spec import LuaProgram

if TYPE_CHECKING:  # what is not sandboxed must not pay for it
    from polycall.lua_runtime.sandbox.snapshot import Sandbox, Snapshot

__all__ = ["LuaFunction", "LuaRuntime"]

_BARE = frozenset({"", "nil", "[]", "{}"})
_MOST_NAMES = 2000
"""Characters of names that a message lists."""


class LuaFunction:
    """A Lua entry made ready to call; see `polycall.interop.protocols.Function`.

    Attributes:
        entry_id: ``namespace:name``.
        language: ``lua``.
        signature: None: Lua functions declare none.
        imports: None: what a Lua entry may load is declared, not found out.
    """

    language = "lua"
    signature: Signature | None = None
    imports: Sequence[ImportNeed] = ()
    has_resources = False
    export = None

    def __init__(
        self,
        entry_id: str,
        method: str,
        kernel: Callable[[], LuaKernel],
        closing: Cancellation,
        context: CallContext | None,
    ) -> None:
        """Starts the program once; `LuaRuntime.prepare` tells what can go wrong."""
        self.entry_id = entry_id
        self._method = method
        self._kernel = kernel
        self._closing = closing
        self._started = [self._start(kernel(), context)]

    def instantiate(self, context: CallContext | None = None) -> LuaInstance:
        """Makes a started instance; see `polycall.interop.protocols.Function`.

        Raises:
            PreparationError: The start-up code failed.
            LimitError: The start-up code took too long or too much memory, or the call that waits is over.
        """
        try:
            return self._started.pop()  # the one that preparing made; list.pop is atomic
        except IndexError:
            return self._start(self._kernel(), context)

    def shares_instances_with(self, _other: Function) -> bool:
        """Says no: it has no resources."""
        return False

    def host_traffic(self) -> None:
        """Returns nothing: nobody counts."""

    def payload_arguments(self, payload: str | bytes) -> Sequence[Value]:
        """Returns the payload as the only argument."""
        return [payload]

    def _start(self, kernel: LuaKernel, context: CallContext | None) -> LuaInstance:
        kernel.session.closing = self._closing
        try:
            answer = kernel.start(self._method, context)
            if answer != b"started":
                self._raise_not_started(kernel, answer, context)
            kernel.session.end_call()
            kernel.session.starting = None  # it keeps the call that waited, with its values and all that watch it
            return LuaInstance(kernel)
        except BaseException as error:  # noqa: BLE001  # the engine's, or KeyboardInterrupt: raised on
            try:
                raise_unforeseen(error, kernel.session)
            finally:
                kernel.release()

    def _raise_not_started(self, kernel: LuaKernel, answer: Any, context: CallContext | None) -> NoReturn:
        word, *about = answer
        if word == b"missing":
            raise _missing(self.entry_id, self._method, *(part.decode() for part in about))
        if word == b"stopped" and kernel.session.failure is None:
            raise start_interruption(self.entry_id, kernel.start_seconds, context)
        try:
            conclude(answer, kernel.session, kernel.more)
        except PolycallError as error:
            if word not in (b"failed", b"raised"):
                raise
            raise PreparationError(
                _start_message(error.message),
                entry_id=self.entry_id,
                hint=error.hint,
                guest_traceback=error.guest_traceback,
            ) from error
        raise PreparationError("the chunk did not start", entry_id=self.entry_id)


class LuaRuntime:
    """Prepares Lua entries."""

    def __init__(
        self,
        invoker: Invoker,
        yaml: YamlText,
        services: Services | None = None,
        sandbox: Callable[[], Sandbox] | None = None,
    ) -> None:
        """Makes a runtime.

        Args:
            invoker: How guests reach other entries.
            yaml: How they read and write YAML.
            services: What the modules `env`, `fs` and `registry` offer; without, they answer Unavailable.
            sandbox: Gives what sandboxed entries run in; asked when there is one.
        """
        self._make_sandbox = sandbox
        self._sandbox: Sandbox | None = None
        self._opening: Asides[str, Sandbox] = Asides()
        self._lock = new_lock()
        self._invoker = invoker
        self._yaml = yaml
        self._services = services
        self._closing = Cancellation()
        self._asides: Asides[tuple[SourceText, str], bytes] = Asides()

    def end_waits(self) -> None:
        """Lets guests wait for nothing from now on. Neither blocks nor raises: a signal handler may ask for it."""
        self._closing.cancel()

    def close(self) -> None:
        """Ends the waits of guests, and lets go of what is kept for instances to come; harmless when repeated."""
        self.end_waits()
        if self._sandbox is not None:
            self._sandbox.close()

    def prepare(self, program: LuaProgram, context: CallContext | None = None) -> LuaFunction:
        """Compiles an entry and its libraries, and starts the entry once to see that it works.

        Args:
            program: The entry.
            context: The call that waits for it, if there is one: start-up code gets no more time than the call has.

        Raises:
            PreparationError: A syntax error, a module that does not exist, or a failure of the start-up code.
            MissingExportError: The chunk does not return the method.
            LimitError: The start-up code took too long or too much memory, or the call is over.
        """
        if program.method is None:
            raise PreparationError(
                "a library cannot be called", entry_id=program.entry_id, hint="import it in a function.lua entry"
            )
        kernel = self._sandboxed(program, context) if program.sandbox else self._plain(program, context)
        return LuaFunction(program.entry_id, program.method, kernel, self._closing, context)

    def compile(self, program: LuaProgram) -> None:
        """Compiles an entry and its libraries without starting them, to see that they compile.

        Raises:
            PreparationError: A syntax error, or a module that does not exist.
        """
        if program.sandbox:
            self._snapshot(program, None)
        else:
            self._chunks(program, None)

    def _plain(self, program: LuaProgram, context: CallContext | None) -> Callable[[], LuaKernel]:
        chunks, modules = self._chunks(program, context), _modules(program)

        def kernel() -> LuaKernel:
            return Kernel(
                *(program.entry_id, self._invoker, self._yaml, program.limits, modules),
                chunks=chunks,
                services=self._services,
            )

        return kernel

    def _sandboxed(self, program: LuaProgram, context: CallContext | None) -> Callable[[], LuaKernel]:
        from polycall.lua_runtime.sandbox.kernel import SandboxKernel  # noqa: PLC0415  # see TYPE_CHECKING

        snapshot = self._snapshot(program, context)

        def kernel() -> LuaKernel:
            return SandboxKernel(
                *(program.entry_id, self._invoker, self._yaml, program.limits, snapshot),
                services=self._services,
            )

        return kernel

    def _snapshot(self, program: LuaProgram, context: CallContext | None) -> Snapshot:
        from polycall.lua_runtime.sandbox.kernel import sandbox_session  # noqa: PLC0415  # see TYPE_CHECKING
        from polycall.lua_runtime.sandbox.snapshot import TextChunk  # noqa: PLC0415  # the same

        programs = _checked(program)
        entry_id, seconds = program.entry_id, start_seconds(program.limits)
        chunks = [
            TextChunk(each.entry_id, *prepared(each.source, each.entry_id), each.modules, _aliases(each))
            for each in programs
        ]
        session = sandbox_session(entry_id, self._invoker, self._yaml, self._services, program.limits)
        session.memory_limit = MOST_COMPILING_BYTES
        sandbox = self._opened(entry_id, context)
        session.starting = start_frame(entry_id, "lua", seconds, context)
        try:
            return sandbox.snapshot(_modules(program), chunks, session, session.starting)
        except (DeadlineError, CancelledError):
            raise start_interruption(entry_id, seconds, context) from None

    def _opened(self, entry_id: str, context: CallContext | None) -> Sandbox:
        make = self._make_sandbox
        if make is None:
            raise PreparationError("nothing here can run a sandbox", entry_id=entry_id)

        def work() -> Sandbox:
            with self._lock:
                self._sandbox = self._sandbox or make()
                return self._sandbox

        if self._sandbox is not None or context is None:
            return self._sandbox or work()
        return self._opening.done("sandbox", work, context, "Lua to be compiled for the sandbox")  # a second, once

    def _chunks(self, program: LuaProgram, context: CallContext | None) -> list[CompiledChunk]:
        return [self._chunk(each, context) for each in _checked(program)]

    def _chunk(self, program: LuaProgram, context: CallContext | None) -> CompiledChunk:
        def work() -> bytes:
            return compiled(program.source, program.entry_id)

        what = f'"{program.entry_id}" to be compiled'
        code = work() if context is None else self._asides.done((program.source, program.entry_id), work, context, what)
        return CompiledChunk(program.entry_id, code, program.modules, _aliases(program))


def _checked(program: LuaProgram) -> list[LuaProgram]:
    programs = list(program.with_imports())
    for each in programs:
        _check_modules(each)
    return programs


def _aliases(program: LuaProgram) -> dict[str, str]:
    return {alias: library.entry_id for alias, library in program.imports.items()}


def _modules(program: LuaProgram) -> list[str]:
    """Returns the host modules that are listed anywhere in it."""
    return sorted({name for each in program.with_imports() for name in each.modules} & MODULES.keys())


def _start_message(message: str) -> str:
    """Returns what start-up code raised; of what says nothing by itself, that it was raised."""
    return message if message not in _BARE else f"its start-up code raised {message or 'an empty text'}"


def _check_modules(program: LuaProgram) -> None:
    known = sorted({*MODULES, *ALWAYS_THERE})
    unknown = [name for name in dict.fromkeys(program.modules) if name not in known]
    if unknown:
        names = " or ".join(f'"{name}"' for name in unknown)
        raise PreparationError(
            f"there is no module {names}; the modules are {', '.join(known)}",
            entry_id=program.entry_id,
            hint="; ".join(filter(None, (suggestion(name, known) for name in unknown))) or None,
        ).at("modules")


def _missing(entry_id: str, method: str, returned: str, *functions: str) -> MissingExportError:
    if returned != "table":
        found = f"the file returns {'nothing' if returned == 'nil' else f'a {returned}'}"
    else:
        found = (
            f"the functions there are: {cut(', '.join(functions), _MOST_NAMES)}"
            if functions
            else "no functions are in it"
        )
    return MissingExportError(
        f'the method "{method}" is not a function in what the file returns; {found}',
        entry_id=entry_id,
        hint=suggestion(method, functions) or f"end the file with: return {{ {method} = {method} }}",
    )
