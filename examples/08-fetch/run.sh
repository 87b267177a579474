#!/bin/sh
# A component in JavaScript that fetches, and calls Lua with what it got.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }
# The server is a Python script beside this one: nothing here leaves the machine.
[ -n "${PORT:-}" ] || exec python serve.py sh run.sh

echo "--- Headlines, fetched by JavaScript and written by Lua:"
polycall call news:headlines "\"http://127.0.0.1:$PORT/headlines\""

echo "--- What is not there:"
polycall call --no-fail-on-err news:headlines "\"http://127.0.0.1:$PORT/missing\"" | sed "s/:$PORT//"

echo "--- An address that the entry may not call, and an entry that may call public ones only:"
polycall call --no-fail-on-err news:headlines '"http://10.0.0.1/headlines"' 2> /dev/null || echo "status $?"
polycall call --no-fail-on-err news:elsewhere "\"http://127.0.0.1:$PORT/headlines\"" 2> /dev/null || echo "status $?"
