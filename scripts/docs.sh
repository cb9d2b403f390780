#!/usr/bin/env bash
# Writes the pages that are generated from code. With --check, writes nothing and fails where one
# is not what the code says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exportctl="${EXPORTCTL:-}"
if [[ -z $exportctl ]]; then
    cargo build --quiet --locked -p exportctl
    exportctl="${CARGO_TARGET_DIR:-target}/debug/exportctl"
fi
new=$(mktemp)
trap 'rm -f "$new"' EXIT

stale=0
for page in errors cli; do
    "$exportctl" docs "$page" >"$new"
    if cmp -s "$new" "docs/$page.md"; then
        continue
    elif [[ ${1:-} == --check ]]; then
        echo "docs/$page.md is not what the code says; run \`make docs\`:"
        diff -u "docs/$page.md" "$new" | head -n 40 || true
        stale=1
    else
        cp "$new" "docs/$page.md"
        chmod 0644 "docs/$page.md"
        echo "wrote docs/$page.md"
    fi
done
exit "$stale"
