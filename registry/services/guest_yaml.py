"""YAML for guests: read by the rules of the entry files, written so that any reader of YAML gets the same values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polycall.interop.values import Value

__all__ = ["GuestYaml"]


class GuestYaml:
    """The `polycall.interop.protocols.YamlText` that Lua entries get. Few of them use it: what it takes comes then."""

    def encode(self, value: Value, check: Callable[[], None], *, field_order: Sequence[str], indent: int) -> str:
        """Writes a value; see `polycall.interop.protocols.YamlText`."""
        from polycall.registry.services.yaml_writer import write_yaml  # noqa: PLC0415  # see above

        return write_yaml(value, check, field_order, indent)

    def decode(self, text: str, check: Callable[[], None]) -> Value:
        """Reads a document; see `polycall.interop.protocols.YamlText`."""
        from polycall.registry.services.yaml_reader import read_guest_yaml  # noqa: PLC0415  # the same

        return read_guest_yaml(text, check)
