#!/usr/bin/env bash
# cargo-deny: licences, duplicates and sources always; known vulnerabilities where the database of
# them can be fetched. Installs cargo-deny into the cache first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

install_deny() {
    # The pinned toolchain, not the one of some other folder.
    cargo install --quiet --locked --root "$PREFIX" --version "$DENY_VERSION" cargo-deny
}

if [[ ! -x $DENY ]]; then
    echo "installing cargo-deny $DENY_VERSION into $CACHE (once; about two minutes)"
    into "$(dirname "$(dirname "$DENY")")" install_deny
fi

"$DENY" --locked check --hide-inclusion-graph licenses bans sources

if reason=$(timeout 180 "$DENY" --locked fetch db 2>&1); then
    "$DENY" --locked check --hide-inclusion-graph --disable-fetch advisories
else
    reason=$(grep -m1 '^fatal:' <<<"$reason" || grep -m1 -iE 'error|failed' <<<"$reason" \
        || echo "no answer in time")
    echo "skipped: advisories: the RustSec database cannot be fetched (${reason:0:200})"
fi
