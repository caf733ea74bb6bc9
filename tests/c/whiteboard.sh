#!/usr/bin/env bash
# whiteboard.sh PROGRAM PYTHON: clients in C and Python sit at the whiteboard of the Python server, which is then killed;
# what was saved is there when it comes back.
set -uo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -r "$work"' EXIT
examples=examples/python

said() { # FILE PATTERN
    for _ in $(seq 150); do
        grep -qE "$2" "$1" 2>/dev/null && return 0
        sleep 0.1
    done
    echo "$1 does not say: $2"
    cat "$work"/*.out
    exit 1
}
serve() {
    : >"$work/server.out"
    "$2" $examples/whiteboard_server.py --listen "127.0.0.1:0" --directory "$work/boards" >"$work/server.out" &
    server=$!
    said "$work/server.out" "listening on"
    url=rtmp://$(sed -n 's/listening on //p' "$work/server.out")/whiteboard/room
}

serve "$@"
mkfifo "$work/c.in" "$work/py.in"
"$1" "$url" --name Cee <"$work/c.in" >"$work/c.out" &
exec 3>"$work/c.in"
"$2" $examples/whiteboard_client.py "$url" --name Py <"$work/py.in" >"$work/py.out" &
exec 4>"$work/py.in"
said "$work/c.out" "^here are"
said "$work/py.out" "^here are"
echo "1 2 red" >&3
said "$work/py.out" "1,2 is red"
echo "3 4 blue" >&4
said "$work/c.out" "3,4 is blue"
echo "good morning" >&3
said "$work/py.out" "Cee: good morning"
echo "and to you" >&4
said "$work/c.out" "Py: and to you"
echo "1 2 blank" >&3
said "$work/py.out" "1,2 is blank"
echo "/save" >&3
said "$work/c.out" "^saved version [0-9]+"
kill -9 $server
exec 3>&- 4>&-
serve "$@"
echo "/board" | (cat; sleep 1) | timeout 30 "$1" "$url" >"$work/again.out"
said "$work/again.out" "^3,4 is blue"
