"""The plans of components, each made and its component validated once; between runs they are kept on disk."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from polycall._version import __version__
from polycall.wasm_runtime.component import plan as plan_module
from polycall.wasm_runtime.component.plan import Plan
from polycall.wasm_runtime.engine import footprint as footprint_module
from polycall.wasm_runtime.engine.compile_cache import CompileCache
from polycall.wasm_runtime.engine.engine_version import engine_version
from polycall.wasm_runtime.wit import signature as signature_module
from polycall.wasm_runtime.wit import wit_types as types_module

__all__ = ["KeptPlan", "Plans"]

_PROTOCOL = 5
_ROOMS = ("component", "engine", "wit")
"""Where what makes a plan is written down."""


class KeptPlan(NamedTuple):
    """The plan of a valid component.

    Attributes:
        plan: The plan.
        digests: The sha256 of each core module, in the order of the plan, in hexadecimal.
    """

    plan: Plan
    digests: tuple[str, ...]


class Plans:
    """Plans by the digest of the component's bytes. Shared by threads."""

    def __init__(self, cache: CompileCache) -> None:
        self._cache = cache

    @functools.cached_property
    def _maker(self) -> str:
        return _maker()

    def of(self, digest: str, binary: bytes) -> KeptPlan:
        """Returns the plan of a component.

        Args:
            digest: The sha256 of its bytes, in hexadecimal.
            binary: Its bytes.

        Raises:
            PreparationError: It is not valid, or wants what polycall does not have.
        """
        key = hashlib.sha256("\n".join(("plan", digest, self._maker)).encode()).hexdigest()
        return self._kept(key) or self._made(key, binary)

    def _kept(self, key: str) -> KeptPlan | None:
        content = self._cache.load(key)
        if content is None:
            return None
        try:
            plan, digests = _Reader(content).load()
            if not isinstance(plan, Plan) or len(plan.modules) != len(digests):
                raise pickle.UnpicklingError("it is no plan")
        except Exception as error:  # noqa: BLE001  # whatever a reader of pickles may raise
            self._cache.reject(key, f"{type(error).__name__}: {error}")
            return None
        return KeptPlan(plan, digests)

    def _made(self, key: str, binary: bytes) -> KeptPlan:
        # A dozen modules, and most processes find the plans that they need.
        from polycall.wasm_runtime.component.binary import decode  # noqa: PLC0415
        from polycall.wasm_runtime.component.planner import make_plan  # noqa: PLC0415
        from polycall.wasm_runtime.component.validation import validate  # noqa: PLC0415

        component = decode(binary)
        plan = make_plan(component, binary)
        validate(component, binary)
        made = KeptPlan(plan, tuple(hashlib.sha256(binary[start:end]).hexdigest() for start, end in plan.modules))
        try:
            content = pickle.dumps(tuple(made), _PROTOCOL)
        except RecursionError:  # types inside of types inside of types: it is made anew each time
            return made
        self._cache.store(key, content)
        return made


def _maker() -> str:
    """Returns what plans depend on beside the component: who judged it, and who made the plan."""
    versions = [__version__, engine_version()]
    with suppress(OSError):  # no files: an archive, which is as old as its version
        return "\n".join(versions + sorted(_sources()))  # in a checkout, code changes and its version does not
    return "\n".join(versions)


def _sources() -> Iterator[str]:
    for room in _ROOMS:
        with os.scandir(Path(__file__).parent.parent / room) as files:
            for file in files:
                if file.name.endswith(".py"):
                    status = file.stat()
                    yield f"{room}/{file.name} {status.st_size} {status.st_mtime_ns}"


def _classes() -> dict[tuple[str, str], type[Any]]:
    modules = (plan_module, types_module, signature_module, footprint_module)
    found = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    data = [each for each in found if dataclasses.is_dataclass(each) or issubclass(each, tuple)]
    return {(each.__module__, each.__qualname__): each for each in data}


_CLASSES = _classes()


class _Reader(pickle.Unpickler):
    """Reads plans: it makes what a plan is made of, and calls nothing else."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Returns one of the classes of a plan."""
        try:
            return _CLASSES[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is no part of a plan") from None
