#!/usr/bin/env bash
# Installs what `make test` needs and the machine lacks. Needs Rust, Python 3 and gcc; quick when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8

venv=target/venv
rtmp_module=/usr/lib/nginx/modules/ngx_rtmp_module.so
stream_module=/usr/lib/nginx/modules/ngx_stream_module.so

die() { echo "setup: $*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "'$*' needs root: run as root, install sudo, or install the packages yourself"; fi
}

# `need COMMAND-OR-FILE PACKAGE` remembers PACKAGE when the command or file is missing.
packages=()
need() {
    case $1 in /*) [ -e "$1" ] && return ;; *) command -v "$1" >/dev/null && return ;; esac
    packages+=("$2")
}

for tool in cargo rustc python3 gcc; do
    command -v "$tool" >/dev/null || die "$tool is missing: install Rust, Python 3 and gcc first"
done
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

PATH=$PATH:/usr/sbin:/sbin
need ffmpeg ffmpeg
need rtmpdump rtmpdump
need nginx nginx
need $rtmp_module libnginx-mod-rtmp
need $stream_module libnginx-mod-stream
need gst-launch-1.0 gstreamer1.0-tools
need /usr/lib/*/gstreamer-1.0/libgstflv.so gstreamer1.0-plugins-good
need /usr/lib/*/gstreamer-1.0/libgstrtmp2.so gstreamer1.0-plugins-bad
need /usr/lib/*/gio/modules/libgiognutls.so glib-networking
need openssl openssl
need cmake cmake
need pkg-config pkg-config
need valgrind valgrind
need g++ g++
need ip iproute2
need unshare util-linux
need readelf binutils
if [ ! -x $venv/bin/python ]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
fi
if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || die "missing and no apt-get to install them with: ${packages[*]}"
    echo "setup: installing ${packages[*]}"
    as_root apt-get update -qq
    # RUNLEVEL=1: the nginx package must not start its own server.
    as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# The stamp is the list that is installed: a changed list installs again.
if ! cmp -s tests/requirements.txt $venv/requirements.stamp; then
    echo "setup: Python tools into $venv"
    [ -x $venv/bin/python ] || python3 -m venv $venv
    $venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt $venv/requirements.stamp
fi
echo "setup: ready"
