#!/bin/sh
# JavaScript that fetches and calls Lua; Python that reads a folder. Both are built first, which the README explains.
set -eu
cd "$(dirname "$0")"
command -v polycall > /dev/null || { echo "polycall is not on the PATH: say make demo in the clone, then . .venv/bin/activate" >&2; exit 127; }

built=../../.guests-tools/built
for guest in titles words; do
    [ -f "$built/$guest.wasm" ] || { echo "build it first: python ../../tests/guests/build.py $guest" >&2; exit 1; }
done
work=$(mktemp -d)
cp -R _index.yaml lua texts page.html "$work"
mkdir "$work/assets"
cp "$built/titles.wasm" "$built/words.wasm" "$work/assets"
cd "$work"
polycall hash --write > hashes

python -m http.server --bind 127.0.0.1 8765 > served 2>&1 &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
until python -c 'import socket; socket.create_connection(("127.0.0.1", 8765))' 2> /dev/null; do sleep 0.1; done

echo "--- JavaScript fetches a page, Lua finds its title:"
polycall call app:title '"http://127.0.0.1:8765/page.html"'

echo "--- A page that is not there:"
polycall call app:title '"http://127.0.0.1:8765/none.html"'

echo "--- An address that the entry may not call:"
polycall call app:title '"http://127.0.0.1:8766/page.html"' 2>&1 | grep refused

echo "--- Python counts the words of the texts in a folder:"
polycall call app:words '"/texts"'
