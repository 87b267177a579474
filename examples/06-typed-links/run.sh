#!/bin/sh
# A component in C whose imports are Lua functions.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

echo "--- Twelve pieces: C asks Lua for the rate and for the discount:"
polycall call shop:quote '"PT"' '{"sku": "tea-green", "quantity": 12, "unit-cents": 450}'

echo "--- A country without a rate: what Lua returns is the err of the WIT result, case and all:"
polycall call shop:quote '"ZZ"' '{"sku": "cup", "quantity": 1, "unit-cents": 300}' || echo "status $?"
polycall call shop:quote '"XX"' '{"sku": "cup", "quantity": 1, "unit-cents": 300}' || echo "status $?"

echo "--- What serves what:"
polycall show shop:quote | grep linked

echo "--- And all of it fits:"
polycall check
