#!/bin/sh
# A program in Python that reads a folder.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }
[ -f assets/report.wasm ] || { echo "the component is not built: python tests/guests/build.py report, in the clone" >&2; exit 2; }

echo "--- With a folder that it may read:"
polycall run --dir ./data::/data:ro ./assets/report.wasm

echo "--- Without:"
polycall run ./assets/report.wasm
