#!/usr/bin/env bash
# `make test`: every stage in order, with its minutes; the summary counts what was skipped. In CI nothing may be skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
export CARGO_TERM_COLOR=never
export YIHAO_SKIPS="$CARGO_TARGET_DIR/skipped-tests"
mkdir -p "$CARGO_TARGET_DIR"
: >"$YIHAO_SKIPS"
started=$(date +%s)

stage() {
	local name=$1 begin end
	shift
	begin=$(date +%s)
	if ! "$@"; then
		echo "FAILED: $name" >&2
		exit 1
	fi
	end=$(date +%s)
	printf '%-28s %5.1f min\n' "$name" "$(awk "BEGIN { print ($end - $begin) / 60 }")"
}

stage "set-up" tests/setup.sh test
stage "format" cargo fmt --check
stage "lints" cargo clippy --quiet --all-targets -- -D warnings
stage "docs" env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --document-private-items
# All in one: building the binary on its own would build its dependencies once more, without the tests' features.
stage "build" cargo test --quiet --no-run
stage "tests" cargo test --quiet -- --skip e2e:: --skip load::
# These wait more than they compute: more at a time than there are cores.
stage "end to end" cargo test --quiet --test it -- e2e:: --test-threads 6
# Few at a time: each loads the machine, and some look at the clock.
stage "load and faults" cargo test --quiet --test it -- load:: --test-threads 3

skipped=$(sort -u "$YIHAO_SKIPS" | grep -c . || true)
if [ "$skipped" -gt 0 ]; then
	echo "Skipped for want of a tool ($skipped):"
	sort -u "$YIHAO_SKIPS" | sed 's/^/  /'
	[ -n "${YIHAO_CI:-}" ] && exit 1
fi
printf 'All tests passed; %d skipped; %5.1f min in all.\n' "$skipped" "$(awk "BEGIN { print ($(date +%s) - $started) / 60 }")"
