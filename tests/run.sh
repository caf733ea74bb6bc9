#!/usr/bin/env bash
# Runs the steps of `make test` in order: run.sh [STEP...] (all of them by default). A failed step does not stop the
# ones after it, but fails the run. The closing line counts the tests that the runners of all steps reported.
set -uo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never} PATH=$PATH:/usr/sbin:/sbin
venv=$PWD/target/venv logs=target/test-logs
mkdir -p $logs

has() { [ -e "$1" ] || { echo "$1 is not here yet: nothing to run"; return 1; }; }

step_setup() { tests/setup.sh; }
step_fmt() { cargo fmt --all --check; }
step_clippy() {
    cargo clippy --workspace --all-targets -- -D warnings &&
        cargo clippy -p rtmp-core --no-default-features -- -D warnings &&
        cargo clippy -p rtmp-core --all-targets -- -D warnings
}
step_doc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps; }
# The C library and the Python package bring the feature rtmpe into the first run; the second is of the core without it.
step_rust() {
    cargo test --workspace --exclude rtmp-tests &&
        cargo test -p rtmp-core --lib --test wire --test session --test engine -- handshake p3_ p19_
}
# The floors without sockets, threads and clock stand alone, and build where there are none.
step_sansio() {
    cargo build -p rtmp-core --no-default-features || return 1
    local wasm=wasm32-unknown-unknown
    has "$(rustc --print target-libdir --target $wasm)" || return 0
    cargo build -p rtmp-core --no-default-features --target $wasm
}
# Programs of other languages on the installed library, by pkg-config and by CMake.
step_hosts() {
    has rtmp-ffi/Cargo.toml || return 0
    tests/hosts.sh
}
# The tests run on the wheel a user would install, not on the source tree.
step_python() {
    has bindings/python/pyproject.toml || return 0
    local wheels=target/wheels-tested
    rm -rf $wheels
    "$venv/bin/maturin" build --release --manifest-path bindings/python/Cargo.toml --interpreter "$venv/bin/python" \
        --out $wheels --quiet &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $wheels/*.whl &&
        # Again by force: the version stays while the contents change.
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $wheels/*.whl &&
        "$venv/bin/python" -m pip check --disable-pip-version-check &&
        (cd bindings/python && "$venv/bin/python" -m pytest -q tests) &&
        (cd target && "$venv/bin/python" -m mypy.stubtest rtmpkit --ignore-missing-stub) || return 1
    local mypy=("$venv/bin/python" -m mypy --strict --python-executable "$venv/bin/python")
    "${mypy[@]}" bindings/python/python/rtmpkit examples/python && (cd bindings/python/tests && "${mypy[@]}" .)
}
# Other people's servers and clients against the example programs, and the load of many players.
step_interop() {
    # The example programs are the other half of these tests.
    has examples/rust/server.rs || { cargo test -p rtmp-tests --lib; return; }
    cargo test -p rtmp-tests
}

# Seconds after which a step is ended: the whole run stays far under what a check may take.
limit() { case $1 in setup) echo 900 ;; fmt) echo 60 ;; *) echo 1200 ;; esac; }

# Tests counted in a step's log: cargo test's and pytest's closing lines; a step without any counts as one.
count() {
    awk -v ok="$2" '
        /^test result: / { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) }; n++; next }
        /^(=+ )?[0-9]+ (passed|failed|error)/ {
            for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^(failed|error)/) f += $(i-1) }; n++ }
        END { if (!n) p = (ok == 0); if (ok != 0 && !f) f = 1; print p + 0, f + 0 }' "$1"
}

if [ "${1:-}" = --step ]; then "step_$2"; exit; fi

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(setup fmt clippy doc sansio rust python hosts interop)
passed=0 failed=0 summary=()
for step in "${steps[@]}"; do
    echo "== $step"
    began=$SECONDS
    timeout --kill-after=20 "$(limit "$step")" "$0" --step "$step" 2>&1 | tee "$logs/$step.log"
    status=${PIPESTATUS[0]}
    read -r p f < <(count "$logs/$step.log" "$status")
    passed=$((passed + p)) failed=$((failed + f))
    verdict=ok; [ "$status" = 0 ] || verdict="FAILED ($status)"; [ "$status" != 124 ] || verdict="FAILED (out of time)"
    summary+=("$(printf '%-8s %4ds  %s' "$step" $((SECONDS - began)) "$verdict")")
    # Without its tools no other step means anything.
    [ "$step" != setup ] || [ "$status" = 0 ] || break
done
printf '\n'
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
