"""``python -m polycall`` and the ``polycall`` command."""

from __future__ import annotations

import sys

from registry.cli.main import main as run

__all__ = ["main"]


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
