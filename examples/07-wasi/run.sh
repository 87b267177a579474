#!/bin/sh
# WebAssembly as commands of the shell, and guests that sleep.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

echo "--- A filter in C, as a command of the project:"
printf 'one\ntwo\nthree\n' | polycall run app:number

echo "--- The same file without a project, in the middle of a pipeline:"
seq 1 100000 | polycall run ./assets/number.wasm | tail -n 1

echo "--- A hundred guests asleep:"
python sleepers.py
