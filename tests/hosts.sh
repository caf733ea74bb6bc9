#!/usr/bin/env bash
# Installs the C library into a staging prefix and builds and runs programs against the installed copy: C by pkg-config
# (shared and static), C++ by CMake's find_package, the shared library again under valgrind. Closes with a count.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
stage=$root/target/stage work=$root/target/hosts
rm -rf "$stage" "$work"
mkdir -p "$work"
export PKG_CONFIG_PATH=$stage/lib/pkgconfig LD_LIBRARY_PATH=$stage/lib

passed=0 failed=0
check() {
    local name=$1
    shift
    if "$@" >"$work/$name.log" 2>&1; then
        passed=$((passed + 1)) && echo "ok    $name"
    else
        failed=$((failed + 1)) && echo "FAIL  $name" && sed 's/^/      /' "$work/$name.log" | tail -n 30
    fi
}

strict="-std=c99 -Wall -Wextra -Wpedantic -Werror -O1 -g"
strict_cpp="-std=c++17 -Wall -Wextra -Wpedantic -Werror -O1 -g"

by_pkg_config() { # NAME COMPILER FLAGS SOURCE [pkg-config flag]
    # shellcheck disable=SC2046,SC2086
    $2 $3 "$4" -o "$work/$1" $(pkg-config --cflags --libs ${5:-} rtmpkit)
}
static_build() { # NAME SOURCE: the archive and what rtmpkit.pc says it needs, no shared rtmpkit
    # shellcheck disable=SC2046
    gcc $strict "$2" -o "$work/$1" $(pkg-config --cflags rtmpkit) "$stage/lib/librtmpkit.a" \
        $(pkg-config --libs --static rtmpkit | tr ' ' '\n' | grep -v '^-lrtmpkit$') &&
        ! readelf -d "$work/$1" | grep librtmpkit > /dev/null
}
by_cmake() {
    cmake -S tests/cmake-consumer -B "$work/cmake" -DCMAKE_PREFIX_PATH="$stage" -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$work/cmake"
}
links() {
    local soname
    soname=$(readelf -d "$stage/lib/librtmpkit.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    [ -n "$soname" ] && [ -e "$stage/lib/$soname" ] && [ "$(readlink "$stage/lib/librtmpkit.so")" = "$soname" ]
}
header_alone() { echo "#include <$2>" | $1 -x "$3" $4 -fsyntax-only -I"$stage/include" -; }

# No definition in the C++ header clashes when two parts of a program include it.
two_units() {
    echo '#include <rtmpkit.hpp>
          const char *other() { static std::string text = rtmpkit::version(); return text.c_str(); }' >"$work/one.cpp"
    echo '#include <rtmpkit.hpp>
          const char *other(); int main() { return rtmpkit::version() == other() ? 0 : 1; }' >"$work/two.cpp"
    # shellcheck disable=SC2046,SC2086
    g++ $strict_cpp "$work/one.cpp" "$work/two.cpp" -o "$work/two_units" $(pkg-config --cflags --libs rtmpkit) &&
        "$work/two_units"
}
# What goes through the assembly of AES-GCM counts as uninitialised for valgrind ever after: where there is TLS, addresses
# and leaks are checked alone. The results are right: other TLS programs take them, and a wrong tag would end the connection.
memcheck() { # NAME
    local values=yes
    [[ $1 == *_transports ]] && values=no
    timeout 300 valgrind -q --error-exitcode=9 --undef-value-errors=$values --leak-check=full \
        --errors-for-leak-kinds=definite "$work/$1"
}
# The sanitizer is in, not only asked for.
# Read to the end: grep -q would leave early and end nm by a signal, which counts as its failure.
sanitized() { nm "$work/$1" | grep __asan_init > /dev/null; }

check install make -s install PREFIX="$stage"
check soname links
check c_header_alone header_alone gcc rtmpkit.h c "-std=c99 -Wall -Wextra -Wpedantic -Werror"
for header in rtmpkit.h rtmpkit.hpp rtmpkit/handle.hpp rtmpkit/value.hpp rtmpkit/core.hpp rtmpkit/peer.hpp \
    rtmpkit/server.hpp rtmpkit/client.hpp rtmpkit/relay.hpp rtmpkit/shared_object.hpp; do
    check "cpp_header_alone_$(basename "$header")" header_alone g++ "$header" c++ \
        "-std=c++17 -Wall -Wextra -Wpedantic -Werror"
done
check cpp_header_twice two_units
for source in tests/c/*.c; do
    [ -f "$source" ] || continue
    name=c_$(basename "$source" .c)
    check "${name}_build" by_pkg_config "$name" gcc "$strict" "$source"
    check "${name}_run" timeout 120 "$work/$name"
    check "${name}_asan_build" by_pkg_config "${name}_asan" gcc "$strict -fsanitize=address,undefined" "$source"
    check "${name}_asan_proof" sanitized "${name}_asan"
    check "${name}_asan_run" timeout 120 "$work/${name}_asan"
    check "${name}_valgrind" memcheck "$name"
done
if [ -f tests/c/host.c ]; then
    check c_static_build static_build c_host_static tests/c/host.c
    check c_static_run timeout 120 "$work/c_host_static"
fi
for source in tests/cpp/*.cpp; do
    [ -f "$source" ] || continue
    name=cpp_$(basename "$source" .cpp)
    check "${name}_build" by_pkg_config "$name" g++ "$strict_cpp" "$source"
    check "${name}_run" timeout 120 "$work/$name"
    check "${name}_asan_build" by_pkg_config "${name}_asan" g++ "$strict_cpp -fsanitize=address,undefined" "$source"
    check "${name}_asan_proof" sanitized "${name}_asan"
    check "${name}_asan_run" timeout 120 "$work/${name}_asan"
    check "${name}_valgrind" memcheck "$name"
done
if [ -f tests/cpp/host.cpp ]; then
    check cmake_build by_cmake
    check cmake_run timeout 120 "$work/cmake/host"
    check cmake_static_run timeout 120 "$work/cmake/host_static"
fi
for source in examples/c/*.c; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .c)
    check "example_c_$name" by_pkg_config "example_c_$name" gcc "$strict" "$source"
done
for source in examples/cpp/*.cpp; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .cpp)
    check "example_cpp_$name" by_pkg_config "example_cpp_$name" g++ "$strict_cpp" "$source"
done
check example_c_authorise_run tests/c/authorise.sh "$work/example_c_authorise"
python=target/venv/bin/python
if "$python" -c "import rtmpkit.aio" 2>/dev/null && [ -f examples/python/whiteboard_server.py ]; then
    check c_values_python_run tests/c/values.sh "$work/c_values" "$python"
    check example_c_whiteboard_run tests/c/whiteboard.sh "$work/example_c_whiteboard_client" "$python"
else
    echo "skip  c_values_python_run, example_c_whiteboard_run: the Python package is not installed in target/venv"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
