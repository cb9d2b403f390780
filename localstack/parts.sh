# Sourced: the parts of a local stack, where its files are, and what is known of its processes.
# shellcheck shell=bash disable=SC2034  # Used by whoever sources this.

STACK="${EXPORT_STACK_DIR:-.stack}"
[[ $STACK == /* ]] || STACK="$PWD/$STACK"
PARTS=(mongodb minio localstack)

# address_variable PART: the variable by which a part's address is given, and handed on.
address_variable() {
    case $1 in
        mongodb) echo MONGODB_URI ;;
        minio) echo S3_ENDPOINT ;;
        localstack) echo AWS_ENDPOINT_URL ;;
    esac
}

# started PART: the address at which this stack has started it, if it has.
started() { cat "$STACK/run/$1.address" 2>/dev/null || true; }

# Whether parts are started as containers or as processes: EXPORT_STACK_ENGINE, or what there is.
ENGINE=${EXPORT_STACK_ENGINE:-}
if [[ -z $ENGINE ]]; then
    ENGINE=process
    if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then ENGINE=docker; fi
fi

# origin PART: `given` if its address is in the environment (unless it is the one that this stack has
# started, so that an `env` file may be loaded at any time); else `docker` or `process`.
origin() {
    local variable
    variable=$(address_variable "$1")
    if [[ -n ${!variable:-} && ${!variable} != "$(started "$1")" ]]; then
        echo given
    elif [[ -e $STACK/run/$1.pid ]]; then
        echo process
    else
        echo "$ENGINE"
    fi
}

# shown ADDRESS: without the password that a URI may hold.
shown() { sed -E 's#//[^/@]*@#//#' <<<"$1"; }

# command_of PID: its whole command line; nothing if it has ended.
command_of() { ps -o args= -p "$1" 2>/dev/null || true; }

# running PART: whether the process that this stack has started still is. A process id alone says
# nothing: after a while it is somebody else's.
running() {
    local pid command
    { read -r pid && read -r command; } 2>/dev/null <"$STACK/run/$1.pid" || return 1
    [[ $(command_of "$pid") == "$command" ]]
}

pid_of() { head -n 1 "$STACK/run/$1.pid" 2>/dev/null || true; }

# free_port PREFERRED [ADDRESS]: that port of the address (loopback) if nobody has it, else any.
free_port() {
    python3 - "$1" "${2:-127.0.0.1}" <<'PYTHON'
import socket, sys
for port in (int(sys.argv[1]), 0):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((sys.argv[2], port))
        except OSError:
            continue
        print(s.getsockname()[1])
        break
PYTHON
}

# answers URL: whether there is a successful answer.
answers() {
    python3 - "$1" <<'PYTHON' 2>/dev/null
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.exit(0 if opener.open(sys.argv[1], timeout=5).status == 200 else 1)
PYTHON
}

# reachable ADDRESS: whether somebody listens there; one whose host is not named in it (mongodb+srv) is
# taken for reachable.
reachable() {
    python3 - "$1" <<'PYTHON' 2>/dev/null
import re, socket, sys
scheme, rest = sys.argv[1].split("://", 1)
hosts = re.split(r"[/?]", rest, maxsplit=1)[0].rsplit("@", 1)[-1].split(",")
default = {"http": 80, "https": 443, "mongodb": 27017}.get(scheme)
for host in hosts if default else []:
    name, _, port = host.partition(":")
    try:
        socket.create_connection((name, int(port or default)), timeout=5).close()
        break
    except OSError:
        continue
else:
    sys.exit(1 if default else 0)
PYTHON
}
