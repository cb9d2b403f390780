#!/usr/bin/env bash
# An export through the five functions of the local stack that `make stack` has deployed, and the same
# evidence exported in one process: both say the same content.
#
#     make stack-demo
#
# Also a test: it fails where anything is not as it says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source localstack/parts.sh

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/debug/exportctl}")
if [[ ! -e $STACK/deployed || ! -e $STACK/authority ]]; then
    echo "error: nothing is deployed in $STACK; \`make stack\` does it" >&2
    exit 1
fi
source "$STACK/env"
source "$STACK/authority"
api=$EXPORT_API_URL token_endpoint=${EXPORT_TOKEN_ENDPOINT:-}
if [[ -z $token_endpoint ]]; then
    echo "error: this demo asks the dev authority for its token, and the API takes those of another" >&2
    exit 1
fi
# What the functions are told is not for the command line, which works through the API.
unset EXPORT_ISSUER EXPORT_JWKS EXPORT_AUDIENCE

work=$(mktemp -d "${TMPDIR:-/tmp}/export-center-stack-demo.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
export EXPORT_CREDENTIALS="$work/credentials.json" SOURCE_DATE_EPOCH=1791936000 EXPORT_TENANT=demo
unset COSIGN_PASSWORD EXPORT_CONFIG EXPORT_SERVER

heading() { printf '\n%s\n' "$1"; }
wrong() {
    echo "✗ $1" >&2
    exit 1
}
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
# In one process on a home of its own, without the stack.
alone() {
    env -u MONGODB_URI -u EXPORT_BUCKET -u EXPORT_SIGNER -u EXPORT_LEDGER -u EXPORT_QUEUE_PLAN \
        -u EXPORT_QUEUE_ADAPTER -u EXPORT_QUEUE_SIGN -u EXPORT_QUEUE_DISTRIBUTE \
        "$exportctl" --home "$work/home" "$@"
}

heading "1/6 Evidence into the ledger in MongoDB, and into a home"
EXPORT_LEDGER=mongodb "$exportctl" ledger import demo/evidence
alone ledger import --json demo/evidence >"$work/imported"

heading "2/6 A token of the dev authority, bound to a key that stays here"
until=$((SECONDS + 60))
until curl --silent --fail --output /dev/null "$api/health/live"; do
    ((SECONDS < until)) || wrong "$api does not answer; logs are in $STACK/logs/functions"
    sleep 0.2
done
"$exportctl" --server "$api" login --token-endpoint "$token_endpoint"

heading "3/6 A run through api, plan, adapter, sign and distribute, each a function"
"$exportctl" --server "$api" --json run json:raw --out "$work/bundle.tar" >"$work/run"
echo "run $(field run_id <"$work/run"): $(field status <"$work/run"), $(field records <"$work/run") records"

heading "4/6 The bundle verifies offline, by the key in KMS"
"$exportctl" --server "$api" keys public >"$work/key.pub"
alone verify --key "$work/key.pub" "$work/bundle.tar"

heading "5/6 The same evidence in one process has the same content"
here=$(alone --json run json:raw | field content_digest)
there=$(field content_digest <"$work/run")
echo "functions   $there"
echo "one process $here"
[[ $here == "$there" ]] || wrong "they differ"

heading "6/6 A mirror by the functions, and what changes in it, applied to a folder"
field run_id <<<"$("$exportctl" --server "$api" --json run mirror:full --out "$work/full.tar")" >"$work/base"
alone mirror apply "$work/full.tar" --to "$work/site" --key "$work/key.pub"
EXPORT_LEDGER=mongodb "$exportctl" ledger import demo/trivy/evidence
alone ledger import --json demo/trivy/evidence >"$work/imported"
"$exportctl" --server "$api" run mirror:delta --base "$(<"$work/base")" --out "$work/delta.tar"
alone mirror apply "$work/delta.tar" --to "$work/site"
alone --json run mirror:full --out "$work/here.tar" >"$work/run"
alone keys public >"$work/here.pub"
alone --json mirror apply "$work/here.tar" --to "$work/here" --key "$work/here.pub" >"$work/applied"
diff -r "$work/here/current/" "$work/site/current/" || wrong "the mirrors differ"
echo "the tree of the delta is that of a full export in one process, byte for byte"
