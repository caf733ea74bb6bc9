#!/usr/bin/env bash
# values.sh PROGRAM PYTHON: vectors and dictionaries go between C and Python, each as client and as server.
set -uo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'exec 3>&-; wait; rm -r "$work"' EXIT
mkfifo "$work/in"

# SERVER CLIENT: the client is told where the server listens; both must end well.
swap() {
    : >"$work/out"
    # shellcheck disable=SC2086
    $1 <"$work/in" 3>&- >"$work/out" 2>&1 &
    server=$!
    exec 3>"$work/in"
    for _ in $(seq 150); do
        grep -q "^listening on" "$work/out" && break
        sleep 0.1
    done
    # shellcheck disable=SC2086
    timeout 60 $2 "$(sed -n 's/^listening on //p' "$work/out")"
    local client=$?
    exec 3>&-
    wait $server
    local served=$?
    [ $client = 0 ] && [ $served = 0 ] && return 0
    echo "$1 ended with $served, $2 with $client"
    cat "$work/out"
    return 1
}

swap "$1 serve" "$2 tests/python/values.py" && swap "$2 tests/python/values.py" "$1"
