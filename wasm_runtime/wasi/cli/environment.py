"""``wasi:cli/environment``: arguments, variables and the working directory."""

from __future__ import annotations

from polycall.interop.errors import CallError, ConversionError, NotFoundError
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.session import Session, session_of

__all__ = ["Environment", "arguments_of", "encoded", "variables_of"]


def arguments_of(session: Session) -> list[str]:
    """Returns the arguments of a guest, its name first if it is a command."""
    if session.console is not None and session.console.arguments:
        return list(session.console.arguments)
    return list(session.settings.args)


def variables_of(session: Session) -> list[tuple[str, str]]:
    """Returns the variables of a guest with the values that they have now; those of a run stand for the entry's.

    Raises:
        CallError: One that is required has no value, or its storage cannot be read.
    """
    found: dict[str, str] = {} if session.console is None else dict(session.console.variables)
    for variable in session.settings.env:
        name = variable.name.strip()
        if name in found:
            continue
        if session.services is None:
            raise CallError("the host offers no environment variables here", kind="Unavailable")
        try:
            found[name] = session.services.environment.get(str(variable.id))
        except NotFoundError as error:
            if variable.required:
                message = f"wasi.env: the variable {variable.id} is required and has no value"
                raise CallError(message, kind="NotFound", hint=error.hint) from error
    return list(found.items())


def encoded(text: str, what: str, errors: str = "strict") -> bytes:
    """Returns an argument or a variable as bytes.

    Args:
        text: The bytes of the shell that are not UTF-8 stand in it as halves of surrogate pairs, as in `os.fsdecode`.
        what: What it is, for the error.
        errors: What becomes of them, as for `str.encode`.

    Raises:
        ConversionError: It is no text.
    """
    try:
        return text.encode("utf-8", errors)
    except UnicodeEncodeError:
        hint = "a component takes text alone; a core module of wasip1 takes the bytes of a shell as they are"
        raise ConversionError(shown(what), "lower", "text in UTF-8", "other bytes", hint=hint) from None


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
        variables = variables_of(session_of(store))
        for name, value in variables:
            encoded(f"{name}={value}", f"variable {name}")
        return [list(each) for each in variables]

    def get_arguments(self, store: GuestStore) -> list[str]:
        """Returns the arguments."""
        arguments = arguments_of(session_of(store))
        for number, argument in enumerate(arguments):
            encoded(argument, f"argument {number}")
        return arguments

    def initial_cwd(self, store: GuestStore) -> str | None:
        """Returns where relative paths begin."""
        return session_of(store).settings.cwd
