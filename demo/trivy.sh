#!/usr/bin/env bash
# From evidence to a vulnerability database, and scans with it by Trivy, without a network.
#
#     make demo-trivy            builds exportctl, installs Trivy and runs this
#     KEEP=1 make demo-trivy     keeps the temporary folder, to look around
#
# Also a test: it fails where anything is not as it says. Where Trivy cannot be had, it says so and shows
# what the database holds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh
trivy=$TRIVY

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/release/exportctl}")
if [[ ! -x $exportctl ]]; then
    echo "error: $exportctl is not built; run \`make demo-trivy\`" >&2
    exit 1
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/export-center-demo.XXXXXX")
finish() {
    if [[ ${KEEP:-} == 1 ]]; then
        echo "kept: $work (home: EXPORT_HOME=$work/home)"
    else
        rm -rf -- "$work"
    fi
}
trap finish EXIT

export EXPORT_HOME="$work/home" SOURCE_DATE_EPOCH=1791936000
unset EXPORT_TENANT EXPORT_SERVER COSIGN_PASSWORD RUST_LOG EXPORT_LOG

bold='' dim='' red='' green='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31;1m' green=$'\e[32;1m' plain=$'\e[0m'
fi
step=0
heading() {
    step=$((step + 1))
    printf '\n%s%d/5 %s%s\n' "$bold" "$step" "$1" "$plain"
}
say() { printf '%s%s%s\n' "$dim" "$1" "$plain"; }
good() { printf '%s✓%s %s\n' "$green" "$plain" "$1"; }
wrong() {
    printf '%s✗ %s%s\n' "$red" "$1" "$plain" >&2
    exit 1
}
run() {
    local shown="$*"
    shown=${shown//$exportctl/exportctl}
    printf '%s$ %s%s\n' "$dim" "${shown//$trivy/trivy}" "$plain"
    "$@"
}
# shows PATTERN FILE / hides PATTERN FILE: what a scan must and must not show.
shows() { grep -qF -- "$1" "$2" || wrong "the scan does not show $1"; }
hides() { ! grep -qF -- "$1" "$2" || wrong "the scan shows $1"; }

cp -R demo/evidence demo/trivy/project demo/trivy/image.cdx.json "$work"
cp demo/trivy/evidence/*.json "$work/evidence/osv/"
cd "$work"
cat <<TEXT
${bold}Export Center${plain}: a team's own evidence as the database of the team's own scanner. All of it is
invented: the packages, their flaws, the project. Everything happens in $work.
TEXT

heading "Import evidence"
say "Advisories for npm, Go, Maven, PyPI, crates.io and Debian, two SBOMs, VEX statements."
run "$exportctl" ledger import --tenant demo evidence

heading "Make a database"
run "$exportctl" run trivy:db --tenant demo --out bundle.tar
run "$exportctl" unpack bundle.tar --trivy-cache cache
say "What is in it, and what of the evidence Trivy has no words for:"
tar -xOf bundle.tar payload/summary.json
echo
run "$exportctl" inspect bundle.tar --unmapped

heading "Make it again"
run "$exportctl" run trivy:db --tenant demo --workers 4 --out again.tar -q >/dev/null
run "$exportctl" unpack again.tar --trivy-cache again
cmp cache/db/trivy.db again/db/trivy.db || wrong "the databases differ"
good "the same evidence gives the same database, byte for byte: $(sha256sum cache/db/trivy.db | cut -c -16)…"

if [[ ! -x $trivy ]]; then
    echo "skipped: scans by Trivy: it could not be installed (scripts/scanners.sh trivy says why)"
    exit 0
fi
offline=()
if unshare -rn true 2>/dev/null; then
    offline=(unshare -rn)
else
    echo "skipped: network namespace: making one is not permitted here; scanning without"
fi
scan() {
    run "${offline[@]}" "$trivy" "$1" --cache-dir cache --skip-db-update --skip-java-db-update \
        --offline-scan --scanners vuln --quiet "${@:2}"
}

heading "Scan a project, and an image's SBOM"
scan fs project | tee project.txt
for number in 0101 0102 0104 0106 0141; do shows "CVE-1900-$number" project.txt; done
# Fixed at the project's versions, or before them.
for number in 0103 0105 0111 0142; do hides "CVE-1900-$number" project.txt; done
shows CVE-1900-0112 project.txt
scan sbom image.cdx.json | tee image.txt
shows CVE-1900-0143 image.txt
hides CVE-1900-0144 image.txt
good "what the evidence says of these versions, and nothing else"

heading "Take the team's decisions into account"
say "The evidence says that storefront 2.4.0 is not affected by CVE-1900-0104. The advisory stays in the"
say "database; the statement is a document beside it, that Trivy takes with --vex."
tar -xOf bundle.tar payload/vex/openvex.json >openvex.json
scan sbom evidence/sbom/storefront-2.4.0.cdx.json >plain.txt
shows CVE-1900-0104 plain.txt
scan sbom --vex openvex.json evidence/sbom/storefront-2.4.0.cdx.json | tee decided.txt
hides CVE-1900-0104 decided.txt
shows CVE-1900-0101 decided.txt
good "CVE-1900-0104 is gone, the others are not"
