"""The command line: one file for each command."""

from __future__ import annotations

from polycall.registry.cli.main import main

__all__ = ["main"]
