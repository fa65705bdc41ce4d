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

tests=(cargo test --release --locked --features ssr)
# Compiled once more for the tests beside the code, and without optimisation, which is most of what that takes.
beside=("${tests[@]}" --lib --config profile.release.package.coinslot.opt-level=0)
across=("${tests[@]}" --bins)
for file in tests/*.rs tests/*/main.rs; do
    name="${file#tests/}"; name="${name%/main.rs}"; name="${name%.rs}"
    [ "$name" = agents ] || across+=(--test "$name") # that one is `make agents-check`
done

phase "compiling the tests beside the code" "${beside[@]}" --no-run
phase "compiling the integration tests" "${across[@]}" --no-run
phase "the tests beside the code" "${beside[@]}"
phase "the integration tests" "${across[@]}"
cd end2end
phase "in a browser" npx playwright test
phase "the author's guide" npm run --silent test:docs
phase "the official clients" npm run --silent test:interop
report
