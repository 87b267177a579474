#!/bin/sh
# A component calls a Lua function; a second entry shows what happens without the grant.
set -eu
cd "$(dirname "$0")"

polycall call relay:shout --string "hello"
polycall call relay:shout --string ""
polycall call relay:quiet --string "hello" || echo "exit code $?"
