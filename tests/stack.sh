#!/usr/bin/env bash
# Exports on a real stack: MongoDB, SQS, S3 and KMS as localstack/start.sh has started them. The same
# content everywhere, bad weather, and processes that are killed.
#
# Needs the environment of a local stack (scripts/test.sh loads it), EXPORTCTL_STACK, the program with
# the stack's backends, and Python with boto3 and pymongo (LocalStack's has them).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

if [[ -z ${MONGODB_URI:-} || -z ${AWS_ENDPOINT_URL:-} || -z ${S3_ENDPOINT:-} ]]; then
    echo "skipped: exports on a stack: no local stack runs (localstack/start.sh says why)"
    exit 0
fi
if [[ -z ${EXPORTCTL_STACK:-} ]]; then
    echo "skipped: exports on a stack: EXPORTCTL_STACK does not name the program that can use one"
    exit 0
fi
EXPORTCTL=$(realpath "$EXPORTCTL_STACK")
export EXPORTCTL PYTHONDONTWRITEBYTECODE=1
unset EXPORT_CONFIG

failed=0
check() {
    echo "-- $*"
    "$LOCALSTACK/bin/python" "$@" || { failed=1; echo "FAILED: $*"; }
}

# The functions, deployed as `make stack` does it, and an export through them.
source localstack/parts.sh
if [[ ! -x $CARGO_LAMBDA || ! -e $STACK/env ]]; then
    echo "skipped: the functions: cargo-lambda or the stack's own LocalStack is not there"
elif scripts/functions.sh && "$EXPORTCTL" stack migrate && scripts/stack-authority.sh "$EXPORTCTL" \
    && (source "$STACK/authority" && scripts/stack-deploy.sh --no-build) && demo/stack.sh; then
    source "$STACK/deployed"
    source "$STACK/authority"
    export EXPORT_API_URL EXPORT_TOKEN_ENDPOINT
    check tests/stack/functions.py
    unset EXPORT_ISSUER EXPORT_JWKS EXPORT_AUDIENCE
else
    failed=1
    echo "FAILED: an export through the functions"
fi

check tests/stack/same_content.py
check tests/stack/sealed.py
check tests/stack/weather.py
check tests/stack/killed.py workers
if [[ -x ${SECANTUSD:-} ]]; then
    check tests/stack/killed.py database
else
    echo "skipped: a database that is killed: SECANTUSD does not name one that can be"
fi
check tests/stack/killed.py queue
exit "$failed"
