"""``wasi:cli/environment``: arguments, variables and the working directory."""

from __future__ import annotations

from polycall.interop.errors import CallError, NotFoundError
from polycall.wasm_runtime.component.host import HostInterface
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
        return [list(each) for each in variables_of(session_of(store))]

    def get_arguments(self, store: GuestStore) -> list[str]:
        """Returns the arguments."""
        return arguments_of(session_of(store))

    def initial_cwd(self, store: GuestStore) -> str | None:
        """Returns where relative paths begin."""
        return session_of(store).settings.cwd
