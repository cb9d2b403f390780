#!/usr/bin/env bash
# The canonical form of evidence against the usual JSON libraries, in one process (criterion).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo bench --locked -p export-canonical --bench canonical -- --quiet
