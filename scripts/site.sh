#!/usr/bin/env bash
# Makes target/site, what a browser loads: the page's wasm, script and style in `pkg`, and the files of `public`, each also compressed.
# The steps are cargo-leptos' own, with what a fresh machine has in a minute; `make site-check` compares the two. What did not change is kept.
set -euo pipefail
cd "$(dirname "$0")/.."

site=target/site
cache="${COINSLOT_CACHE:-$HOME/.cache/coinslot}"
bin=end2end/node_modules/.bin
compiled="${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/wasm-release/page.wasm"
digest() { sha256sum "$@" | sha256sum | cut -c1-24; }

cargo build --locked --package page --target wasm32-unknown-unknown --profile wasm-release

# The page's program, by what it was compiled to and by what writes its script: half a gigabyte of work that a change of style does not repeat.
page="$cache/page/$(digest "$compiled" crates/page-bindgen/Cargo.toml end2end/package-lock.json scripts/site.sh)"
if [ ! -d "$page" ]; then
    version="$(awk '$0 == "name = \"wasm-bindgen\"" { getline; gsub(/version = |"/, ""); print }' Cargo.lock)"
    made="$(mktemp -d)"
    if command -v wasm-bindgen >/dev/null && [ "$(wasm-bindgen --version)" = "wasm-bindgen $version" ]; then
        wasm-bindgen --target web --no-typescript --remove-name-section --out-name coinslot --out-dir "$made" "$compiled"
    else
        cargo run --quiet --locked --profile build-tool --package page-bindgen -- "$compiled" "$made" coinslot
    fi
    "$bin/wasm-opt" -Oz --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals \
        --enable-reference-types --enable-multivalue "$made/coinslot_bg.wasm" -o "$made/coinslot.wasm"
    # The script asks for its wasm by the name that wasm-bindgen gives it; the site's is shorter.
    sed -i.before 's/coinslot_bg\.wasm/coinslot.wasm/g' "$made/coinslot.js"
    "$bin/esbuild" --log-level=warning --minify --format=esm --target=es2022 "$made/coinslot.js" --outfile="$made/minified.js"
    mv "$made/minified.js" "$made/coinslot.js"
    rm -f "$made/coinslot_bg.wasm" "$made/coinslot.js.before"
    rm -rf "$cache/page" && mkdir -p "$cache/page" && mv "$made" "$page" # the last one is enough
fi

# The whole site, by all that is in it.
stamp="$(find "$page" public style scripts/site.sh -type f | LC_ALL=C sort | tr '\n' '\0' | xargs -0 sha256sum | sha256sum | cut -c1-24)"
[ "$(cat target/site.stamp 2>/dev/null)" = "$stamp" ] && exit
rm -rf "$site" && mkdir -p "$site/pkg"
cp -R public/. "$site"
cp -R "$page"/. "$site/pkg"
"$bin/esbuild" --log-level=warning --bundle --minify style/main.css --outfile="$site/pkg/coinslot.css"
node --input-type=module - "$site" <<'JS'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
const site = process.argv[2];
for (const name of readdirSync(site, { recursive: true })) {
  const file = `${site}/${name}`;
  if (!statSync(file).isFile()) continue;
  const bytes = readFileSync(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
}
JS
echo "$stamp" >target/site.stamp
