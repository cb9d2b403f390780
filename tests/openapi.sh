#!/usr/bin/env bash
# The OpenAPI document in the hands of other people's tools: openapi-spec-validator reads it,
# schemathesis makes requests from it (the same ones every time) and compares the answers with it,
# and jsonschema reads the schemas of profiles that the API gives.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

root=$PWD
exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/debug/exportctl}")

# Into an environment of their own, from PyPI.
install() {
    python3 -m venv "$PREFIX" &&
        "$PREFIX/bin/python" -m pip install --quiet --disable-pip-version-check \
            "openapi-spec-validator==$OPENAPI_SPEC_VALIDATOR_VERSION" \
            "schemathesis==$SCHEMATHESIS_VERSION" cryptography
}
work=$(mktemp -d "${TMPDIR:-/tmp}/export-center-openapi.XXXXXX")
service=
finish() {
    [[ -z $service ]] || { kill "$service" && wait "$service" || true; }
    rm -rf -- "$work"
}
trap finish EXIT

if [[ ! -x $OPENAPI_TOOLS/bin/python ]]; then
    if ! command -v python3 >/dev/null; then
        echo "skipped: schemathesis: there is no python3 here"
        exit 0
    fi
    if ! into "$OPENAPI_TOOLS" install >"$work/install.log" 2>&1; then
        reason=$(tail -n 1 "$work/install.log")
        echo "skipped: schemathesis: it could not be installed (${reason:0:200})"
        exit 0
    fi
fi
python=$OPENAPI_TOOLS/bin/python

"$exportctl" docs openapi >"$work/openapi.json"
"$python" -m openapi_spec_validator "$work/openapi.json" >/dev/null
echo "ok: openapi-spec-validator: the document is OpenAPI 3.1"

export EXPORT_HOME="$work/home"
unset EXPORT_TENANT EXPORT_SERVER COSIGN_PASSWORD RUST_LOG EXPORT_LOG
"$exportctl" --quiet ledger import --tenant demo demo/evidence >/dev/null
"$exportctl" --json serve --listen 127.0.0.1:0 >"$work/serve.json" 2>"$work/serve.log" &
service=$!
until [[ -s $work/serve.json ]]; do
    kill -0 "$service" || { cat "$work/serve.log"; exit 1; }
    read -rt 0.05 <> <(:) || true
done
EXPORT_SERVER=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$work/serve.json")
export EXPORT_SERVER PYTHONPATH="$root/tests/openapi" PYTHONDONTWRITEBYTECODE=1
# The service is on this machine, whatever proxy there is to others.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

cd "$work"
"$python" "$root/tests/openapi/profile_schemas.py"
echo "ok: jsonschema: every kind's schema takes its default and nothing that it does not name"

checks=not_a_server_error,status_code_conformance,content_type_conformance
checks+=,response_schema_conformance
if ! SCHEMATHESIS_HOOKS=hooks timeout 120 "$python" -m schemathesis.cli run openapi.json \
    --url "$EXPORT_SERVER" --checks "$checks" --phases examples,coverage,fuzzing \
    --seed 1 --max-examples 25 --request-timeout 10 --warnings off >fuzzed.log 2>&1; then
    cat fuzzed.log
    exit 1
fi
kill -0 "$service"
if grep -q panicked serve.log; then
    cat serve.log
    exit 1
fi
echo "ok: schemathesis: $(sed -n 's/^ *\([0-9]* generated, [0-9]* passed\).*/\1/p' fuzzed.log)"
