#!/usr/bin/env bash
# Runs every `sh` block of docs/api.md, in order, against a service on a home with the demo's evidence.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/debug/exportctl}")
if ! command -v curl >/dev/null; then
    echo "skipped: the commands of docs/api.md: curl is not installed"
    exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/export-center-api.XXXXXX")
service=
finish() {
    [[ -z $service ]] || { kill "$service" && wait "$service" || true; }
    rm -rf -- "$work"
}
trap finish EXIT
export EXPORT_HOME="$work/home" EXPORT_CREDENTIALS="$work/credentials" SOURCE_DATE_EPOCH=1791936000
unset EXPORT_TENANT EXPORT_SERVER COSIGN_PASSWORD RUST_LOG EXPORT_LOG
mkdir "$work/bin"
ln -s "$exportctl" "$work/bin/exportctl"
export PATH="$work/bin:$PATH"

exportctl --quiet ledger import --tenant demo demo/evidence >/dev/null
exportctl --json serve --listen 127.0.0.1:0 >"$work/serve.json" 2>"$work/serve.log" &
service=$!
until [[ -s $work/serve.json ]]; do
    kill -0 "$service" || { cat "$work/serve.log"; exit 1; }
    read -rt 0.05 <> <(:) || true
done
url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$work/serve.json")

# The blocks, but for the one that starts the service, with the service's own address.
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/api.md |
    grep -v '^exportctl serve$' | sed "s,^export SERVER=.*,export SERVER=$url," >"$work/commands.sh"
grep -q 'cmp part.tar bundle.tar' "$work/commands.sh"
count=$(grep -c . "$work/commands.sh")

cd "$work"
{
    echo 'set -euo pipefail'
    cat commands.sh
} >run.sh
if ! bash run.sh >out.txt 2>&1; then
    cat out.txt
    echo "error: a command of docs/api.md failed" >&2
    exit 1
fi
expect() {
    grep -q -- "$1" out.txt || { cat out.txt; echo "error: nothing says: $1" >&2; exit 1; }
}
expect '202$'
# Twice from the third on: the stream that goes on behind the second begins with it.
[[ $(grep -c '^id: 2$' out.txt) == 1 && $(grep -c '^id: 3$' out.txt) == 2 ]]
expect '"status":"completed"'
expect 'bundle.tar: verified'
expect '"valid":true'
expect '"revision":2'
expect '"when":"cron(0 3 \* \* \*)"'
expect '"error_code":"ERR_INVALID_REQUEST"'
echo "ok: $count lines of docs/api.md ran"
