#!/bin/sh
# The whole job: a C and a JavaScript component and Lua functions, called from a shell.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

echo "--- An order goes through C, JavaScript and Lua:"
polycall call shop:checkout - < order.json

echo "--- The tax rule alone, in Lua:"
polycall call shop:tax --string PT:11970

echo "--- The component alone, in C, as JSON:"
polycall call shop:price '[{"sku": "cup", "quantity": 2, "unit-cents": 300}]' '"DE"'

echo "--- A country without a rate:"
sed 's/"PT"/"XX"/' order.json | polycall call shop:checkout - || echo "exit code $?"
