#!/usr/bin/env bash
# An export through the functions of the local stack that `make stack` has deployed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source localstack/parts.sh

if [[ ! -e $STACK/deployed ]]; then
    echo "error: nothing is deployed in $STACK; \`make stack\` does it" >&2
    exit 1
fi
source "$STACK/env"

# The first request starts the function.
until=$((SECONDS + 60))
until curl --silent --fail --output /dev/null "$EXPORT_API_URL/health/live"; do
    if ((SECONDS >= until)); then
        echo "error: $EXPORT_API_URL does not answer; logs are in $STACK/logs/functions" >&2
        exit 1
    fi
    sleep 0.2
done
echo "the API answers at $EXPORT_API_URL"
curl --silent --show-error "$EXPORT_API_URL/health/ready"
echo
