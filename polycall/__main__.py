"""``python -m polycall`` and the ``polycall`` command."""

from __future__ import annotations

import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    try:
        from polycall.registry.cli.main import main as run  # noqa: PLC0415  # Ctrl-C may come while modules are imported

        code = run()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
