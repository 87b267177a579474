#!/bin/sh
# A Lua pipeline: text to records, records through a component, records to a summary.
set -eu
cd "$(dirname "$0")"

polycall call weather:report '"roof 21.5 cellar 12 yard 18.25"' 0.5
polycall call weather:report '"nothing here"' 0 || echo "exit code $?"
