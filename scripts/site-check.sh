#!/usr/bin/env bash
# Does cargo-leptos, where it is installed, make the same site as scripts/site.sh? The same files, and each of nearly the same size: the two
# compile with the same profile, and differ in who makes the script and the style small.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-leptos >/dev/null || { echo "site-check: cargo-leptos is not installed: make dev installs it"; exit; }
scripts/site.sh
LEPTOS_SITE_ROOT=target/site-leptos cargo leptos build --release --precompress --frontend-only
sizes() { (cd "$1" && find . -type f -exec wc -c {} +) | awk '$2 != "total" { print $2, $1 }' | LC_ALL=C sort; }
join -a1 -a2 -e 0 -o 0,1.2,2.2 <(sizes target/site) <(sizes target/site-leptos) | awk '
    { differ = $2 - $3; if (differ < 0) differ = -differ; wrong = $2 == 0 || $3 == 0 || differ > 2048 && differ > $3 / 20 }
    wrong { print "site-check: " $1 " has " $2 " bytes, by cargo-leptos " $3; bad = 1 }
    END { if (bad) exit 1; print "site-check: the same " NR " files" }'
