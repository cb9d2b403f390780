#!/usr/bin/env bash
# What of the local stack runs, and where: a table, or with --json a list of objects. Fails where a
# part that this stack has started does not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source localstack/parts.sh

# shellcheck source=localstack/containers.sh
[[ ! -e $STACK/run/containers ]] || source localstack/containers.sh

json=0 broken=0 rows=()
[[ ${1:-} != --json ]] || json=1
for part in "${PARTS[@]}"; do
    how=$(origin "$part") pid='' address='' state=stopped
    variable=$(address_variable "$part")
    case $how in
        given)
            address=$(shown "${!variable}") state=given ;;
        process)
            address=$(started "$part") pid=$(pid_of "$part")
            if [[ -n $pid ]]; then
                state=running
                running "$part" || { state=ended broken=1; }
            fi ;;
        docker)
            address=$(started "$part")
            [[ -z $address ]] || state=$(container_state "$part") ;;
    esac
    rows+=("$part" "$how" "$state" "${pid:--}" "${address:--}")
done
if ((json)); then
    python3 - "${rows[@]}" <<'PYTHON'
import json, sys
names = ("part", "how", "state", "pid", "address")
row = iter(sys.argv[1:])
rows = [dict(zip(names, values)) for values in zip(*[row] * 5)]
for r in rows:
    r["pid"] = None if r["pid"] == "-" else int(r["pid"])
    r["address"] = None if r["address"] == "-" else r["address"]
print(json.dumps(rows, indent=2))
PYTHON
else
    printf '%-11s %-8s %-8s %-8s %s\n' PART HOW STATE PID ADDRESS "${rows[@]}"
fi
((!broken))
