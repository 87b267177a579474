"""``polycall list``: the entries of a project."""

from __future__ import annotations

import click

from polycall.registry.cli.command import Command
from polycall.registry.cli.nothing_found import say_nothing_found
from polycall.registry.cli.output import print_json, print_table
from polycall.registry.cli.session import Session
from polycall.registry.cli.watch import Load, run, watch_option
from polycall.registry.entries.entry import Entry

__all__ = ["comment_of", "list_entries", "print_entries"]


@click.command("list", cls=Command, short_help="List the entries of the project.")
@click.option("-n", "--namespace", help="Only this namespace and those below it.")
@click.option("-k", "--kind", help='Only this kind, such as "function.lua" or "function.*".')
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@watch_option
@click.pass_obj
def list_entries(session: Session, namespace: str | None, kind: str | None, as_json: bool, watch: bool) -> int:
    """List the entries of the project: id, kind, and what they say of themselves."""

    def once(load: Load) -> int:
        with load() as registry:
            entries = registry.find(namespace=namespace, kind=kind)
            print_entries(entries, as_json=as_json)
            if not entries:
                say_nothing_found(registry, namespace, kind)
        return 0

    return run(session, once, watch=watch)


def print_entries(entries: list[Entry], *, as_json: bool = False) -> None:
    """Prints ids, kinds and comments."""
    if as_json:
        print_json([_row(entry) for entry in entries])
        return
    rows = [(str(entry.id), entry.kind, comment_of(entry)) for entry in entries]
    print_table(("id", "kind", "comment"), rows, {entry.kind: _style(entry.kind) for entry in entries})


def _style(kind: str) -> str:
    return {"lua": "blue", "wasm": "magenta", "wat": "magenta"}.get(kind.partition(".")[2], "")


def _row(entry: Entry) -> dict[str, str]:
    return {"id": str(entry.id), "kind": entry.kind, "comment": comment_of(entry), "file": str(entry.location)}


def comment_of(entry: Entry) -> str:
    """Returns what an entry says of itself, in one line."""
    text = next((entry.meta[name] for name in ("comment", "description", "title") if entry.meta.get(name)), "")
    return " ".join(str(text).split())
