"""``polycall wit``: what a component is to the outside, and the world that an entry must implement, as WIT."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from polycall.interop.errors import PreparationError
from polycall.registry.binary_hashes import index_without_hashes
from polycall.registry.cli.command import Command, PathType
from polycall.registry.cli.output import print_line, print_text
from polycall.registry.cli.printable import printable
from polycall.registry.cli.session import Session
from polycall.registry.documents.text_edits import replace_file

__all__ = ["wit"]

_MADE_BY = "// Made by polycall wit {}; what is changed here is lost the next time.\n"
_MARK = _MADE_BY.partition("{")[0]


@click.command(cls=Command, short_help="Show or write the WIT of components and entries.")
@click.argument("target", metavar="[ID|FILE]", required=False)
@click.option(
    "-o", "--output", type=PathType("directory", file_okay=False), help="Write the world of the entry ID here."
)
@click.pass_obj
def wit(session: Session, target: str | None, output: Path | None) -> None:
    """Show what a component imports and exports, as WIT text: that of the entry ID, or a FILE.

    Without a target: the interface by which a component calls the registry.

    With --output: the world that a component for the entry ID must implement, as a folder that wit-bindgen, jco,
    componentize-py and wasm-tools take as it is. The binary need not be there: the entry's "wit" says what it exports,
    the "wit" of the entries that its links lead to what it imports.

    \b
    Examples:
      polycall wit app:price
      polycall wit build/price.wasm
      polycall wit app:price --output guests/price/wit
    """  # noqa: D301  # what click looks for is the control character
    from polycall.registry.signatures.entry_world import funcs_wit  # noqa: PLC0415  # loads the engine

    if target is None:
        if output is not None:
            raise click.UsageError("--output needs the ID of an entry")
        print_text(funcs_wit().rstrip())
    elif _is_file(target):
        if output is not None:
            raise click.UsageError("--output is for an entry, which says what it must be")
        print_text(printable(_of_file(Path(target))).rstrip())
    elif output is None:
        print_text(printable(_of_entry(session, target)).rstrip())
    else:
        _write(session, target, output)


def _is_file(target: str) -> bool:
    return "/" in target or target.endswith((".wasm", ".wat"))


def _of_file(path: Path) -> str:
    from polycall.registry.signatures.component_wit import component_wit  # noqa: PLC0415  # as above
    from polycall.wasm_runtime.look import look_at, read_binary  # noqa: PLC0415  # the same

    plan = look_at(read_binary(path), str(path)).plan
    if plan is None:
        raise PreparationError(f"{path} is a core module: its exports have no types but numbers")
    return component_wit(plan)


def _of_entry(session: Session, entry_id: str) -> str:
    from polycall.registry.signatures.component_wit import component_wit, whole_wit  # noqa: PLC0415  # as above
    from polycall.registry.signatures.entry_types import TypesOfEntries  # noqa: PLC0415  # the same
    from polycall.registry.signatures.entry_world import declared_world  # noqa: PLC0415  # the same

    types = TypesOfEntries(index_without_hashes(session.project))
    entry = types.index.get(entry_id)
    plan = types.plan(entry)
    return whole_wit(declared_world(entry, types)) if plan is None else component_wit(plan)


def _write(session: Session, entry_id: str, output: Path) -> None:
    from polycall.registry.signatures.entry_types import TypesOfEntries  # noqa: PLC0415  # as above
    from polycall.registry.signatures.entry_world import world_files  # noqa: PLC0415  # the same

    index = index_without_hashes(session.project)
    entry = index.get(entry_id)
    found = world_files(entry, TypesOfEntries(index))
    texts = {f"deps/{_file_name(name)}.wit": text for name, text in found.packages.items()}
    if not (found.is_own and _has_world(output, found.world)):
        texts["world.wit"] = found.world
    _refuse_overwriting(output, texts)
    for name, text in sorted(texts.items()):
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        replace_file(path, (_MADE_BY.format(entry.id) + text).encode())
        print_line(("wrote  ", "green"), (str(path), ""))


def _has_world(folder: Path, world: str) -> bool:
    """Says whether a folder is the one that the entry has its world from."""
    return any(path.read_text("utf-8", "replace").splitlines() == world.splitlines() for path in folder.glob("*.wit"))


def _refuse_overwriting(output: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        path = output / name
        if path.exists():
            there = path.read_text("utf-8", "replace")
            if not there.startswith(_MARK) and there != text:
                raise PreparationError(f"{path} was not made by polycall wit", hint="choose another folder")


def _file_name(package: str) -> str:
    name, _, version = package.partition("@")
    return name.replace(":", "-") + (f"-{version}" if version else "")
