"""``polycall show``: one entry, resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from polycall.registry.cli.command import Command
from polycall.registry.cli.description import describe
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.nothing_found import hints_for_missing
from polycall.registry.cli.output import print_json, print_line
from polycall.registry.cli.printable import one_line
from polycall.registry.cli.session import Session
from polycall.registry.registry import Registry

__all__ = ["show", "show_entry"]

_NOT_SHOWN: tuple[Any, ...] = (None, [], {}, "")


@click.command(cls=Command, short_help="Show one entry, resolved.")
@click.argument("entry_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(session: Session, entry_id: str, as_json: bool) -> None:
    """Show the entry ID: what it declares with all defaults, its signature, and the imports it needs and is granted.

    A Lua entry is started for it: what stands outside its functions runs.
    """
    with session.load() as registry, hints_for_missing(registry):
        show_entry(registry, entry_id, as_json=as_json)


def show_entry(registry: Registry, entry_id: str, *, as_json: bool = False) -> None:
    """Prints all that is known of an entry.

    Raises:
        PolycallError: It is not there, or cannot be prepared.
    """
    entry = registry.get(entry_id)
    function = interruptible(lambda: registry.prepare(entry_id)) if registry.callable(entry_id) else None
    description = describe(entry, function, registry.root)
    if as_json:
        print_json(description)
        return
    print_line((f"{entry.id}  {entry.kind}", ""))
    lines = [line for name, value in description.items() if name not in ("id", "kind") for line in _lines(name, value)]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        print_line((f"  {one_line(name):{width}}  {text}", ""))


def _lines(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if value in _NOT_SHOWN:
        return
    if name == "pool":
        yield name, _pool(**value)
    elif name == "source":
        yield name, f"{value['file']}:{value['line']}"
    elif name == "wasi.limits":
        yield name, ", ".join(f"{key} {item}" for key, item in value.items())
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _lines(key if name == "imports" and key in ("granted", "needed") else f"{name}.{key}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield ("" if number else name), _need(**item) if name == "needed" else _text(item)
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):  # of a list: a mount, a variable
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _need(name: str, group: str | None, granted: bool, available: bool, link: Mapping[str, str] | None) -> str:
    if link is not None:
        return f"{name} (linked: {link['target']})"
    if group is None:
        return f"{name} (nobody offers it)"
    if not granted:
        return f"{name} (not granted: {group})"
    return name if available else f"{name} (granted, but not in this version, or not for a core module)"


def _pool(type: str, min_size: int, max_size: int, idle_seconds: float) -> str:
    if type == "inline":
        return "inline, a fresh instance for each call"
    if type == "static":
        return f"static, {max_size} instances"
    least = f"{min_size} to" if min_size else "at most"
    return f"{type}, {least} {max_size} instances"
