#!/usr/bin/env bash
# trivy:db and trivy:java-db in the hands of the real Trivy, without a network: every ecosystem and
# operating system on both sides of each fix, hostile evidence, altered databases (which must not
# pass), a registry, other orders and numbers of workers. What is expected is written down in
# tests/trivy/, from the evidence's own text; scans are compared as whole sets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/debug/exportctl}")
if ! command -v python3 >/dev/null; then
    echo "skipped: scans by Trivy: there is no python3 here"
    exit 0
fi
if [[ ! -x $TRIVY ]]; then
    echo "skipped: scans by Trivy: it is not installed (scripts/scanners.sh says why)"
    exit 0
fi
more=()
[[ -x $BBOLT ]] && more+=(--bbolt "$BBOLT")
[[ -x $DOCKER_REGISTRY ]] && more+=(--registry "$DOCKER_REGISTRY")
[[ -x $TRIVY_DB ]] && more+=(--trivy-db "$TRIVY_DB")
PYTHONDONTWRITEBYTECODE=1 python3 tests/trivy/acceptance.py \
    --exportctl "$exportctl" --trivy "$TRIVY" "${more[@]}" "$@"
