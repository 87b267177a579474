"""``wasi:cli/environment``: arguments, variables and the working directory."""

from __future__ import annotations

from polycall.interop.errors import CallError, NotFoundError
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.session import Session, session_of

__all__ = ["Environment", "arguments_of", "variables_of"]


def arguments_of(session: Session) -> list[str]:
    """Returns the arguments of a guest, its name first if it is a command."""
    if session.console is not None and session.console.arguments:
        return list(session.console.arguments)
    return list(session.settings.args)


def variables_of(session: Session) -> list[tuple[str, str]]:
    """Returns the variables of a guest with the values that they have now.

    Raises:
        CallError: One that is required has no value, or its storage cannot be read.
    """
    found: list[tuple[str, str]] = [] if session.console is None else list(session.console.variables)
    for variable in session.settings.env:
        if session.services is None:
            raise CallError("the host offers no environment variables here", kind="Unavailable")
        try:
            found.append((variable.name.strip(), session.services.environment.get(str(variable.id))))
        except NotFoundError as error:
            if variable.required:
                message = f"wasi.env: the variable {variable.id} is required and has no value"
                raise CallError(message, kind="NotFound", hint=error.hint) from error
    return found


class Environment(HostInterface):
    """The interface."""

    name = "wasi:cli/environment@0.2.12"
    wit = """
        get-environment: func() -> list<tuple<string, string>>;
        get-arguments: func() -> list<string>;
        initial-cwd: func() -> option<string>;
    """

    def get_environment(self, store: GuestStore) -> list[list[str]]:
        """Returns the variables."""
        found = variables_of(session_of(store))
        return [[_text(name, "the name of a variable"), _text(value, f"the variable {name}")] for name, value in found]

    def get_arguments(self, store: GuestStore) -> list[str]:
        """Returns the arguments."""
        return [_text(each, f"argument {place}") for place, each in enumerate(arguments_of(session_of(store)))]

    def initial_cwd(self, store: GuestStore) -> str | None:
        """Returns where relative paths begin."""
        return session_of(store).settings.cwd


def _text(given: str, what: str) -> str:
    """Returns what the shell, or the system, gave us, if that was text; else nothing in WIT can hold it."""
    try:
        given.encode()
    except UnicodeEncodeError:
        message = f"{what} is no UTF-8, and for a component it must be: {shown(given)}"
        raise CallError(message, kind="Invalid", hint="a core module of WASI 0.1 gets such bytes as they are") from None
    return given
