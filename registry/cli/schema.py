"""``polycall schema``: the format of entry files and of ``polycall.yaml``, for editors."""

from __future__ import annotations

import click

from polycall.registry.cli.command import Command
from polycall.registry.cli.output import print_json
from polycall.registry.entries.schema import entry_file_schema, settings_schema

__all__ = ["schema"]


@click.command(cls=Command, short_help="Print the JSON Schema of entry files.")
@click.option("--settings", is_flag=True, help="That of polycall.yaml instead.")
def schema(settings: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of entry files, for editors that check and complete while one types."""
    print_json(settings_schema() if settings else entry_file_schema())
