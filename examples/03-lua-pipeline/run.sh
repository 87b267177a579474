#!/bin/sh
# A Lua pipeline: text to records, records through a component, records to a summary.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

polycall call weather:report '"roof 21.5 cellar 12 yard 18.25"' 0.5
polycall call weather:report '"nothing here"' 0 || echo "exit code $?"
