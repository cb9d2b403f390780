#!/usr/bin/env bash
# trivy:db against the builder of Trivy's own database, from the same made-up advisories: time, size,
# how long a scan takes, and memory. README.md says what is measured and how to read it.
#
#     EXPORTCTL         the program [target/release/exportctl]
#     BENCH_ADVISORIES  how many both build from [50000]
#     BENCH_MEMORY      at how many the memory is looked at [100000 1000000]
#     BENCH_ROUNDS      rounds of building; scans have five at least [3]
#     BENCH_DIR         where results.json and, for the while, the scratch files go [a new folder]
#     BENCH_KEEP        1 keeps the scratch files
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/release/exportctl}")
if [[ ! -x $exportctl ]]; then
    echo "error: $exportctl is not built; run \`make bench\`" >&2
    exit 1
fi
scripts/scanners.sh
[[ -x $TRIVY ]] || TRIVY=$(trivy_here)
if [[ ! -x $TRIVY_DB ]]; then
    echo "skipped: trivy:db against trivy-db's builder: it could not be had"
    exit 0
fi
more=()
[[ -x $TRIVY ]] && more+=(--trivy "$TRIVY")
[[ -x $BBOLT ]] && more+=(--bbolt "$BBOLT")

folder=${BENCH_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/export-center-bench.XXXXXX")}
mkdir -p "$folder"
scratch=$(mktemp -d "$folder/scratch.XXXXXX")
finish() {
    if [[ ${BENCH_KEEP:-} == 1 ]]; then
        echo "kept: $scratch"
    else
        rm -rf -- "$scratch"
    fi
}
trap finish EXIT
unset EXPORT_HOME EXPORT_TENANT COSIGN_PASSWORD RUST_LOG EXPORT_LOG SOURCE_DATE_EPOCH

PYTHONDONTWRITEBYTECODE=1 python3 benches/trivy.py \
    --exportctl "$exportctl" --trivy-db "$TRIVY_DB" "${more[@]}" \
    --advisories "${BENCH_ADVISORIES:-50000}" --memory "${BENCH_MEMORY:-100000 1000000}" \
    --rounds "${BENCH_ROUNDS:-3}" --scratch "$scratch" --results "$folder/results-trivy.json"
