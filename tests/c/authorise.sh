#!/usr/bin/env bash
# authorise.sh PROGRAM: the example lets nobody in without the key, counts viewers, and kicks one. FFmpeg is the client.
set -uo pipefail
work=$(mktemp -d) port=$((20000 + RANDOM % 10000))
url=rtmp://127.0.0.1:$port/live/cam
mkfifo "$work/in"
"$1" --listen "127.0.0.1:$port" --key s3cret <"$work/in" >"$work/out" &
server=$!
exec 3>"$work/in"
trap 'exec 3>&-; kill $(jobs -p) 2>/dev/null; wait; rm -r "$work"' EXIT

said() { # waits until the server has said something
    for _ in $(seq 100); do
        grep -qE "$1" "$work/out" && return 0
        sleep 0.1
    done
    echo "the server did not say: $1"
    cat "$work/out"
    exit 1
}
fails() { ! "$@"; }

said "listening on"
film=(-v error -re -f lavfi -i "testsrc=size=160x120:rate=10" -t 30 -c:v flv1 -f flv)
fails timeout 20 ffmpeg "${film[@]}" "$url?key=wrong" 2>"$work/refused" || exit 1
grep -q "Wrong key" "$work/refused" || { cat "$work/refused"; exit 1; }
timeout 60 ffmpeg "${film[@]}" "$url?key=s3cret" 2>/dev/null &
said "cam is published by client"
fails timeout 20 ffmpeg -v error -i "$url?key=" -f null - 2>/dev/null || exit 1
timeout 60 ffmpeg -v error -i "$url?key=s3cret" -f null - 2>"$work/viewer" &
viewer=$!
said "viewer [0-9]+ came"
echo viewers >&3
said "^1 viewers"
echo "kick $(sed -n 's/^viewer \([0-9]*\) came/\1/p' "$work/out")" >&3
said "^kicked"
said "^viewer [0-9]+ left cam"
wait "$viewer"
echo viewers >&3
said "^0 viewers"
echo quit >&3
wait "$server"
