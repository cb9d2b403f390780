#!/usr/bin/env bash
# What files sealed with age are checked with: the `age` command with `age-keygen`, and the test vectors
# of the format (c2sp.org/CCTV/age). Installs what is missing into the cache, and says of what cannot be had
# why the tests that need it will be skipped. Never fails: a missing referee is loud, not fatal.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

command_of_age() {
    GOBIN="$PREFIX/bin" GOFLAGS=-trimpath GOTOOLCHAIN=local \
        go install "filippo.io/age/cmd/age@$AGE_VERSION" "filippo.io/age/cmd/age-keygen@$AGE_VERSION"
}

# They are files of a Go module, which the module cache keeps read-only.
vectors() {
    local module
    cd "$PREFIX" && module=$(GOTOOLCHAIN=local GOWORK=off \
        go mod download -json "c2sp.org/CCTV/age@$AGE_VECTORS_VERSION" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') &&
        [[ -d $module/testdata ]] && cp -- "$module"/testdata/* . && chmod -R u+w .
}

# install WHAT IS_THERE FOLDER COMMAND: unless IS_THERE exists, makes FOLDER with COMMAND (see `into`).
install() {
    local what=$1 log reason
    [[ ! -e $2 ]] || return 0
    if ! command -v go >/dev/null; then
        echo "skipped: $what: there is no Go here to get it with"
        return 0
    fi
    echo "installing $what into $CACHE (once; less than a minute)"
    log=$(mktemp)
    if ! into "$3" "$4" >"$log" 2>&1; then
        reason=$(tail -n 1 "$log")
        echo "skipped: $what: it could not be installed (${reason:0:200})"
    fi
    rm -f "$log"
}

install "age $AGE_VERSION" "$AGE" "$(dirname "$(dirname "$AGE")")" command_of_age
install "age's test vectors" "$AGE_VECTORS" "$AGE_VECTORS" vectors
