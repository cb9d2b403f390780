#!/usr/bin/env bash
# Both digests of a record in one pass, against the sha2 crate twice, in one process (criterion).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo bench --locked -p export-digest --bench digest -- --quiet
