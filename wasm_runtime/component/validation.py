"""Whether a component is valid: the engine's own validator says so, of the component's skeleton.

There is no second validator beside it. What is checked here once per binary is what every unchecked call relies on; the
few things that a wrong one would end the process with, the planner checks itself.
"""

from __future__ import annotations

import ctypes
import re
from ctypes import c_void_p

import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.definitions import Component
from polycall.wasm_runtime.component.skeleton import skeleton
from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.engine_errors import take_error
from polycall.wasm_runtime.engine.native import address_of

__all__ = ["validate"]

_OFFSET = re.compile(r" \(at offset 0x[0-9a-f]+\)")  # in the skeleton, which nobody but the engine sees


def validate(component: Component, binary: bytes) -> None:
    """Asks the engine whether a component is valid, the bodies of its core modules aside.

    Call this behind `make_plan`, which bounds what the engine has to do.

    Args:
        component: Its definitions.
        binary: Its bytes.

    Raises:
        PreparationError: It is not valid.
    """
    engine = _engine()
    checked = skeleton(component, binary) or binary
    made = c_void_p()
    error = native.component_new(address_of(engine.ptr()), checked, len(checked), ctypes.addressof(made))
    if error:
        raise PreparationError(f"does not compile: {_OFFSET.sub('', take_error(error).cause)}")
    native.component_delete(made.value)


def _engine() -> wasmtime.Engine:
    """Returns an engine of its own: it knows every feature that a component may define without ever using it.

    Nothing runs in it, so it compiles fast instead of well, and in this thread: it would also do so in a forked child.
    """
    config = wasmtime.Config()
    config.cranelift_opt_level = "none"
    config.parallel_compilation = False
    config.wasm_threads = False
    config.shared_memory = False
    for switch_on in native.config_component_features:
        switch_on(address_of(config.ptr()), True)
    return wasmtime.Engine(config)
