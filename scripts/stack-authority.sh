#!/usr/bin/env bash
# Starts the dev authority of the local stack, which gives the tokens that the deployed API takes, and
# writes where it is into the file `authority` of the stack's folder. It gives a token to whoever asks
# on this machine, so it is for trying things out only. localstack/stop.sh stops it.
#
#     scripts/stack-authority.sh EXPORTCTL
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source localstack/parts.sh

exportctl=$(realpath "${1:?the exportctl to run}")
audience=export-center
part=authority

write() {
    printf 'export EXPORT_ISSUER=%q EXPORT_JWKS=%q EXPORT_AUDIENCE=%q EXPORT_TOKEN_ENDPOINT=%q\n' \
        "$1/dev-authority" "$1/dev-authority/jwks.json" "$audience" "$1/dev-authority/token" \
        >"$STACK/authority"
}

if [[ -n ${EXPORT_JWKS:-} ]]; then
    echo "$part: given ($EXPORT_JWKS)"
    : >"$STACK/authority"
    exit 0
fi
if running "$part"; then
    echo "$part: $(started "$part") (process $(pid_of "$part"), runs already)"
    exit 0
fi
mkdir -p "$STACK/run" "$STACK/logs"
port=$(free_port 8760)
address="http://127.0.0.1:$port"
# In a folder and an environment of its own: it works on none of the stack's parts.
set -m
env -i PATH="$PATH" HOME="$STACK" "$exportctl" --home "$STACK/authority-home" serve --role authority \
    --listen "127.0.0.1:$port" --audience "$audience" --issuer "$address/dev-authority" \
    >"$STACK/logs/$part.log" 2>&1 </dev/null &
pid=$!
set +m
until=$((SECONDS + 30))
until answers "$address/dev-authority/jwks.json"; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= until)); then
        echo "error: the dev authority does not start: $(tail -n 3 "$STACK/logs/$part.log")" >&2
        exit 1
    fi
    sleep 0.05
done
printf '%s\n%s\n' "$pid" "$(command_of "$pid")" >"$STACK/run/$part.pid"
printf '%s\n' "$address" >"$STACK/run/$part.address"
disown "$pid"
write "$address"
echo "$part: $address (process $pid)"
