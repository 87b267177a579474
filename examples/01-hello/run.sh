#!/bin/sh
# Calls a Lua function and a WebAssembly function.
set -eu
cd "$(dirname "$0")"

polycall list
polycall call hello:greet --string World
polycall call hello:add 2 3
