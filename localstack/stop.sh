#!/usr/bin/env bash
# Stops what localstack/start.sh has started, and nothing else. Data of MongoDB and MinIO stays, so
# that the next start finds it; with --wipe, the stack's folder is removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source localstack/parts.sh

[[ -d $STACK ]] || { echo "there is no stack in $STACK"; exit 0; }

# LocalStack first: its functions use the others.
for part in authority localstack minio mongodb; do
    [[ -e $STACK/run/$part.pid ]] || continue
    pid=$(pid_of "$part")
    if ! running "$part"; then
        echo "$part: process $pid has ended already"
    else
        kill -TERM "$pid"
        until=$((SECONDS + 20))
        while running "$part"; do
            if ((SECONDS >= until)); then
                echo "$part: does not stop when asked; killed"
                kill -KILL "$pid"
            fi
            sleep 0.05
        done
        echo "$part: stopped"
    fi
    rm -f -- "$STACK/run/$part".{pid,address}
done
if [[ -e $STACK/run/containers ]]; then
    source localstack/containers.sh
    stop_containers "$@"
fi
rm -f -- "$STACK"/{env,deployed}
if [[ ${1:-} == --wipe ]]; then
    rm -rf -- "$STACK"
    echo "removed $STACK"
fi
