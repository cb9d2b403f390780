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
for file in errors.md cli.md openapi.json; do
    "$exportctl" docs "${file%.*}" >"$new"
    if cmp -s "$new" "docs/$file"; then
        continue
    elif [[ ${1:-} == --check ]]; then
        echo "docs/$file is not what the code says; run \`make docs\`:"
        diff -u "docs/$file" "$new" | head -n 40 || true
        stale=1
    else
        cp "$new" "docs/$file"
        chmod 0644 "docs/$file"
        echo "wrote docs/$file"
    fi
done
# The settings of a stack are checked by a test of their crate.
if [[ ${1:-} != --check ]]; then
    EXPORT_WRITE_DOCS=1 cargo test --quiet --locked -p export-stack --test documented >/dev/null
    echo "wrote docs/configuration.md"
fi
exit "$stale"
