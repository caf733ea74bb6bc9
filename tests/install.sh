#!/usr/bin/env bash
# Installs the C library: install.sh BUILD_DIR VERSION PREFIX LIBDIR [DESTDIR]. Called by `make install`.
set -euo pipefail
build=$1 version=$2 prefix=$3 libdir=$4 destdir=${5:-}
cd "$(dirname "$0")/.."

# The soname is what the linker wrote into the library, so links and library cannot disagree.
soname=$(readelf -d "$build/librtmpkit.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ -n "$soname" ] || { echo "install: $build/librtmpkit.so has no soname" >&2; exit 1; }
# What a static link needs beside the archive.
private="-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc"

# `fill IN OUT` replaces the @NAMES@ of a template; a name that is not here is a mistake.
fill() {
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@LIBDIR@|$libdir|g" -e "s|@INCLUDEDIR@|$prefix/include|g" \
        -e "s|@VERSION@|$version|g" -e "s|@SONAME@|$soname|g" -e "s|@LIBS_PRIVATE@|$private|g" "$1" >"$2"
    chmod 644 "$2"
    if grep -n '@[A-Z_]*@' "$2"; then echo "install: $1 has names that nothing fills" >&2; exit 1; fi
}

lib=$destdir$libdir include=$destdir$prefix/include
install -d "$lib/pkgconfig" "$lib/cmake/rtmpkit" "$include/rtmpkit"
install -m 644 include/rtmpkit.h* "$include/"
install -m 644 include/rtmpkit/*.hpp "$include/rtmpkit/"
install -m 755 "$build/librtmpkit.so" "$lib/librtmpkit.so.$version"
[ "$soname" = "librtmpkit.so.$version" ] || ln -sf "librtmpkit.so.$version" "$lib/$soname"
ln -sf "$soname" "$lib/librtmpkit.so"
install -m 644 "$build/librtmpkit.a" "$lib/"
fill include/rtmpkit.pc.in "$lib/pkgconfig/rtmpkit.pc"
for template in include/cmake/*.cmake.in; do
    fill "$template" "$lib/cmake/rtmpkit/$(basename "$template" .in)"
done
echo "installed rtmpkit $version under $destdir$prefix"
