#!/bin/sh
# A component calls a Lua function; a second entry shows what happens without the grant.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

polycall call relay:shout --string "hello"
polycall call relay:shout --string "" || echo "exit code $?"
polycall call relay:quiet --string "hello" || echo "exit code $?"
