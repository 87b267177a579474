#!/bin/sh
# A program in C as a filter of the shell.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

echo "--- In a pipeline:"
printf 'paid by 4111111111111111 for order 1234\nrefund of 99 to DE02120300000000202051\n' | polycall run pipe:mask | sort -r

echo "--- With an argument, shorter numbers go too:"
printf 'paid by 4111111111111111 for order 1234\n' | polycall run pipe:mask 4

echo "--- What it says of a mistake, and its exit status:"
polycall run pipe:mask 1000 < /dev/null 2>&1 || echo "status $?"

echo "--- Without a project, by its file:"
printf 'call 0123456789\n' | polycall run ./assets/mask.wasm

echo "--- Sixteen million bytes, in and out:"
yes 'a line with 123456789 in it' | head -c 16000000 | polycall run pipe:mask | wc -c | tr -d ' '
