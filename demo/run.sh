#!/usr/bin/env bash
# From evidence to a signed, verified bundle, on made-up evidence and in a temporary home.
#
#     make demo             builds exportctl and runs this
#     KEEP=1 make demo      keeps the temporary folder, to look around
#
# Also a test: it fails where anything is not as it says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/release/exportctl}")
if [[ ! -x $exportctl ]]; then
    echo "error: $exportctl is not built; run \`make demo\`" >&2
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

# Nothing of the user's own settings, and times that are the same everywhere: so the digests of
# this demo are the same on every machine.
export EXPORT_HOME="$work/home" SOURCE_DATE_EPOCH=1791936000
unset EXPORT_TENANT COSIGN_PASSWORD RUST_LOG EXPORT_LOG

bold='' dim='' red='' green='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31;1m' green=$'\e[32;1m' plain=$'\e[0m'
fi

step=0
heading() {
    step=$((step + 1))
    printf '\n%s%d/7 %s%s\n' "$bold" "$step" "$1" "$plain"
}
say() { printf '%s%s%s\n' "$dim" "$1" "$plain"; }
good() { printf '%s✓%s %s\n' "$green" "$plain" "$1"; }
wrong() {
    printf '%s✗ %s%s\n' "$red" "$1" "$plain" >&2
    exit 1
}

# Shows a command as one would type it, then runs it.
exec 3>&1
shown() {
    printf '%s$ %s%s\n' "$dim" "${1//$exportctl/exportctl}" "$plain" >&3
}
run() {
    shown "$*"
    "$@"
}
# The same, with its output in a file.
run_into() {
    shown "${*:2} > $1"
    "${@:2}" >"$1"
}

# The content digest that a bundle's manifest states.
content_digest() {
    tar -xOf "$1" export.json | sed -n 's/.*"content_digest":"\(sha256:[0-9a-f]*\)".*/\1/p'
}

cp -R demo/evidence "$work/evidence"
cd "$work"
cat <<TEXT
${bold}Export Center${plain}: security evidence out of the ledger, complete, unaltered, signed, and the
same bytes every time. Everything happens in $work.
TEXT

heading "Import evidence"
say "12 OSV advisories, 2 CycloneDX SBOMs, 2 OpenVEX documents, a CSAF advisory, what a partner's"
say "feed delivered, and the findings of a policy engine. All of it is invented."
run "$exportctl" ledger import --tenant demo evidence
say "The same again adds nothing:"
run "$exportctl" ledger import --tenant demo evidence | head -n 1

heading "Export it raw"
say "As it came: every number as its publisher wrote it, nothing derived."
run "$exportctl" run json:raw --tenant demo --out raw.tar

heading "Export it with decisions"
say "The same evidence, byte for byte, and the findings of policy snapshot policy-2026-10-15."
run "$exportctl" run json:policy --tenant demo --out bundle.tar
tar -tf raw.tar | grep '^payload/.*/part-' | while read -r file; do
    cmp -s <(tar -xOf raw.tar "$file") <(tar -xOf bundle.tar "$file") \
        || wrong "$file is not the same in both bundles"
done
good "the raw evidence is the same in both"

heading "Verify it offline"
say "With the signer's public key, which is all that a receiver needs to have beforehand."
run_into signer.pub "$exportctl" keys public
offline=()
if unshare -rn true 2>/dev/null; then
    offline=(unshare -rn)
    say "In an empty network namespace: there is no network to ask."
else
    echo "skipped: network namespace: making one is not permitted here; verifying without"
fi
run "${offline[@]}" "$exportctl" verify bundle.tar --key signer.pub --deep

heading "Verify it without us"
if command -v openssl >/dev/null; then
    mkdir unpacked
    run tar -xf bundle.tar -C unpacked
    run_into signature.der base64 -d unpacked/export.json.sig
    run openssl dgst -sha256 -verify signer.pub -signature signature.der unpacked/export.json
    say "export.json names the SHA-256 of every file, so that signature covers all of them."
else
    echo "skipped: openssl: it is not installed"
fi

heading "Export it again"
run "$exportctl" run json:policy --tenant demo --workers 4 --out again.tar -q >/dev/null
first=$(content_digest bundle.tar) second=$(content_digest again.tar)
echo "first:  $first"
echo "second: $second"
[[ -n $first && $first == "$second" ]] || wrong "the content digests differ"
good "same evidence, same content"

heading "Flip one bit"
member=payload/advisory/part-00000.jsonl.zst
# A member begins at the block in which its name stands.
header=$(LC_ALL=C grep -abo "$member" bundle.tar | awk -F: '$1 % 512 == 0 { print $1; exit }')
at=$((header + 512 + 100))
byte=$(od -An -tu1 -j "$at" -N 1 bundle.tar)
cp bundle.tar altered.tar
# shellcheck disable=SC2059  # The format is the byte.
printf "\\x$(printf '%02x' $((byte ^ 1)))" \
    | dd of=altered.tar bs=1 seek="$at" conv=notrunc status=none
say "The lowest bit of byte $at, which lies in $member, is another one."
code=0
run "$exportctl" verify altered.tar --key signer.pub >verdict 2>&1 || code=$?
cat verdict
[[ $code == 11 ]] || wrong "verify ended with $code instead of 11 (altered)"
grep -qF "$member" verdict || wrong "verify does not name $member"
good "exit code 11: altered, and the file is named"

printf '\n%sThat is all.%s docs/verifying.md says how to check such a bundle with cosign, too.\n' \
    "$bold" "$plain"
