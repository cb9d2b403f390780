# What a contributor runs. `make test` is what continuous integration runs.
#
# Needs rustup (or a Rust of the version in rust-toolchain.toml), make, bash and a C compiler.
# What else is used is put into a cache outside the checkout; docs/development.md says where.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO_TARGET_DIR ?= target
RELEASE := $(CARGO_TARGET_DIR)/release/exportctl

.PHONY: help build demo test lint bench docs toolchain clean-cache

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

toolchain:
	@scripts/toolchain.sh

build: toolchain ## The command line, optimised: target/release/exportctl
	cargo build --release --locked -p exportctl

demo: build ## From evidence to a signed, verified bundle, on made-up evidence
	@EXPORTCTL="$(RELEASE)" demo/run.sh

test: toolchain ## Everything that must hold before a change goes in
	@scripts/test.sh

lint: toolchain ## Formatting, lints, and what is built into the program
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@scripts/deny.sh

bench: build ## Figures: throughput against zstd and openssl, memory, planning
	@EXPORTCTL="$(abspath $(RELEASE))" scripts/bench.sh

docs: toolchain ## The pages that are generated from code: docs/errors.md, docs/cli.md, docs/openapi.json
	@scripts/docs.sh

clean-cache: ## Remove the tools that `make test` has installed
	@source scripts/cache.sh && rm -rf -- "$$CACHE" && echo "removed $$CACHE"
