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

install_cosign() {
    GOBIN="$PREFIX/bin" GOFLAGS=-trimpath \
        go install "github.com/sigstore/cosign/v3/cmd/cosign@$COSIGN_VERSION"
}

if [[ ! -x $COSIGN ]]; then
    if ! command -v go >/dev/null; then
        echo "skipped: cosign: there is no Go here to build it with"
    else
        echo "installing cosign $COSIGN_VERSION into $CACHE (once; about two minutes)"
        log=$(mktemp)
        if ! into "$(dirname "$(dirname "$COSIGN")")" install_cosign >"$log" 2>&1; then
            reason=$(tail -n 1 "$log")
            echo "skipped: cosign: it could not be built (${reason:0:200})"
        fi
        rm -f "$log"
    fi
fi

scripts/age.sh
scripts/scanners.sh
