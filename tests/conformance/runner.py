"""Runs the commands of a script, one after the other, in an engine.

A command passes if what the specification says happens. Whatever is refused or trapped for want of a feature that
polycall does not have is gated, and so is what builds on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import wasmtime

from conformance.gates import gate_of, gate_of_command, gate_of_script
from conformance.report import FAILED, GATED, PASSED, Outcome
from conformance.scripts import Command
from conformance.values import same, value_of
from polycall.interop.errors import PolycallError, PreparationError
from polycall.interop.values import Value

__all__ = ["Engine", "Instance", "Loaded", "run"]


class Instance(Protocol):
    """An instance of a component."""

    def call(self, function: str, arguments: Sequence[Value]) -> Value:
        """Calls an export.

        Raises:
            PolycallError: It traps, or cannot be called.
        """


class Loaded(Protocol):
    """A component that was found valid."""

    def instantiate(self, named: Mapping[str, Instance]) -> Instance:
        """Makes an instance, for whose imports other instances stand by their names.

        Raises:
            PolycallError: It traps, or its imports are not there.
        """


class Engine(Protocol):
    """What runs components."""

    def load(self, binary: bytes) -> Loaded:
        """Reads and validates a component.

        Raises:
            PolycallError: It is malformed, invalid, or wants what is not there.
        """


class _GatedError(Exception):
    """A command needs what is not there."""


class _FailedError(Exception):
    """Something else happens than the specification says."""


def run(script: str, commands: Iterable[Command], engine: Engine) -> Iterator[Outcome]:
    """Yields what becomes of the commands of a script."""
    state = _State(engine)
    gate = gate_of_script(script)
    for command in commands:
        outcome, why = _outcome(state, command) if gate is None else (GATED, gate)
        known = gate_of_command(script, command.line) if outcome == FAILED else None
        if known is not None:
            outcome, why = GATED, known
        yield Outcome(script, command.line, command.kind, outcome, why)


def _outcome(state: _State, command: Command) -> tuple[str, str]:
    try:
        state.run(command)
    except _GatedError as gated:
        return GATED, str(gated)
    except _FailedError as failed:
        return FAILED, str(failed)
    except PolycallError as error:
        gate = gate_of(error.message)
        return (FAILED, error.message) if gate is None else (GATED, gate)
    except Exception as error:  # noqa: BLE001 - whatever comes out of the engine is a failure of one command
        return FAILED, f"{type(error).__name__}: {error}"
    return PASSED, ""


class _State:
    """The components and instances of a script; one that is not there because of a gate is kept as that gate."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._definitions: dict[str | None, Loaded | str] = {}
        self._instances: dict[str | None, Instance | str] = {}

    def run(self, command: Command) -> None:
        match command.kind:
            case "module":
                try:
                    self._define(command)
                finally:  # the instance that was there before is not meant any more
                    self._instances[command.name] = self._instances[None] = self._refused()
                self._instantiate(command.name, None)
            case "module_definition":
                self._define(command)
            case "module_instance":
                self._instantiate(command.name, command.of)
            case "action" | "assert_return":
                self._expect_values(command)
            case "assert_trap" | "assert_exhaustion":
                self._expect_error(lambda: self._call(command), gated=True)
            case "assert_invalid" | "assert_malformed":
                self._expect_error(lambda: self._load(command), gated=False)
            case "assert_unlinkable" | "assert_uninstantiable":
                self._expect_error(lambda: self._load(command).instantiate(self._named()), gated=False)
            case other:
                raise _GatedError(f"the command {other}")

    def _load(self, command: Command) -> Loaded:
        if command.source is not None:
            return self._engine.load(_assembled(command.source))
        if command.binary is None:
            raise _FailedError("there is no component")
        if command.binary[4:8] == b"\x01\0\0\0":
            raise _GatedError("core modules on their own")
        return self._engine.load(command.binary)

    def _define(self, command: Command) -> None:
        loaded: Loaded | str = "what was refused above"
        try:
            loaded = self._load(command)
        except _GatedError as gated:
            loaded = str(gated)
            raise
        except PolycallError as error:
            loaded = gate_of(error.message) or loaded
            raise
        finally:
            self._definitions[command.name] = self._definitions[None] = loaded

    def _instantiate(self, name: str | None, of: str | None) -> None:
        made: Instance | str = "what was refused above"
        try:
            made = _there(self._definitions.get(of)).instantiate(self._named())
        except _GatedError as gated:
            made = str(gated)
            raise
        except PolycallError as error:
            made = gate_of(error.message) or made
            raise
        finally:
            self._instances[name] = self._instances[None] = made

    def _refused(self) -> str:
        """Returns why the component that was defined last is not there."""
        found = self._definitions[None]
        return found if isinstance(found, str) else "what was refused above"

    def _named(self) -> dict[str, Instance]:
        return {name: found for name, found in self._instances.items() if name and not isinstance(found, str)}

    def _call(self, command: Command) -> Value:
        action = command.action or {}
        instance = self._instances.get(action.get("module"))
        if instance is None or isinstance(instance, str):
            raise _GatedError(instance or "what was refused above")
        try:
            return instance.call(action["field"], [value_of(each) for each in action["args"]])
        except PolycallError as error:
            gate = gate_of(error.message)
            if gate is not None:  # nothing enters it any more, and it would have been another way
                self._instances = {name: gate if each is instance else each for name, each in self._instances.items()}
            raise

    def _expect_values(self, command: Command) -> None:
        value = self._call(command)
        expected = [value_of(each) for each in command.expected]
        if command.kind != "action" and not same([value], expected or [None]):
            raise _FailedError(f"expected {expected}, got {value!r}"[:300])

    @staticmethod
    def _expect_error(action: Callable[[], object], *, gated: bool) -> None:
        """Fails if nothing is refused; `gated`: whether a refusal for want of a feature says nothing."""
        try:
            action()
        except PolycallError as error:
            gate = gate_of(error.message) if gated else None
            if gate is not None:
                raise _GatedError(gate) from None
            return
        raise _FailedError("expected an error, and there is none")


def _there(definition: Loaded | str | None) -> Loaded:
    if definition is None or isinstance(definition, str):
        raise _GatedError(definition or "what was refused above")
    return definition


def _assembled(source: str) -> bytes:
    try:
        return bytes(wasmtime.wat2wasm(source))
    except wasmtime.WasmtimeError as error:
        raise PreparationError(str(error)) from None
