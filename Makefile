# Yihao 一号. `make run` starts the exchange, `make test` checks it; `make help` lists the rest.

SHELL := /bin/bash
ARGS ?=

.PHONY: help run test setup-run setup-test build fmt lint doc unit bench soak fuzz prompts clean

help: ## lists the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

run: setup-run ## builds the exchange and starts it with Mianyang's plan; ARGS="--listen 192.0.2.1" and other flags pass through
	@cargo build --release --quiet --bin yihao
	@"$${CARGO_TARGET_DIR:-target}"/release/yihao serve $(ARGS)

test: ## runs every check and test: format, lints, docs, unit, simulation, torture, end to end
	@tests/run.sh

setup-run: ## installs what building needs (as root), or prints the line that does
	@tests/setup.sh run

setup-test: ## installs what the tests need (as root), or prints the line that does
	@tests/setup.sh test

build: ## builds the development binary
	cargo build --bin yihao

fmt: ## formats the code
	cargo fmt

lint: ## clippy with warnings denied
	cargo clippy --all-targets --quiet -- -D warnings

doc: ## the documentation of the code with warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --quiet

unit: ## unit tests only
	cargo test --lib

bench: setup-run ## measures speed; prints one table of ratios and figures; ARGS=--quick takes a minute and a half
	@cargo bench --bench speed -- $(ARGS)

soak: setup-test ## loads the shipped build for 30 minutes, kills it for 10 more, and looks at memory and books; ARGS=6 takes 6 and 2
	@cargo build --release --quiet --bin yihao
	@YIHAO_BINARY="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/yihao" YIHAO_SOAK_MINUTES=$(ARGS) \
		cargo test --quiet --test it -- load:: --ignored --test-threads 1 --nocapture

fuzz: ## runs the fuzz targets for a minute each (needs cargo-fuzz and a nightly compiler)
	@tests/fuzz/run.sh

prompts: ## makes the Mandarin prompts anew with espeak-ng and sox
	dialplans/prompts/make.sh

clean: ## removes what was built
	cargo clean
