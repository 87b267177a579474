"""Resources of guests in the hands of others: opaque, bound to the instance that made them."""

from __future__ import annotations

from typing import Any

__all__ = ["ResourceHandle"]


class ResourceHandle:
    """A handle to a resource that a WebAssembly component implements.

    Attributes:
        type: The resource type of the instance; no other instance has the same.
        rep: What stands for the resource inside of the instance.
        lent: Whether it may be used only while the call runs that got it.
        lends: How many calls it is lent to at the moment.
        gone: Whether it was dropped or given away.
    """

    __slots__ = ("__weakref__", "gone", "lends", "lent", "rep", "type")

    def __init__(self, resource_type: Any, rep: Any, *, lent: bool = False) -> None:
        self.type = resource_type
        self.rep = rep
        self.lent = lent
        self.lends = 0
        self.gone = False

    @property
    def name(self) -> str:
        """The name of the resource type."""
        name: str = self.type.name
        return name

    def __repr__(self) -> str:
        """Returns ``<resource cart>``; nothing of the inside of the guest."""
        return f"<resource {self.name}{' (gone)' if self.gone else ''}>"
