"""What can be known of links without a call: that their entries are there, and that signatures fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from polycall.interop.callees import Callees
from polycall.interop.errors import CallDeniedError, NotFoundError, PreparationError
from polycall.interop.ids import cut
from polycall.interop.protocols import ImportNeed, Link
from polycall.interop.signature_text import ok_of, types_of
from polycall.registry.dispatch.route_table import is_callable
from polycall.registry.documents.nodes import join
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.finding import Finding

__all__ = ["Checked", "check_links"]

_LONGEST = 300


class Checked(NamedTuple):
    """What is kept of a function that was prepared for a look at it: the function itself would keep its engine's code.

    Attributes:
        imports: The interfaces that the guest imports.
        signature: What it takes and gives, as text; None if nothing is known.
    """

    imports: Sequence[ImportNeed]
    signature: str | None


def check_links(index: Index, functions: Mapping[str, Checked]) -> Iterator[Finding]:
    """Looks at what the linked imports of all functions lead to.

    Args:
        index: The entries.
        functions: Those of them that were prepared, by id.
    """
    for entry_id, function in functions.items():
        for need in function.imports:
            if need.link is not None:
                yield from _check_link(index.get(entry_id), need.name, need.link, index, functions)


def _check_link(
    entry: Entry, name: str, link: Link, index: Index, functions: Mapping[str, Checked]
) -> Iterator[Finding]:
    def wrong(code: str, message: str, hint: str | None = None) -> Finding:
        return Finding("error", code, entry.problem(join("links", link.declared), f"{entry.id}: {message}", hint))

    try:
        target = index.get(index.linked(link.target))
    except NotFoundError as error:
        yield wrong(error.code, f"{name} has no entry: {error.message}", error.hint)
        return
    if entry.spec.calls is not None and not Callees(entry.spec.calls).allow(str(target.id)):
        yield wrong(CallDeniedError.code, f"{name} leads to {target.id}, which it may not call: add it to its calls")
        return
    if not is_callable(target):
        yield wrong(PreparationError.code, f"{name} leads to {target.id}, of kind {target.kind}, which is not called")
        return
    function = functions.get(str(target.id))
    signature = None if function is None else function.signature
    if signature is not None and not _fits(link.signature, signature):
        imported, served = cut(link.signature, _LONGEST), cut(signature, _LONGEST)
        yield wrong(PreparationError.code, f"{name} is imported as {imported}; {target.id} is {served}")


def _fits(imported: str, served: str) -> bool:
    """Whether types are the same, whatever the parameters are called; a plain result may be the ok of a result."""
    if imported.endswith("..."):  # cut: nobody can tell
        return True
    (wants, result), (takes, gives) = types_of(imported), types_of(served)
    return wants == takes and gives in (result, ok_of(result))
