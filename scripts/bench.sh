#!/usr/bin/env bash
# Runs every benchmark of benches/, one after the other, with nothing else on the machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ran=0
for script in benches/*.sh; do
    [[ -e $script ]] || continue
    echo "== $script"
    bash "$script"
    ran=$((ran + 1))
done
if ((ran == 0)); then
    echo "error: benches/ holds no benchmark" >&2
    exit 1
fi
