"""What the engine says when a guest fails, as errors of ours."""

from __future__ import annotations

import re
from typing import NamedTuple

from polycall.interop.errors import LimitError, MemoryLimitError, PolycallError, TrapError
from polycall.wasm_runtime.engine.engine_errors import EngineError

__all__ = ["MemoryState", "TooManyMemoriesError", "engine_error"]

# Codes of wasmtime/trap.h.
_STACK_EXHAUSTED = 0
_OUT_OF_BOUNDS = 1
_UNREACHABLE = 9
_ALLOCATION_TOO_LARGE = 15

# Failures without a code. Each is the engine's whole text, which has no room for a name of the guest's.
_OVER_MEMORY_LIMIT = re.compile(r"(?:memory|table) minimum size of \d+ \w+ exceeds (?:memory|table) limits")
_TOO_MANY = re.compile(r"resource limit exceeded: (?:memory|table) count too high at \d+")
_GC_HEAP_FULL = re.compile(r"GC heap out of memory: no capacity for allocation of \d+ bytes")
_PAGE_BYTES = 65536
_NAMELESS = re.compile(r"[^!]*!<wasm function \d+>(?: \(at 0x[0-9a-f]+\))?")
_ALLOCATION_FAILED = re.compile(
    r"cabi_realloc|alloc_error|bad_alloc|out_?of_?memory|(?<![a-z])oom(?![a-z])", re.IGNORECASE
)
"""What compilers call the functions that a guest is in when it gives up for lack of memory. Good for a hint only: the
guest chooses these names."""


class TooManyMemoriesError(LimitError):
    """A guest has more memories or tables than its store allows."""


class MemoryState(NamedTuple):
    """What is known of a guest's memories under a limit.

    The engine tells nobody that it refused a `memory.grow`. What shows afterwards are the sizes of exported memories.
    (Memories that the host makes itself would tell, but then the safety of every access would rest on code of ours.)

    Attributes:
        limit_bytes: The guest's ``limits.max_memory_bytes``.
        share_bytes: What each of its memories may grow to.
        held_bytes: What those hold that can be seen: the ones that core modules export, those of a component as well.
        wanted_bytes: What the host was asking the guest's allocator for, or 0.
    """

    limit_bytes: int
    share_bytes: int
    held_bytes: tuple[int, ...] = ()
    wanted_bytes: int = 0

    @property
    def full(self) -> bool:
        """Whether a memory that can be seen has no room for one page more, or for what is wanted."""
        wanted = max(_PAGE_BYTES, self.wanted_bytes)
        return any(held + wanted > self.share_bytes for held in self.held_bytes)


def engine_error(failure: EngineError, memory: MemoryState | None, stack_bytes: int) -> PolycallError:
    """Turns what the engine says of a failed call or start into an error.

    Args:
        failure: What wasmtime said.
        memory: What is known of the guest's memories, if they are limited.
        stack_bytes: What a call may use of the stack.
    """
    if failure.code == _STACK_EXHAUSTED:
        return _stack_exhausted(failure, stack_bytes)
    if failure.code is None:
        return _without_code(failure, memory)
    if memory is None or failure.code not in (_UNREACHABLE, _OUT_OF_BOUNDS, _ALLOCATION_TOO_LARGE):
        return TrapError(failure.cause, guest_traceback=failure.traceback)
    return _under_memory_limit(failure, memory)


def _stack_exhausted(failure: EngineError, stack_bytes: int) -> TrapError:
    hint = f"raise max_stack_bytes in polycall.yaml, which is {stack_bytes}, unless this is a recursion without end"
    message = f"{failure.cause}: a call may use {stack_bytes} bytes of stack"
    return TrapError(message, hint=hint, guest_traceback=failure.traceback)


def _without_code(failure: EngineError, memory: MemoryState | None) -> PolycallError:
    cause = failure.cause
    if _GC_HEAP_FULL.fullmatch(cause):
        return _out_of_memory(failure, memory)
    if failure.traceback is None and _OVER_MEMORY_LIMIT.fullmatch(cause):
        return _over_memory_limit(cause, memory)
    if failure.traceback is None and _TOO_MANY.fullmatch(cause):
        return TooManyMemoriesError(f"the guest has too many memories or tables: {cause}")
    return TrapError(cause, guest_traceback=failure.traceback)


def _under_memory_limit(failure: EngineError, memory: MemoryState) -> PolycallError:
    """Says of a trap whether it was for lack of memory: a guest that is refused some usually aborts like any other."""
    if memory.full or failure.code == _ALLOCATION_TOO_LARGE:
        return _out_of_memory(failure, memory)
    frames = (failure.traceback or "").splitlines()
    unseen = not memory.held_bytes and all(map(_NAMELESS.fullmatch, frames))
    if failure.code != _UNREACHABLE or not (unseen or any(map(_ALLOCATION_FAILED.search, frames))):
        return TrapError(failure.cause, guest_traceback=failure.traceback)
    hint = f"if it was for lack of memory, which cannot be seen here: limits.max_memory_bytes is {memory.limit_bytes}"
    return TrapError(failure.cause, hint=hint, guest_traceback=failure.traceback)


def _out_of_memory(failure: EngineError, memory: MemoryState | None) -> MemoryLimitError:
    hint = None if memory is None else f"raise limits.max_memory_bytes, which is {memory.limit_bytes}"
    message = f"the guest ran out of memory: {failure.cause}"
    return MemoryLimitError(message, hint=hint, guest_traceback=failure.traceback)


def _over_memory_limit(cause: str, memory: MemoryState | None) -> MemoryLimitError:
    hint = "no limits.max_memory_bytes makes room for this"
    if memory is not None:
        hint = f"raise limits.max_memory_bytes, which is {memory.limit_bytes} for all its memories together"
    return MemoryLimitError(f"the guest's {cause}", hint=hint)
