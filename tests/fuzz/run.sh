#!/usr/bin/env bash
# Runs each fuzz target for SECONDS_EACH (default 60) seconds, starting from its corpus. Needs cargo-fuzz
# (`cargo install cargo-fuzz`) and a compiler that takes sanitizer flags: a nightly, or RUSTC_BOOTSTRAP=1 with a stable one.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v cargo-fuzz >/dev/null || {
	echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2
	exit 1
}
for target in tests/fuzz/fuzz_targets/*.rs; do
	name=$(basename "$target" .rs)
	echo "== $name"
	cargo fuzz run --fuzz-dir tests/fuzz "$name" -- -max_total_time="${SECONDS_EACH:-60}"
done
