#!/usr/bin/env bash
# Runs each fuzz target (or those named) for SECONDS_EACH (default 60) seconds, from its corpus. Needs cargo-fuzz
# (`cargo install cargo-fuzz`) and a nightly compiler. What is found lies in target/fuzz; what is worth keeping is put into
# tests/fuzz/corpus by hand, small.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v cargo-fuzz >/dev/null || {
	echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2
	exit 1
}
work="${CARGO_TARGET_DIR:-$PWD/target}/fuzz"
names=("$@")
[ ${#names[@]} -gt 0 ] || names=($(basename -s .rs tests/fuzz/fuzz_targets/*.rs))
for name in "${names[@]}"; do
	echo "== $name"
	mkdir -p "$work/corpus/$name"
	cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir "$work" "$name" "$work/corpus/$name" "tests/fuzz/corpus/$name" -- \
		-max_total_time="${SECONDS_EACH:-60}" -timeout=20 -max_len=8192 -artifact_prefix="$work/failed-$name-"
done
