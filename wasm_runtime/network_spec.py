"""Where on the network a guest may go, as declared for an entry and for a project.

What decides, `polycall.interop.network_rules`, is loaded when there is something to decide: the settings of every
project have these declarations, and most calls need none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polycall.interop.fields import key
from polycall.interop.records import record

if TYPE_CHECKING:
    from polycall.interop.network_rules import NetworkRules

__all__ = ["WasiNetworkSpec"]


def _check_rule(text: str) -> str | None:
    from polycall.interop.network_rules import check_rule  # noqa: PLC0415  # see above

    return check_rule(text)


def _check_listen_rule(text: str) -> str | None:
    from polycall.interop.network_rules import check_listen_rule  # noqa: PLC0415  # see above

    return check_listen_rule(text)


@record
class WasiNetworkSpec:
    """Where on the network a guest may go: for an entry, and as the ceiling for all entries of a project."""

    allow: tuple[str, ...] | None = key(
        "What may be called; without it, what is public.", default=None, element_check=_check_rule
    )
    deny: tuple[str, ...] = key("What may not, whatever is allowed.", default=(), element_check=_check_rule)
    listen: tuple[str, ...] | None = key(
        "Where it may listen; without it, nowhere.", default=None, element_check=_check_listen_rule
    )

    def rules(self) -> NetworkRules:
        """Returns what decides."""
        from polycall.interop.network_rules import NetworkRules  # noqa: PLC0415  # see above

        return NetworkRules.of(self.allow, self.deny, self.listen)
