#!/bin/sh
# Tenants of a web application upload Lua, and each gets what its plan allows.
set -eu
cd "$(dirname "$0")"
python -c "import fastapi, httpx" 2> /dev/null || { echo "this example needs two packages: pip install fastapi httpx" >&2; exit 127; }

python tenants.py
