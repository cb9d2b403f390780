#!/usr/bin/env bash
# A mirror behind an air gap: a full export and three deltas, applied without a network. Made-up evidence.
#
#     make demo-airgap            builds exportctl and runs this
#     KEEP=1 make demo-airgap     keeps the temporary folder, to look around
#
# Also a test: it fails where anything is not as it says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/release/exportctl}")
if [[ ! -x $exportctl ]]; then
    echo "error: $exportctl is not built; run \`make demo-airgap\`" >&2
    exit 1
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/export-center-demo.XXXXXX")
finish() {
    if [[ ${KEEP:-} == 1 ]]; then
        echo "kept: $work (home: EXPORT_HOME=$work/home, mirror: $work/site)"
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
    printf '\n%s%d/6 %s%s\n' "$bold" "$step" "$1" "$plain"
}
say() { printf '%s%s%s\n' "$dim" "$1" "$plain"; }
good() { printf '%s✓%s %s\n' "$green" "$plain" "$1"; }
wrong() {
    printf '%s✗ %s%s\n' "$red" "$1" "$plain" >&2
    exit 1
}
# Shows a command as one would type it, then runs it.
exec 3>&1
run() {
    local shown="$*"
    shown=${shown//$exportctl/exportctl}
    printf '%s$ %s%s\n' "$dim" "${shown//unshare -rn /}" "$plain" >&3
    "$@"
}
# refused CODE WORDS COMMAND…: the command ends with this exit code, and says these words.
refused() {
    local expected=$1 words=$2 code=0
    shift 2
    run "$@" >said 2>&1 || code=$?
    cat said
    [[ $code == "$expected" ]] || wrong "it ended with $code instead of $expected"
    grep -qF -- "$words" said || wrong "it does not say: $words"
}
# The run that a bundle is of.
run_of() {
    tar -xOf "$1" export.json | sed -n 's/.*"run":{[^}]*},"id":"\([^"]*\)".*/\1/p'
}
# Every file that readers see, with its digest.
tree() { (cd "$1/current/" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }

cp -R demo/evidence "$work/evidence"
cd "$work"
cat <<TEXT
${bold}Export Center${plain}: all of the evidence at a site that nothing but media reaches; whole once, then what has
changed. All of it is invented. Everything happens in $work.
TEXT

heading "Export a mirror, then what changes"
say "Twelve advisories, one file each, and indexes to find them by."
run "$exportctl" ledger import --tenant demo evidence/osv
run "$exportctl" run mirror:full --tenant demo --out full.tar -q
say "SBOMs come; then a publisher revises an advisory; then there are VEX statements."
run "$exportctl" ledger import --tenant demo evidence/sbom -q
run "$exportctl" run mirror:delta --base "$(run_of full.tar)" --tenant demo --out delta-1.tar -q
sed -i -e 's/"modified": "[0-9]*/"modified": "2027/' -e 's/"summary": "/&Revised. /' \
    evidence/osv/EXAMPLE-2026-0001.json
run "$exportctl" ledger import --tenant demo evidence/osv/EXAMPLE-2026-0001.json -q
run "$exportctl" run mirror:delta --base "$(run_of delta-1.tar)" --tenant demo --out delta-2.tar -q
run "$exportctl" ledger import --tenant demo evidence/vex evidence/csaf -q
run "$exportctl" run mirror:delta --base "$(run_of delta-2.tar)" --tenant demo --out delta-3.tar -q
run "$exportctl" keys public >signer.pub
ls -l ./*.tar

heading "Carry them over the gap"
say "For media that are smaller: parts, each with its digest."
run "$exportctl" bundle split full.tar --size 20kB --to medium
run "$exportctl" bundle join medium/full.tar.part-* --out carried.tar
cmp full.tar carried.tar || wrong "what was carried is not what was cut"

# From here on the exporting side is out of reach.
mv home elsewhere
export EXPORT_HOME="$work/no-home"
offline=()
if unshare -rn true 2>/dev/null; then
    offline=(unshare -rn)
    say "From here on everything is in an empty network namespace, and without the home."
else
    echo "skipped: network namespace: making one is not permitted here; applying without"
fi
mirror=("${offline[@]}" "$exportctl" mirror)

heading "Apply the full export"
say "The signer's public key is what the site needs to have beforehand. The mirror holds to it."
refused 15 "ERR_NO_KEY" "${mirror[@]}" apply carried.tar --to site
[[ ! -e site/current ]] || wrong "something was applied without a key"
run "${mirror[@]}" apply carried.tar --to site --key signer.pub
[[ $(find site/current/data -type f | wc -l) == 12 ]] || wrong "there are not 12 documents"
say "A person finds a record with what every system has:"
run grep -F '"CVE-1900-0101"' site/current/indexes/by-identifier.jsonl | tee found
found=$(sed -n '1s/.*"path":"\([^"]*\)".*/\1/p' found)
grep -q '"_id":' "site/current/$found" || wrong "the index leads nowhere"

heading "Apply the deltas"
say "The second one first: there is a gap, and the message says what is missing."
before=$(tree site)
refused 17 "apply export $(run_of delta-1.tar) first" "${mirror[@]}" apply delta-2.tar --to site
[[ $(tree site) == "$before" ]] || wrong "a refused delta changed the tree"
for number in 1 2 3; do
    run "${mirror[@]}" apply "delta-$number.tar" --to site
done
say "The third one again: a replay. The full export again: a rollback."
refused 19 ERR_MIRROR_REPLAY "${mirror[@]}" apply delta-3.tar --to site
refused 20 ERR_MIRROR_ROLLBACK "${mirror[@]}" apply full.tar --to site
good "each refused, with a code of its own, and the tree is what it was"

heading "Is it what was signed?"
run "${mirror[@]}" verify --dir site
run "${mirror[@]}" log --dir site
document=$(cd site/current && find data -name '*example-2026-0002*' | head -n 1)
say "Somebody edits a document:"
sed -i 's/"modified":"[0-9]*/"modified":"1999/' "site/current/$document"
refused 22 "$document" "${mirror[@]}" verify --dir site
good "exit code 22: edited, and the file is named"

heading "Is it what a full export gives?"
mv elsewhere home
export EXPORT_HOME="$work/home"
run "$exportctl" run mirror:full --tenant demo --out again.tar -q
run "${mirror[@]}" apply again.tar --to site
run "${mirror[@]}" verify --dir site -q >/dev/null
run "${mirror[@]}" apply again.tar --to fresh --key signer.pub -q >/dev/null
[[ $(tree site) == "$(tree fresh)" ]] || wrong "the trees differ"
good "repaired, and byte for byte the tree of a full export: documents, counts, indexes"

printf '\n%sThat is all.%s docs/mirror.md says how a site is kept.\n' "$bold" "$plain"
