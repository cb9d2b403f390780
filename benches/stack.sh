#!/usr/bin/env bash
# Figures of a stack: messages a second, what an idle worker costs, scaling with workers, the memory of
# a large export. README.md says how to read them.
#
#     EXPORTCTL_STACK    the program [built here: --release --features stack]
#     BENCH_GIGABYTES    size of the large export [1]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

if [[ -z ${EXPORTCTL_STACK:-} ]]; then
    cargo build --release --locked --quiet -p exportctl --features stack
    EXPORTCTL_STACK="${CARGO_TARGET_DIR:-target}/release/exportctl"
fi
EXPORTCTL=$(realpath "$EXPORTCTL_STACK")
EXPORT_STACK_DIR=$(mktemp -d "${TMPDIR:-/tmp}/export-center-stack.XXXXXX")
export EXPORTCTL EXPORT_STACK_DIR PYTHONDONTWRITEBYTECODE=1
trap 'localstack/stop.sh --wipe >/dev/null' EXIT
localstack/install.sh
if ! localstack/start.sh; then
    echo "skipped: figures of a stack: it does not start"
    exit 0
fi
source "$EXPORT_STACK_DIR/env"
"$LOCALSTACK/bin/python" benches/stack.py messages idle scaling large --gigabytes "${BENCH_GIGABYTES:-1}"
