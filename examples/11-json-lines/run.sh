#!/bin/sh
# A job from JSON Lines to JSON Lines, and on to text.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

echo "--- Each order a receipt; the third is no order:"
polycall call app:receipt --each --jobs 2 --keep-going orders.jsonl || echo "status $?"

echo "--- Receipts as text, from a pipe:"
grep -v Carl orders.jsonl | polycall call app:receipt --each | polycall call app:line --each --raw

echo "--- The same lines from Python:"
python report.py
