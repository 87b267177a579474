"""The modules `env`, `fs` and `registry` in a worker: what they ask of the registry is asked of the parent.

A question is the message ``["service", [arguments], operation]``, its answer a ``result`` or an ``error``. Start-up
code asks as well, so questions come at any time until the worker has answered what it was told to do. Of `fs`, only the
place of a folder is asked: the files are opened in the worker, which is no sandbox of the operating system.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from polycall.interop.confined import ConfinedFolder
from polycall.interop.errors import CallError, PolycallError
from polycall.interop.services import Services
from polycall.interop.values import Value
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.isolation.error_data import error_message
from polycall.registry.isolation.messages import MessageError, pack
from polycall.wasm_runtime.spec import WasmProgram

__all__ = ["AskedServices", "ServiceDesk", "modules_of"]


_OPERATIONS: Mapping[str, tuple[str, tuple[type, ...], Callable[..., Any]]] = {
    "get": ("env", (str,), lambda services, own, _check, name: services.environment.get(name, own)),
    "set": ("env", (str, str), lambda services, own, _check, name, value: services.environment.set(name, value, own)),
    "get_all": ("env", (), lambda services, _own, _check: dict(services.environment.get_all())),
    "folder": ("fs", (str,), lambda services, own, _check, name: _folder_data(services.file_systems.folder(name, own))),
    "entry": ("registry", (str,), lambda services, _own, _check, entry_id: services.entries.get(entry_id)),
    "find": ("registry", (dict,), lambda services, _own, check, filters: services.entries.find(filters, check)),
}
"""Operation to the module that has it, the types of its arguments, and what answers it."""


_SHOWS_VARIABLES = frozenset({"wasi:cli", "wasi1"})
_SHOWS_FOLDERS = frozenset({"wasi:filesystem", "wasi1"})


def _folder_data(folder: ConfinedFolder) -> list[Any]:
    return [os.fsencode(folder.folder), folder.read_only, os.fsencode(folder.inside)]


def modules_of(program: LuaProgram | WasmProgram) -> frozenset[str]:
    """Returns the modules that a program and what it imports may load; WebAssembly loads none."""
    if isinstance(program, WasmProgram):
        return frozenset()
    return frozenset(name for each in program.with_imports() for name in each.modules)


def _names_of(program: LuaProgram | WasmProgram) -> Mapping[str, frozenset[str]]:
    """Returns of what a program may ask without a module, by operation: what a guest of WebAssembly declares."""
    if isinstance(program, LuaProgram):
        return {}
    variables = program.wasi.env if program.grants & _SHOWS_VARIABLES else ()
    mounts = program.wasi.mounts if program.grants & _SHOWS_FOLDERS else ()
    return {
        "get": frozenset(str(each.id) for each in variables),
        "folder": frozenset(str(each.fs) for each in mounts),
    }


class ServiceDesk:
    """The parent's side: answers the questions of one entry's workers, and believes nothing that they say."""

    def __init__(self, program: LuaProgram | WasmProgram, services: Services | None) -> None:
        """Makes a desk.

        Args:
            program: Whose workers ask: it decides on what they may ask, and what a bare name belongs to.
            services: Who knows the answers; without, they are errors of the kind Unavailable.
        """
        self._modules = modules_of(program)
        self._names = _names_of(program)
        self._namespace = program.entry_id.partition(":")[0]
        self._services = services

    def answer(self, message: list[Any], check: Callable[[], None] = lambda: None) -> bytes:
        """Returns the message that answers a question.

        Args:
            message: The question.
            check: Called now and then; raises to end the work.

        Raises:
            MessageError: It is no question that the entry may ask.
        """
        match message:
            case ["service", list(arguments), str(operation)] if operation in _OPERATIONS:
                module, types, answer = _OPERATIONS[operation]
                if _fit(arguments, types) and (module in self._modules or self._names_it(operation, arguments)):
                    return self._answer(answer, arguments, check)
        raise MessageError("a question that is out of place")

    def _names_it(self, operation: str, arguments: list[Any]) -> bool:
        return bool(arguments) and arguments[0] in self._names.get(operation, ())

    def _answer(self, answer: Callable[..., Any], arguments: list[Any], check: Callable[[], None]) -> bytes:
        try:
            if self._services is None:
                raise CallError("the host offers this module's services to nobody here", kind="Unavailable")
            return pack("result", answer(self._services, self._namespace, check, *arguments), "$.result", check=check)
        except PolycallError as error:
            return error_message(error)


def _fit(arguments: list[Any], types: tuple[type, ...]) -> bool:
    try:
        "".join(each for each in arguments if isinstance(each, str)).encode()
    except UnicodeEncodeError:  # half of a surrogate pair: nothing that comes from Lua has one
        return False
    return [type(each) for each in arguments] == list(types)


class AskedServices:
    """The worker's side, in the shape of `polycall.interop.services.Services`.

    Which namespace bare names belong to is the parent's to know.
    """

    def __init__(self, ask: Callable[[bytes], Value]) -> None:
        """Makes the services.

        Args:
            ask: Sends a message and returns the answer, or raises it.
        """
        self._ask = ask
        self.environment = _AskedEnvironment(self._asked)
        self.file_systems = _AskedFolders(self._asked)
        self.entries = _AskedEntries(self._asked)

    def _asked(self, operation: str, *arguments: Any) -> Any:
        return self._ask(pack("service", list(arguments), "$.args", operation))


class _AskedEnvironment:
    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def get(self, name: str, namespace: str | None = None) -> str:
        value: str = self._ask("get", name)
        return value

    def set(self, name: str, value: str, namespace: str | None = None) -> None:
        self._ask("set", name, value)

    def get_all(self) -> Mapping[str, str]:
        values: Mapping[str, str] = self._ask("get_all")
        return values


class _AskedFolders:
    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def folder(self, name: str, namespace: str | None = None) -> ConfinedFolder:
        folder, read_only, inside = self._ask("folder", name)
        return ConfinedFolder(Path(os.fsdecode(folder)), read_only=read_only, inside=os.fsdecode(inside))


class _AskedEntries:
    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def get(self, entry_id: str) -> dict[str, Value]:
        entry: dict[str, Value] = self._ask("entry", entry_id)
        return entry

    def find(self, filters: Mapping[str, Value], check: Callable[[], None] | None = None) -> list[Value]:
        found: list[Value] = self._ask("find", dict(filters))
        return found
