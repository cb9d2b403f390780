#!/usr/bin/env bash
# exportctl from end to end, against zstd and openssl in the same run. README.md says what is
# measured and how to read it.
#
#     EXPORTCTL        the program [target/release/exportctl]
#     EXPORT_EVIDENCE  folder with real evidence [../shared/evidence]; generated records without it
#     BENCH_BYTES      least canonical bytes of the large data set [1000000000]
#     BENCH_ROUNDS     rounds of what is slow; what is quick has five at least [3]
#     BENCH_DIR        where results.json and, for the while, the scratch files go [a new folder]
#     BENCH_KEEP       1 keeps the scratch files
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
for tool in python3 zstd openssl tar; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if ((${#missing[@]} > 0)); then
    echo "error: the benchmark needs ${missing[*]}" >&2
    exit 1
fi

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/release/exportctl}")
if [[ ! -x $exportctl ]]; then
    echo "error: $exportctl is not built; run \`make bench\`" >&2
    exit 1
fi

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

# Nothing of the user's own settings.
unset EXPORT_HOME EXPORT_TENANT COSIGN_PASSWORD RUST_LOG EXPORT_LOG SOURCE_DATE_EPOCH

python3 benches/end_to_end.py \
    --exportctl "$exportctl" \
    --evidence "${EXPORT_EVIDENCE:-../shared/evidence}" \
    --bytes "${BENCH_BYTES:-1000000000}" \
    --rounds "${BENCH_ROUNDS:-3}" \
    --scratch "$scratch" \
    --results "$folder/results.json"
