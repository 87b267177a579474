"""What is said where nothing was found: an empty project, a filter that fits nothing, an id that is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from polycall.interop.errors import NotFoundError
from polycall.interop.ids import suggestion
from polycall.registry.cli.printable import one_line
from polycall.registry.cli.stderr import say
from polycall.registry.registry import Registry

__all__ = ["hints_for_missing", "say_nothing_found"]

_MAKE_ONE = "polycall add --template lua NAME makes one"


def say_nothing_found(registry: Registry, namespace: str | None, kind: str | None) -> None:
    """Says on stderr why a list is empty, in one line and the warnings of a project without entries."""
    if not len(registry):
        _show_warnings(registry)
        say(f"no entries here: {_MAKE_ONE}")
        return
    wanted = [f"{name} {one_line(value)}" for name, value in (("namespace", namespace), ("kind", kind)) if value]
    near = suggestion(namespace or "", {entry.id.namespace for entry in registry}) if namespace else None
    near = near or (suggestion(kind, {entry.kind for entry in registry}) if kind else None)
    say(f"no entries of {' and '.join(wanted)}" + (f" ({near})" if near else ""))


@contextmanager
def hints_for_missing(registry: Registry) -> Iterator[None]:
    """Adds to an error about an entry that is not there what would mend it."""
    try:
        yield
    except NotFoundError as error:
        if not len(registry):
            _show_warnings(registry)
            error.hint = f"there are no entries here: {_MAKE_ONE}"
        elif error.hint is None and error.entry_id is not None and error.entry_id not in registry:
            form = "" if ":" in error.entry_id else 'an id is a namespace and a name, such as "app:greet"; '
            error.hint = f"{form}polycall list has all of them"
        raise


def _show_warnings(registry: Registry) -> None:
    for warning in registry.warnings:
        if warning.file != ".":  # that there is nothing at all is said anyway
            say(one_line(f"warning: {warning}"))
