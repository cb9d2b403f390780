#!/usr/bin/env bash
# Runs every `sh` block of docs/trivy.md, in order, on the demo's evidence and project.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/debug/exportctl}")
if ! command -v python3 >/dev/null; then
    echo "skipped: the commands of docs/trivy.md: there is no python3 here"
    exit 0
fi
if [[ ! -x $TRIVY ]]; then
    echo "skipped: the commands of docs/trivy.md: Trivy is not installed (scripts/scanners.sh says why)"
    exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/export-center-trivy-doc.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
mkdir "$work/bin"
ln -s "$exportctl" "$work/bin/exportctl"
ln -s "$TRIVY" "$work/bin/trivy"
export PATH="$work/bin:$PATH"
unset EXPORT_HOME EXPORT_TENANT EXPORT_SERVER COSIGN_PASSWORD RUST_LOG EXPORT_LOG

cp -R demo/trivy/project "$work/project"
python3 -m zipfile -c "$work/all.zip" demo/evidence/osv/*.json demo/trivy/evidence/*.json \
    demo/evidence/vex/*.json
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/trivy.md >"$work/commands.sh"
[[ $(grep -c . "$work/commands.sh") -ge 10 ]]
first=$(awk '/^```sh$/ { n++ } n == 1 && !/^```/ { lines++ } /^```$/ && n { exit } END { print lines }' \
    docs/trivy.md)
((first <= 10)) || { echo "error: the first scan takes $first lines" >&2; exit 1; }

cd "$work"
# Without a network, where that can be arranged: the page says that none is needed.
offline=()
unshare -rn true 2>/dev/null && offline=(unshare -rn)
if ! "${offline[@]}" bash -euo pipefail commands.sh >out.txt 2>&1; then
    cat out.txt
    echo "error: a command of docs/trivy.md failed" >&2
    exit 1
fi
expect() {
    grep -q -- "$1" out.txt || { cat out.txt; echo "error: nothing says: $1" >&2; exit 1; }
}
expect 'CVE-1900-0101'
expect 'CVE-1900-0141'
echo "ok: the commands of docs/trivy.md do what it says, the first scan in $first lines"
