"""Where Lua in the sandbox is meant to differ from Lua in the host's engine: each test of one alone, and why.

A test that is named here must fail in the sandbox, or it is named wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["difference"]

_FINALIZERS = "finalizers run in the sandbox: a deadline ends them as it ends all else"
_MEMORY = "in the sandbox no error says that memory ran out; in the host's engine its text does"
_BOUNDS = "in the sandbox a deadline ends what is long, so nothing is refused for its size"
_NO_CODE_OF_OURS = "Lua's own functions need less of its stack than those that stand for them"
_AT_ONCE = "arguments go in at once, however many there are"

_DIFFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "test_lua_gate.py::test_a_metatable_gets_no_finalizer": _FINALIZERS,
        "test_lua_runtime_interruption.py::test_a_guest_that_says_that_memory_ran_out_ends_its_own_call": _MEMORY,
        "test_lua_runtime_interruption.py::test_what_one_function_of_c_would_be_long_at_is_refused": _BOUNDS,
        "test_lua_runtime_errors.py::test_an_overflow_in_code_of_ours_has_the_guests_place": _NO_CODE_OF_OURS,
        "test_lua_session.py::test_arguments_that_did_not_all_get_in_are_not_those_of_the_next_call": _AT_ONCE,
        "test_lua_sandbox.py::test_the_attempt_fails_and_the_control_works[a finalizer]": _FINALIZERS,
    }
)
"""``file::test``, or ``file::test[parameters]`` without what says the engine, to the reason."""


def difference(node_id: str) -> str | None:
    """Returns why a test must fail in the sandbox; None for all others."""
    file, _, test = node_id.partition("::")
    file, name = file.rpartition("/")[2], test.partition("[")[0]
    return _DIFFERENCES.get(f"{file}::{test}") or _DIFFERENCES.get(f"{file}::{name}")
