# What a contributor runs. `make test` is what continuous integration runs.
#
# Needs rustup (or a Rust of the version in rust-toolchain.toml), make, bash and a C compiler.
# What else is used is put into a cache outside the checkout; docs/development.md says where.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO_TARGET_DIR ?= target
STACK := $(abspath $(or $(EXPORT_STACK_DIR),.stack))
RELEASE := $(CARGO_TARGET_DIR)/release/exportctl

.PHONY: help build demo demo-trivy demo-airgap test test-long lint bench docs toolchain clean-cache
.PHONY: stack stack-demo stack-down stack-status

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

toolchain:
	@scripts/toolchain.sh

build: toolchain ## The command line, optimised: target/release/exportctl
	cargo build --release --locked -p exportctl

demo: build ## From evidence to a signed, verified bundle, on made-up evidence
	@EXPORTCTL="$(RELEASE)" demo/run.sh

demo-trivy: build ## From evidence to a database, and a scan of a sample project with it by Trivy
	@scripts/scanners.sh trivy
	@EXPORTCTL="$(RELEASE)" demo/trivy.sh

demo-airgap: build ## A mirror at a site without a network: a full export, deltas, and what is refused
	@EXPORTCTL="$(RELEASE)" demo/airgap.sh

test: toolchain ## Everything that must hold before a change goes in
	@scripts/test.sh

test-long: build ## Every real advisory of the evidence set by Trivy, not a sample of them
	@scripts/scanners.sh trivy
	@EXPORTCTL="$(RELEASE)" tests/trivy_oracle.sh --sample 0

lint: toolchain ## Formatting, lints, and what is built into the program
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@scripts/deny.sh

bench: build ## Figures: throughput against zstd and openssl, memory, planning
	@EXPORTCTL="$(abspath $(RELEASE))" scripts/bench.sh

docs: toolchain ## The pages that are generated from code: docs/errors.md, docs/cli.md, docs/openapi.json
	@scripts/docs.sh

stack: toolchain ## MongoDB, S3 and Lambda on this machine, with the five functions; see docs/stack.md
	@localstack/install.sh
	@localstack/start.sh
	cargo build --locked -p exportctl --features stack
	@source $(STACK)/env && $(CARGO_TARGET_DIR)/debug/exportctl stack migrate
	@scripts/stack-authority.sh $(CARGO_TARGET_DIR)/debug/exportctl
	@source $(STACK)/authority && scripts/stack-deploy.sh

stack-demo: ## An export through the functions of `make stack`
	@demo/stack.sh

stack-status: ## What of the local stack runs, and where
	@localstack/status.sh

stack-down: ## Stop what `make stack` has started; its data stays (localstack/stop.sh --wipe)
	@localstack/stop.sh

clean-cache: ## Remove the tools that `make test` and `make stack` have installed
	@source scripts/cache.sh && rm -rf -- "$$CACHE" && echo "removed $$CACHE"
