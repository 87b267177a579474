#!/bin/sh
# Guests that sleep, and give their place to others meanwhile.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

python sleepers.py
