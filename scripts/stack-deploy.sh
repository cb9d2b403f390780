#!/usr/bin/env bash
# Deploys infra/template.yaml to the local stack that localstack/start.sh has started, and prints the
# API's address. Builds the functions first; with --no-build, takes what is in infra/build.
#
# The Authority whose tokens the API takes: EXPORT_JWKS (a URL, or a file of this machine),
# EXPORT_ISSUER, EXPORT_AUDIENCE; without them, one whose key set is in the stack's folder. A scheduled
# export: EXPORT_SCHEDULE, EXPORT_SCHEDULE_TENANT, EXPORT_SCHEDULE_PROFILE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh
source localstack/parts.sh

if [[ ! -e $STACK/env ]]; then
    echo "error: there is no local stack in $STACK; localstack/start.sh starts one" >&2
    exit 1
fi
# Functions of the local stack run on this machine's processor.
case $(uname -m) in
    aarch64 | arm64) export EXPORT_ARCHITECTURE=arm64 ;;
    *) export EXPORT_ARCHITECTURE=x86_64 ;;
esac
[[ ${1:-} == --no-build ]] || scripts/functions.sh "--$EXPORT_ARCHITECTURE"
source "$STACK/env"

export EXPORT_JWKS="${EXPORT_JWKS:-$STACK/authority/jwks.json}"
export EXPORT_ISSUER="${EXPORT_ISSUER:-https://authority.invalid/export-center}"

# No profile and no credentials of whoever runs this.
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_DEFAULT_REGION="$AWS_REGION"
unset AWS_PROFILE AWS_SESSION_TOKEN
"$LOCALSTACK/bin/python" -P scripts/stack_deploy.py --template infra/template.yaml --out "$STACK/deployed"
