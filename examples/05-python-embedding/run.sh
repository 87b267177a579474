#!/bin/sh
# polycall inside a Python program.
set -eu
python "$(dirname "$0")/main.py"
