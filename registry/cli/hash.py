"""``polycall hash``: the hashes of binaries, compared and written."""

from __future__ import annotations

import click

from polycall.registry.binary_hashes import BinaryHash, binary_hashes, write_hashes
from polycall.registry.cli.command import Command
from polycall.registry.cli.output import print_line, print_table
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say

__all__ = ["hash_binaries"]

_FOUND_DIFFERENCES = 1


@click.command("hash", cls=Command, short_help="Compare or write the hashes of binaries.")
@click.argument("entry_ids", metavar="[ID]...", nargs=-1)
@click.option("--write", is_flag=True, help="Write each hash that differs into its entry file.")
@click.pass_obj
def hash_binaries(session: Session, entry_ids: tuple[str, ...], write: bool) -> int:
    """Compute the sha256 of the binaries that function.wasm entries name, all or those of ID.

    Each line has the id, the hash that is declared ("none" if there is none) and that of the file. The exit code is 1
    if they differ. With --write the entry files are brought up to date, and nothing else in them changes.
    """
    hashes = binary_hashes(session.project, entry_ids)
    if not hashes:
        say("no hashes here: only function.wasm entries have one")
        return 0
    if not write:
        _show(hashes)
        return _FOUND_DIFFERENCES if any(found.differs for found in hashes) else 0
    files = write_hashes(hashes)
    changed = [found for found in hashes if found.differs]
    print_table(("id", "written"), [(found.entry_id, found.actual) for found in changed])
    if files:
        print_line((f"wrote {len(changed)} of {len(hashes)} hashes, in {', '.join(files)}", ""))
    else:
        print_line((f"nothing to write: {len(hashes)} hashes are right", ""))
    return 0


def _show(hashes: list[BinaryHash]) -> None:
    rows = [(found.entry_id, _declared(found), found.actual) for found in hashes]
    wrong = {_declared(found): "red" for found in hashes if found.differs}
    print_table(("id", "declared", "actual"), rows, wrong)


def _declared(found: BinaryHash) -> str:
    return "none" if found.declared is None else " ".join(found.declared.split()) or '""'
