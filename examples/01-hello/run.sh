#!/bin/sh
# Calls a Lua function and a WebAssembly function.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

polycall list
polycall call hello:greet --string World
polycall call hello:add 2 3
