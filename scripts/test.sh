#!/usr/bin/env bash
# All tests, one phase after the other, and what each took at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

took=()
report() { printf '%s\n' "${took[@]}"; }
phase() { # name, command…
    local name="$1" begun=$SECONDS; shift
    "$@" || { took+=("$(printf '%5d s  %s: FAILED' $((SECONDS - begun)) "$name")"); report; exit 1; }
    took+=("$(printf '%5d s  %s' $((SECONDS - begun)) "$name")")
}
phase "building the site and the binary" make --no-print-directory build
COINSLOT_SITE="$(cat target/site.stamp)"; export COINSLOT_SITE # as `make build` has it, or the binary is compiled again

# Our own code once more, without optimisation: with it, compiling the tests takes twice as long as running them. The binary that the browser meets
# is the optimised one.
tests=(cargo test --release --locked --features ssr --config profile.release.package.coinslot.opt-level=0)

phase "compiling the tests" "${tests[@]}" --no-run
phase "the tests in Rust" "${tests[@]}" --no-fail-fast
cd end2end
phase "in a browser" npx playwright test
phase "the author's guide" npm run --silent test:docs
phase "the official clients" npm run --silent test:interop
report
