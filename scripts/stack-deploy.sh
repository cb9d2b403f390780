#!/usr/bin/env bash
# Deploys infra/template.yaml to the local stack that localstack/start.sh has started, and prints the
# API's address. Builds the functions first; with --no-build, takes what is in infra/build.
#
# The Authority whose tokens the API takes: EXPORT_JWKS, EXPORT_ISSUER, EXPORT_AUDIENCE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh
source localstack/parts.sh

if [[ ! -e $STACK/env ]]; then
    echo "error: there is no local stack in $STACK; localstack/start.sh starts one" >&2
    exit 1
fi
[[ ${1:-} == --no-build ]] || scripts/functions.sh
source "$STACK/env"

# No profile and no credentials of whoever runs this.
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_DEFAULT_REGION="$AWS_REGION"
unset AWS_PROFILE AWS_SESSION_TOKEN
"$LOCALSTACK/bin/python" -P scripts/stack_deploy.py --template infra/template.yaml --out "$STACK/deployed"
