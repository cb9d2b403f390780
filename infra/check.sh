#!/usr/bin/env bash
# Checks the template and the scripts around it, one line a check: `ok: …`, `FAILED: …`, or
# `skipped: WHAT: WHY` where a tool is not there (localstack/install.sh --check installs them).
# Fails if any check does.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
source scripts/cache.sh

failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

check() { # NAME COMMAND…
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        echo "ok: $name"
    else
        echo "FAILED: $name"
        sed 's/^/    /' "$log"
        failed=1
    fi
}

python=$SAM_TOOLS/bin/python
if [[ -x $python ]]; then
    check "cfn-lint" "$python" "$SAM_TOOLS/bin/cfn-lint" infra/template.yaml
    check "sam validate" env SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 \
        "$python" -m samcli validate --lint -t infra/template.yaml
else
    echo "skipped: cfn-lint, sam validate: they are not installed"
    python=$LOCALSTACK/bin/python
fi
if [[ -x $python ]]; then
    "$python" -P infra/assertions.py infra/template.yaml || failed=1
else
    echo "skipped: what the template promises: there is no Python with PyYAML"
fi

shellcheck=$SHELLCHECK
[[ -x $shellcheck ]] || shellcheck=$(command -v shellcheck || true)
if [[ -n $shellcheck ]]; then
    check "shellcheck" "$shellcheck" -x -S warning localstack/*.sh infra/*.sh scripts/*.sh
else
    echo "skipped: shellcheck: it is not installed"
fi

# The executor, with a stand-in for a function.
if [[ -x $LOCALSTACK/bin/python ]]; then
    check "executor" env PYTHONPATH="$PWD/localstack/executor" PYTHONDONTWRITEBYTECODE=1 \
        "$LOCALSTACK/bin/python" -P -m unittest discover -s localstack/executor
else
    echo "skipped: executor: LocalStack is not installed"
fi
exit "$failed"
