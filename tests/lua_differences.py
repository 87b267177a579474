"""Where Lua in the sandbox is meant to differ from Lua in the host's engine: each test of one alone, and why.

A test that is named here must fail in the sandbox, or it is named wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["difference", "is_endless"]

_UNENDING = "nothing is limited without a limit: in the sandbox nothing needs to be, for a deadline ends all of it"
_ALL_OF_THE_LIBRARY = "test_library_functions_that_would_run_or_allocate_without_end_are_errors_or_return_at_once"
_INTERRUPTION = "test_lua_runtime_interruption.py"

_FINALIZERS = "finalizers run in the sandbox: a deadline ends them as it ends all else"

_NESTING = "Lua's own 200 levels are the bound, and their message is Lua's own"
_NO_CODE_OF_OURS = "Lua's own functions need less of its stack than those that stand for them"
_AT_ONCE = "arguments go in at once, however many there are"

_DIFFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "test_lua_gate.py::test_a_metatable_gets_no_finalizer": _FINALIZERS,
        "test_lua_runtime_errors.py::test_an_endless_recursion_through_callbacks_is_an_error": _NESTING,
        "test_lua_runtime_errors.py::test_an_overflow_in_code_of_ours_has_the_guests_place": _NO_CODE_OF_OURS,
        "test_lua_session.py::test_arguments_that_did_not_all_get_in_are_not_those_of_the_next_call": _AT_ONCE,
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
