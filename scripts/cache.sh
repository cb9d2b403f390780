# Sourced: where tools are kept, and which versions of them. Outside the checkout, so that a second
# clone is quick; keyed by version, so that an upgrade installs anew.
# shellcheck shell=bash disable=SC2034  # Used by whoever sources this.

CACHE="${EXPORT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/export-center}"

DENY_VERSION=0.20.2
DENY="$CACHE/cargo-deny-$DENY_VERSION/bin/cargo-deny"

COSIGN_VERSION=v3.1.3
COSIGN="$CACHE/cosign-$COSIGN_VERSION/bin/cosign"

OPENAPI_SPEC_VALIDATOR_VERSION=0.9.0
SCHEMATHESIS_VERSION=4.32.5
OPENAPI_TOOLS="$CACHE/openapi-$OPENAPI_SPEC_VALIDATOR_VERSION-$SCHEMATHESIS_VERSION"

# into FOLDER COMMAND…: runs COMMAND with PREFIX set to a new folder, which becomes FOLDER only if
# COMMAND succeeds. So what is in the cache is whole, even if two runs fill it at once.
into() {
    local folder=$1 prefix
    shift
    mkdir -p "$CACHE"
    prefix=$(mktemp -d "$CACHE/.new.XXXXXX")
    if PREFIX="$prefix" "$@"; then
        rm -rf -- "$folder"
        mv -- "$prefix" "$folder"
    else
        rm -rf -- "$prefix"
        return 1
    fi
}
