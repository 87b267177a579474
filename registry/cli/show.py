"""``polycall show``: one entry, resolved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from interop.pool_spec import PoolPolicy
from interop.protocols import Function, ImportNeed
from registry.cli.session import Session
from registry.entries import Entry

__all__ = ["show"]


@click.command(short_help="Show one entry, resolved.")
@click.argument("entry_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(session: Session, entry_id: str, as_json: bool) -> None:
    """Show the entry ID: what it declares with all defaults, its signature, and the imports it needs and is granted."""
    with session.load() as registry:
        entry = registry.get(entry_id)
        function = registry.prepare(entry_id) if registry.callable(entry_id) else None
        description = _describe(entry, function)
    if as_json:
        click.echo(json.dumps(description, indent=2, ensure_ascii=False, default=str))
        return
    click.echo(f"{entry.id}  {entry.kind}")
    for name, value in description.items():
        if name not in ("id", "kind") and value not in (None, [], {}, ""):
            _echo(name, value)


def _describe(entry: Entry, function: Function | None) -> dict[str, Any]:
    spec = entry.spec
    described: dict[str, Any] = {
        "id": str(entry.id),
        "kind": entry.kind,
        "declared": str(entry.location),
        "meta": _thawed(entry.meta),
    }
    if function is None:
        return {**described, "data": _thawed(entry.data)}
    described["method"] = spec.method
    described["signature"] = None if function.signature is None else str(function.signature)
    described["modules"] = list(getattr(spec, "modules", ()))
    described["imports"] = _imports(spec.imports, function.imports)
    described["pool"] = _pool(spec.pool.policy())
    described["isolation"] = spec.isolation
    described["limits"] = {
        name: limit
        for name in ("max_execution_ms", "max_memory_bytes")
        if (limit := getattr(spec.limits, name)) is not None
    }
    return described


def _imports(declared: Any, needs: Sequence[ImportNeed]) -> Any:
    if isinstance(declared, Mapping):  # Lua: alias to library
        return {alias: str(target) for alias, target in declared.items()}
    return {"granted": list(declared), "needed": [_need(need) for need in needs]}


def _need(need: ImportNeed) -> str:
    if need.group is None:
        return f"{need.name} (nobody offers it)"
    if not need.granted:
        return f"{need.name} (not granted: {need.group})"
    return need.name if need.available else f"{need.name} (granted, but there is no host for it yet)"


def _pool(policy: PoolPolicy) -> str:
    if policy.type == "inline":
        return "inline, a fresh instance for each call"
    if policy.type == "static":
        return f"static, {policy.max_size} instances"
    least = f"{policy.min_size} to" if policy.min_size else "at most"
    return f"{policy.type}, {least} {policy.max_size} instances"


def _thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _thawed(item) for key, item in value.items()}
    return [_thawed(item) for item in value] if isinstance(value, tuple) else value


def _echo(name: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if item not in (None, [], {}, ""):
                _echo(f"{name}.{key}" if name != "imports" else key, item)
    elif isinstance(value, list):
        click.echo(f"  {name:9}  " + ("\n" + " " * 13).join(map(str, value)))
    else:
        click.echo(f"  {name:9}  {value}")
