#!/usr/bin/env bash
# A bundle in the hands of other people's tools, as docs/verifying.md and docs/formats.md tell a
# stranger to use them: cosign, openssl, tar, python3, zstd. Each has to accept what was signed, and
# the ones that verify have to refuse what was altered.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/debug/exportctl}")
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
export EXPORT_HOME="$work/home"
unset EXPORT_TENANT COSIGN_PASSWORD RUST_LOG EXPORT_LOG

failed=0
accepts() {
    local what=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "ok: $what"
    else
        echo "wrong: $what: refused"
        cat "$work/out"
        failed=1
    fi
}
refuses() {
    local what=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "wrong: $what: accepted"
        failed=1
    else
        echo "ok: $what: refused"
    fi
}
has() {
    command -v "$1" >/dev/null || { echo "skipped: $1: it is not installed" && return 1; }
}

"$exportctl" -q ledger import --tenant demo demo/evidence >/dev/null
digest=$("$exportctl" --json run json:policy --tenant demo --out "$work/bundle.tar" \
    | sed -n 's/.*"content_digest":"sha256:\([0-9a-f]*\)".*/\1/p')
"$exportctl" keys public >"$work/signer.pub"
COSIGN_PASSWORD='' "$exportctl" -q keys generate --out "$work/other" >/dev/null
mkdir "$work/bundle"
tar -xf "$work/bundle.tar" -C "$work/bundle"
cd "$work/bundle"
key="$work/signer.pub"
sed 's/"records":/"records" :/' export.json >"$work/altered.json"

if has openssl; then
    base64 -d <export.json.sig >"$work/sig.der"
    accepts "openssl: the signature" \
        openssl dgst -sha256 -verify "$key" -signature "$work/sig.der" export.json
    refuses "openssl: another manifest" \
        openssl dgst -sha256 -verify "$key" -signature "$work/sig.der" "$work/altered.json"
    fingerprint=$(openssl pkey -pubin -in "$key" -outform DER | openssl dgst -sha256 | sed 's/.*= *//')
    accepts "openssl: the key's fingerprint" \
        grep -q "sha256:$fingerprint" <("$exportctl" keys show)
fi

if has cosign; then
    # Without a network, where that can be arranged.
    offline=()
    unshare -rn true 2>/dev/null && offline=(unshare -rn)
    export HOME="$work"
    blob() { "${offline[@]}" cosign verify-blob --key "$1" --insecure-ignore-tlog "${@:2}"; }
    attestation() {
        "${offline[@]}" cosign verify-blob-attestation --key "$1" \
            --bundle provenance.json.sigstore.json --type slsaprovenance1 --insecure-ignore-tlog "$2"
    }
    accepts "cosign: the bundle" blob "$key" --bundle export.json.sigstore.json export.json
    accepts "cosign: the detached signature" blob "$key" --signature export.json.sig export.json
    accepts "cosign: the attestation" attestation "$key" export.json
    refuses "cosign: another manifest" \
        blob "$key" --bundle export.json.sigstore.json "$work/altered.json"
    refuses "cosign: another key" \
        blob "$work/other.pub" --bundle export.json.sigstore.json export.json
    refuses "cosign: the attestation of another manifest" attestation "$key" "$work/altered.json"
fi

if has python3; then
    accepts "python3: every file is the one that was signed" python3 - <<'END'
import hashlib, json, pathlib
manifest = json.load(open("export.json"))
listed = {file["path"]: file for file in manifest["files"]}
there = {str(path) for path in pathlib.Path("payload").rglob("*") if path.is_file()}
assert there == set(listed), there ^ set(listed)
for path, file in listed.items():
    content = pathlib.Path(path).read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    assert (len(content), digest) == (file["size"], file["sha256"]), path
END
fi

if has zstd; then
    by_hand=$(
        cd payload && find . -type f | sed 's|^\./||' | while read -r file; do
            case $file in
            *.zst) content="zstd -dcq $file" name=payload/${file%.zst} ;;
            *) content="cat $file" name=payload/$file ;;
            esac
            printf '%s  %s  %s\n' "$($content | sha256sum | cut -d' ' -f1)" "$($content | wc -c)" \
                "$name"
        done | LC_ALL=C sort -k3 | sha256sum | cut -d' ' -f1
    )
    accepts "zstd, sha256sum: the content digest by hand" test "$by_hand" = "$digest"
    if has python3; then
        # Raw content in the bundle against the files that were imported.
        zstd -dcq payload/advisory/part-00000.jsonl.zst >"$work/advisories"
        accepts "python3: raw content is what was imported" python3 - "$work/advisories" \
            "$root/demo/evidence/osv" <<'END'
import json, pathlib, sys
records = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
raw = {record["subject_key"]: record["content"]["raw"] for record in records}
files = sorted(pathlib.Path(sys.argv[2]).glob("*.json"))
assert len(files) == 12
for file in files:
    assert raw[file.stem] == json.loads(file.read_text(encoding="utf-8")), file
for record in records:
    assert not {"severity", "cvss", "risk_score"} & set(record), record["_id"]
END
    fi
fi

exit "$failed"
