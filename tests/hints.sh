#!/usr/bin/env bash
# Prints what to type in another terminal once the server example listens on port $1.
url="rtmp://127.0.0.1:$1/live/stream"
cat <<HINTS

Publish a test picture and tone (another terminal):
  ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 \\
    -c:v libx264 -preset veryfast -tune zerolatency -g 60 -b:v 2500k -pix_fmt yuv420p -c:a aac -f flv $url
or a file of yours:
  ffmpeg -re -i FILE -c copy -f flv $url

Play it:
  ffplay $url
  vlc $url
  rtmpdump --live -r $url -o out.flv

Ctrl-C stops the server.

HINTS
