# The commands of the README. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run dev build library site binary site-check test test-llm interop agents-check bench-402 lint clean

# Everything that is built for more than one checkout lives here, so that a fresh clone on the same machine is warm.
export COINSLOT_CACHE ?= $(HOME)/.cache/coinslot
export CARGO_TARGET_DIR ?= $(COINSLOT_CACHE)/target
export PATH := $(COINSLOT_CACHE)/tools/bin:$(CURDIR)/end2end/node_modules/.bin:$(HOME)/.cargo/bin:$(PATH)
export LEPTOS_SITE_ROOT := target/site

# Debian's Chromium where Playwright's own is not there; PostgreSQL's programs are found by the tests themselves.
export CHROMIUM ?= $(shell scripts/setup.sh chromium)
# The binary itself, not npm's shim, so that a signal reaches it.
export ANVIL ?= $(shell scripts/setup.sh anvil)
# With the official x402 client in it.
export X402_PYTHON ?= $(shell scripts/setup.sh python)
# With a small language model in it, where `make test-llm` has put one.
export LLM_PYTHON ?= $(shell scripts/setup.sh llm-python)

help: ## says what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## installs what is missing to build and run, and for tests with `make setup FOR=test`
	@scripts/setup.sh $(or $(FOR),run)

run: ## sets up, builds and opens the demo: a local chain, a demo wallet, play money
	@scripts/setup.sh run
	@$(MAKE) --no-print-directory build
	@exec dist/coinslot demo

# A site of its own: `make build` would take the unoptimised page for a finished one.
dev: ## serves from the sources and builds again at each change; needs a chain: `anvil --block-time 0.4 --slots-in-an-epoch 1`
	@scripts/setup.sh dev
	LEPTOS_SITE_ROOT=target/site-dev COINSLOT_NETWORKS=$${COINSLOT_NETWORKS:-local} COINSLOT_PAY_TO=$${COINSLOT_PAY_TO:-0xc0157070c0157070c0157070c0157070c0157070} \
		cargo leptos watch -- serve

# The library and the page have nothing of each other: they are compiled at the same time, and share make's job slots, so that there are never
# more compilers than cores. `+` hands the slots on.
CORES := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)

build: ## leaves the one file dist/coinslot
	@$(MAKE) --no-print-directory -j$(CORES) library site
	@$(MAKE) --no-print-directory binary

library:
	+@cargo build --release --locked --features ssr --lib

site:
	+@scripts/site.sh

site-check: ## where cargo-leptos is installed: it makes the same site
	@scripts/site-check.sh

# What the site is made of; the binary's file that embeds it is compiled again when this changes.
EMBED = COINSLOT_SITE="$$(cat target/site.stamp)"

# The linker that Rust brings for this target keeps functions of equal code once: 2.5 MB of the binary.
comma := ,
FOLD = $(if $(findstring host: x86_64-unknown-linux-gnu,$(shell rustc -vV)),-C link-arg=-Wl$(comma)--icf=all)

# The binary holds the site.
binary:
	@$(EMBED) cargo rustc --release --locked --features ssr --bin coinslot -- $(FOLD)
	@mkdir -p dist
	@cp -f $(CARGO_TARGET_DIR)/release/coinslot dist/.coinslot
	@strip dist/.coinslot 2>/dev/null || true # names that only a debugger reads: a third of the file; a panic still says its file and line
	@if cmp -s dist/.coinslot dist/coinslot; then rm dist/.coinslot; else mv -f dist/.coinslot dist/coinslot; fi

test: ## everything, with no internet: units, both databases, a real chain node, a real browser against dist/coinslot
	@scripts/setup.sh test
	@scripts/test.sh

test-llm: ## the language model's client and what stands on it, against a small real model (127 MB, once)
	@scripts/setup.sh llm
	LLM_PYTHON="$$(scripts/setup.sh llm-python)" cargo test --release --locked --features ssr --test model real -- --nocapture

interop: ## as programs buy: the official x402 clients against dist/coinslot, the one for Rust too (compiles it: 2 min)
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory build
	cd end2end && npm run --silent test:interop && npm run --silent test:interop-rust

agents-check: ## the agents' answers against solc, cast, viem, trafilatura and sumy, as a table
	@scripts/setup.sh agents
	cargo test --release --locked --features ssr --test agents

bench-402: ## unpaid 402s a second on one core: ours, bare axum with the same bytes, @x402/express (1 min, once it is built)
	@scripts/setup.sh bench
	@$(MAKE) --no-print-directory build
	@cargo build --release --locked $(BENCH)
	@$(CARGO_TARGET_DIR)/release/bench-402 dist/coinslot end2end/bench/express.mjs

# Together with the server, so that it is made of the server's own libraries, as they are compiled already.
BENCH = --package coinslot --package bench-402 --features coinslot/ssr --bin bench-402

lint: ## formatting, and no warning on either side
	@scripts/setup.sh run
	cargo fmt --all --check
	@features() { cargo tree --locked --features ssr --prefix none --format '{p} {f}' --edges "$$1" | sed 's/ (\*)//' | sort -u; }; \
	twice="$$(comm -23 <(features normal,build) <(features normal,build,dev))"; \
	[ -z "$$twice" ] || { echo "compiled once for the binary and again for its tests: Cargo.toml gives these the features that the tests ask for"; echo "$$twice"; exit 1; }
	cargo clippy --release --locked --features ssr --all-targets -- -D warnings # in the profiles of the build, whose macros are compiled already
	cargo clippy --release --locked --features ssr --test agents -- -D warnings # no part of "all targets": it is run by name alone
	cargo clippy --profile wasm-release --locked --features hydrate --lib --target wasm32-unknown-unknown -- -D warnings
	cargo clippy --profile build-tool --locked --package page-bindgen -- -D warnings
	cargo clippy --release --locked $(BENCH) -- -D warnings
	cd end2end && if [ -f tsconfig.json ]; then npx tsc --noEmit; fi
	node scripts/lint-release.mjs

clean: ## removes what was built here; the cache outside stays
	rm -rf dist target/site target/site-dev
