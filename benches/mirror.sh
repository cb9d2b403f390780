#!/usr/bin/env bash
# Mirrors: a full export and an apply against tar and zstd over the same files, a delta against a full
# export, and memory. README.md says what is measured and how to read it.
#
#     EXPORTCTL         the program [target/release/exportctl]
#     BENCH_DOCUMENTS   how many the comparison with tar is over [100000]
#     BENCH_MANY        how many a delta is planned over; memory is looked at for both [1000000]
#     BENCH_ROUNDS      rounds of each [3]
#     BENCH_DIR         where results.json and, for the while, the scratch files go [a new folder]
#     BENCH_KEEP        1 keeps the scratch files
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/release/exportctl}")
if [[ ! -x $exportctl ]]; then
    echo "error: $exportctl is not built; run \`make bench\`" >&2
    exit 1
fi
for tool in python3 zstd tar; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: mirrors: there is no $tool here"
        exit 0
    fi
done

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
unset EXPORT_HOME EXPORT_TENANT EXPORT_SERVER COSIGN_PASSWORD RUST_LOG EXPORT_LOG SOURCE_DATE_EPOCH

PYTHONDONTWRITEBYTECODE=1 python3 benches/mirror.py \
    --exportctl "$exportctl" \
    --documents "${BENCH_DOCUMENTS:-100000}" --many "${BENCH_MANY:-1000000}" \
    --rounds "${BENCH_ROUNDS:-3}" --scratch "$scratch" --results "$folder/results-mirror.json"
