#!/usr/bin/env bash
# The HTTP API under load, against nginx in the same run. README.md says what is measured.
#
#     EXPORTCTL      the program [target/release/exportctl]
#     BENCH_RECORDS  generated records of the bundle that is downloaded [1000000, about 320 MB]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
for tool in python3 wrk nginx; do
    command -v "$tool" >/dev/null || [[ -x /usr/sbin/$tool ]] || missing+=("$tool")
done
if ((${#missing[@]} > 0)); then
    echo "skipped: the API under load: ${missing[*]} not installed"
    exit 0
fi
export PATH="$PATH:/usr/sbin"

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/release/exportctl}")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/export-center-bench.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT
unset EXPORT_HOME EXPORT_TENANT EXPORT_SERVER COSIGN_PASSWORD RUST_LOG EXPORT_LOG

python3 benches/api.py --exportctl "$exportctl" --scratch "$scratch" --records "${BENCH_RECORDS:-1000000}"
