"""Where Lua in the sandbox is meant to differ from Lua in the host's engine: each test of one alone, and why.

A test that is named here must fail in the sandbox, or it is named wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["difference", "is_endless"]

_UNENDING = "nothing is limited without a limit: in the sandbox nothing needs to be, for a deadline ends all of it"
_ALL_OF_THE_LIBRARY = "test_library_functions_that_would_run_or_allocate_without_end_are_errors_or_return_at_once"
_ALL_OF_THE_LIBRARY = "test_library_functions_that_would_run_or_allocate_without_end_are_errors_or_return_at_once"
_INTERRUPTION = "test_lua_runtime_interruption.py"

_FINALIZERS = "finalizers run in the sandbox: a deadline ends them as it ends all else"

_DIFFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "test_lua_gate.py::test_a_metatable_gets_no_finalizer": _FINALIZERS,
        "test_lua_sandbox.py::test_the_attempt_fails_and_the_control_works[a finalizer]": _FINALIZERS,
    }
)
"""``file::test``, or ``file::test[parameters]`` without what says the engine, to the reason."""

_ENDLESS: Mapping[str, str] = MappingProxyType(
    {
        f"{_INTERRUPTION}::{_ALL_OF_THE_LIBRARY}": _UNENDING,
    }
)
"""The same for tests that would not end in the sandbox: they do not run there."""


def difference(node_id: str) -> str | None:
    """Returns why a test must fail in the sandbox; None for all others."""
    return _found(_DIFFERENCES, node_id) or _found(_ENDLESS, node_id)


def is_endless(node_id: str) -> bool:
    """Says whether such a test would not end there."""
    return _found(_ENDLESS, node_id) is not None


def _found(reasons: Mapping[str, str], node_id: str) -> str | None:
    file, _, test = node_id.partition("::")
    file, name = file.rpartition("/")[2], test.partition("[")[0]
    return reasons.get(f"{file}::{test}") or reasons.get(f"{file}::{name}")
