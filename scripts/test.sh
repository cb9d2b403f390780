#!/usr/bin/env bash
# Everything that must hold: form, lints, licences, tests, end-to-end scripts, generated pages.
# Goes on after a failure, so that one run shows all of them. Ends with one plain line:
#
#     N passed, N failed, N skipped
#
# Every skipped check has printed a line `skipped: WHAT: WHY`. Fails if anything failed, or if
# nothing ran.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
source scripts/cache.sh

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0 failures=()

fail() {
    failures+=("$1")
    echo "FAILED: $1"
}

# step NAME COMMAND…: runs COMMAND, shows what it prints and keeps it in $log. Gives its status.
step() {
    local name=$1 start=$SECONDS status
    shift
    echo
    echo "== $name"
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    echo "== $name: $((SECONDS - start)) s"
    return "$status"
}

# Lines of the last step that say that something was skipped. A test's line may follow its name.
count_skipped() {
    grep -cE '(^|\.\.\. )skipped: ' "$log" || true
}

# check NAME COMMAND…: a step that either holds or does not.
check() {
    if step "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        fail "$1"
    fi
    skipped=$((skipped + $(count_skipped)))
}

# cargo_tests: adds up the `test result:` lines of every test binary.
cargo_tests() {
    local status ok bad ignored silent
    step "tests" cargo test --workspace --locked --no-fail-fast -- --show-output
    status=$?
    read -r ok bad ignored < <(awk '
        /^test result: / { ok += $4; bad += $6; ignored += $8 }
        END { print ok + 0, bad + 0, ignored + 0 }' "$log")
    grep -E '^test .* \.\.\. ignored' "$log" | sed 's/^test \(.*\) \.\.\. ignored/skipped: \1: it is marked as ignored/'
    # A test that cannot do its work says so and passes; here it counts as skipped.
    silent=$(count_skipped)
    ((silent > ok)) && silent=$ok
    if ((status != 0 && bad == 0)); then
        bad=1
        fail "tests: cargo test did not get to the end"
    elif ((bad > 0)); then
        while read -r name; do fail "test $name"; done \
            < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | sort -u)
    fi
    if ((ok + bad == 0)); then
        bad=1
        fail "tests: there are none"
    fi
    passed=$((passed + ok - silent))
    failed=$((failed + bad))
    skipped=$((skipped + ignored + silent))
}

step "referees" scripts/referees.sh
skipped=$((skipped + $(count_skipped)))
PATH="$(dirname "$COSIGN"):$PATH"
export PATH
# Tests look for these; what could not be had is not named, so that they skip and say so.
[[ -x $TRIVY ]] || TRIVY=$(trivy_here)
export TRIVY BBOLT TRIVY_DB AGE AGE_VECTORS
for tool in TRIVY BBOLT TRIVY_DB AGE AGE_VECTORS; do
    [[ -x ${!tool} ]] || unset "$tool"
done

# A local stack of its own, or the one whose addresses are given. What of it cannot be had is told
# here, and by each test that would need it.
EXPORT_STACK_DIR=$(mktemp -d "${TMPDIR:-/tmp}/export-center-stack.XXXXXX")
export EXPORT_STACK_DIR
trap 'rm -f "$log"; localstack/stop.sh --wipe >/dev/null' EXIT
step "tools of the stack" localstack/install.sh --check
skipped=$((skipped + $(count_skipped)))
if step "local stack" localstack/start.sh; then
    source "$EXPORT_STACK_DIR/env"
else
    skipped=$((skipped + 1))
    echo "skipped: tests on a stack: it does not start"
fi

check "format" cargo fmt --all --check
check "lints" cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
check "lints of the full build" cargo clippy --workspace --all-targets --all-features --locked --quiet -- -D warnings
check "licences, sources, advisories" scripts/deny.sh
cargo_tests

TARGET=$(realpath -m "${CARGO_TARGET_DIR:-target}")
if step "exportctl with the stack" cargo build --locked --quiet -p exportctl --features stack; then
    rm -f "$TARGET/debug/exportctl-stack"
    cp "$TARGET/debug/exportctl" "$TARGET/debug/exportctl-stack"
    export EXPORTCTL_STACK="$TARGET/debug/exportctl-stack"
else
    failed=$((failed + 1))
    fail "exportctl does not build with the stack"
fi
check "infrastructure" infra/check.sh
if step "exportctl" cargo build --locked --quiet -p exportctl; then
    EXPORTCTL="$TARGET/debug/exportctl"
    export EXPORTCTL
    check "generated pages" scripts/docs.sh --check
    for script in demo/run.sh demo/trivy.sh demo/airgap.sh tests/*.sh; do
        [[ -e $script ]] && check "$script" bash "$script"
    done
else
    failed=$((failed + 1))
    fail "exportctl does not build"
fi

echo
((${#failures[@]})) && printf 'FAILED: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
