"""The export that an entry's ``method`` names."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from polycall.interop.errors import MissingExportError, PreparationError
from polycall.interop.ids import suggestion
from polycall.wasm_runtime.component.names import compatible, unversioned
from polycall.wasm_runtime.component.plan import ExportedInstance, LiftedFunction, RefusedFunction
from polycall.wasm_runtime.engine.guest_text import listed, look_alike, shown

__all__ = ["START", "commands", "exported_function", "the_export"]

START = "_start"
"""The export that runs a command, from its beginning to its end: nothing else of it is called then or later."""

_RUN = "wasi:cli/run"

_NESTED = (
    'the component exports "{1}" as an instance inside of the instance "{0}"; '
    "only its own functions and those of its own instances can be called, so export it at the top"
)


def the_export(method: str, exports: Collection[str], nested: Collection[str] = ()) -> str:
    """Returns `method` if it is exported.

    Args:
        method: The entry's.
        exports: The functions that can be called.
        nested: Instances inside of exported instances, as ``outer#inner``: what they hold cannot be called.

    Raises:
        MissingExportError: It is not; the hint lists what is.
    """
    if method in exports:
        return method
    for name in nested:
        if method == name or method.startswith(f"{name}#"):
            raise MissingExportError(f'no export "{method}"', hint=_NESTED.format(*map(shown, name.split("#", 1))))
    near = look_alike(method, exports) or suggestion(method, exports)
    # The only export there is, if it is near enough to be meant, is named once.
    hints = [near] if near and len(exports) == 1 else [near, _listed(exports)]
    raise MissingExportError(f'no export "{method}"', hint="; ".join(hint for hint in hints if hint))


def _listed(exports: Collection[str]) -> str:
    if not exports:
        return "it exports no functions"
    return f"it exports {listed(sorted(exports))}"


def _full_name(method: str, exports: Collection[str]) -> str:
    """Returns the export that a method means: its interface may have no version, or a compatible one."""
    if method in exports or "#" not in method:
        return method
    interface, _, function = method.rpartition("#")
    fits = [
        name
        for name in exports
        if name.rpartition("#")[2] == function and _may_stand_for(interface, name.rpartition("#")[0])
    ]
    return fits[0] if len(fits) == 1 else method


def _may_stand_for(wanted: str, exported: str) -> bool:
    if not wanted:  # "#name": whoever calls a file by hand need not know its interface
        return True
    return wanted == unversioned(exported) if "@" not in wanted else compatible(wanted, exported)


def exported_function(method: str, exports: ExportedInstance) -> LiftedFunction:
    """Returns the function of a component that an entry's ``method`` names: ``name``, or ``interface#name``.

    The interface may stand there without its version, or with one that is compatible with that of the component.

    Raises:
        MissingExportError: There is none; the hint lists those that there are.
        PreparationError: It cannot be called.
    """
    functions = dict(exports.functions)
    for interface, instance in exports.instances.items():
        functions |= {f"{interface}#{name}": found for name, found in instance.functions.items()}
    method = _full_name(method, functions)
    nested = [f"{name}#{inner}" for name, instance in exports.instances.items() for inner in instance.instances]
    found = functions[the_export(method, functions, nested)]
    if isinstance(found, LiftedFunction):
        return found
    if isinstance(found, RefusedFunction):
        raise PreparationError(f'the export "{shown(method)}" {found.refusal}')
    raise PreparationError(
        f'the export "{shown(method)}" is an import that the component hands on: there is nothing of its own to call'
    )


def commands(exports: ExportedInstance) -> Iterator[LiftedFunction]:
    """Yields what runs a program: ``_start`` of a core module, ``run`` of each version of ``wasi:cli/run``.

    An instance runs it once: a C library traps when it is begun a second time, for its first end was its last.
    """
    found = [exports.functions.get(START)]
    found += [each.functions.get("run") for name, each in exports.instances.items() if unversioned(name) == _RUN]
    yield from (each for each in found if isinstance(each, LiftedFunction))
