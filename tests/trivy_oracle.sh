#!/usr/bin/env bash
# Real advisories (Go, RustSec) against an oracle: at versions on both sides of each border, Trivy with
# our database must report what OSV's ranges say, evaluated by the test itself. A sample of 1,000
# advisories; all of them with `--sample 0`, as `make test-long` does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/debug/exportctl}")
evidence=${EXPORT_EVIDENCE:-../shared/evidence}
for tool in python3 zstd; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: real advisories by Trivy: there is no $tool here"
        exit 0
    fi
done
if [[ ! -x $TRIVY ]]; then
    echo "skipped: real advisories by Trivy: it is not installed (scripts/scanners.sh says why)"
    exit 0
fi
if [[ ! -e $evidence/advisories.jsonl.zst ]]; then
    echo "skipped: real advisories by Trivy: no evidence set at $evidence; set EXPORT_EVIDENCE"
    exit 0
fi
PYTHONDONTWRITEBYTECODE=1 python3 tests/trivy/oracle.py \
    --exportctl "$exportctl" --trivy "$TRIVY" --evidence "$(realpath "$evidence")" \
    --sample 1000 --seed 6 "$@"
