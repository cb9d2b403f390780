#!/usr/bin/env bash
# Starts what is needed of the local stack, and waits until it answers: MongoDB, MinIO, LocalStack.
# A part whose address is given (MONGODB_URI, S3_ENDPOINT, AWS_ENDPOINT_URL) is used as it is. What
# runs already is left alone. The addresses are then in the file `env` of the stack's folder
# (EXPORT_STACK_DIR, else .stack). docs/stack.md has the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh
source localstack/parts.sh

ROOT=$PWD
LOGS="$STACK/logs"
mkdir -p "$STACK/run" "$LOGS"
chmod 0700 "$STACK"

# One at a time: two would start everything twice.
exec 9>"$STACK/run/lock"
if command -v flock >/dev/null && ! flock -n 9; then
    echo "another localstack/start.sh works on $STACK; waiting for it"
    flock 9
fi

fail() {
    echo "error: $1" >&2
    exit 1
}

# What is half started when this ends does not stay.
starting=
trap '[[ -z $starting ]] || kill "$starting" 2>/dev/null || true' EXIT

# launch PART COMMAND…: starts a process that outlives this script, in a group of its own.
launch() {
    local part=$1
    shift
    : >"$LOGS/$part.log"
    set -m
    "$@" >"$LOGS/$part.log" 2>&1 </dev/null 9>&- &
    starting=$!
    set +m
}

# settled PART ADDRESS SECONDS CHECK…: waits until CHECK holds, then keeps what is known of it.
settled() {
    local part=$1 address=$2 until=$((SECONDS + $3))
    shift 3
    until "$@"; do
        kill -0 "$starting" 2>/dev/null ||
            fail "$part ended: $(tail -n 3 "$LOGS/$part.log" | tr '\n' ' ')(all of it: $LOGS/$part.log)"
        ((SECONDS < until)) || fail "$part does not answer; see $LOGS/$part.log"
        sleep 0.05
    done
    printf '%s\n%s\n' "$starting" "$(command_of "$starting")" >"$STACK/run/$part.pid"
    printf '%s\n' "$address" >"$STACK/run/$part.address"
    disown "$starting"
    starting=
    echo "$part: $address (process $(pid_of "$part"))"
}

needs() { [[ -x $2 ]] || fail "there is no $1 ($2); localstack/install.sh says why"; }

# Fixed user, made-up password, kept with the data that it protects.
minio_secret() {
    [[ -s $STACK/minio.secret ]] ||
        (umask 077 && python3 -c 'import secrets; print(secrets.token_hex(20))' >"$STACK/minio.secret")
    cat "$STACK/minio.secret"
}

start_mongodb() {
    local port
    needs "MongoDB stand-in" "$SECANTUSD"
    port=$(free_port 27017)
    mkdir -p "$STACK/mongodb"
    # Some queries would take all memory that there is.
    launch mongodb bash -c 'ulimit -v 8388608 && exec "$@"' bash "$SECANTUSD" --port "$port" \
        --storage-path "$STACK/mongodb" --sync-on-commit --cache-size 256M --log-file-max 16MB
    settled mongodb "mongodb://127.0.0.1:$port/?directConnection=true" 30 \
        grep -q "listening on" "$LOGS/mongodb.log"
}

start_minio() {
    local port
    needs MinIO "$MINIO"
    port=$(free_port 9000)
    mkdir -p "$STACK/minio"
    launch minio env MINIO_ROOT_USER=export-center MINIO_ROOT_PASSWORD="$(minio_secret)" \
        MINIO_BROWSER=off MINIO_UPDATE=off CI=true \
        "$MINIO" server --address "127.0.0.1:$port" "$STACK/minio"
    settled minio "http://127.0.0.1:$port" 30 answers "http://127.0.0.1:$port/minio/health/ready"
}

start_localstack() {
    local port
    needs LocalStack "$LOCALSTACK/bin/python"
    port=$(free_port 4566)
    # It keeps nothing between two starts. Its folder is given to nobody else, so that what it
    # unpacks never meets another LocalStack's; its environment is its own.
    rm -rf -- "$STACK/localstack" "$STACK/deployed" "$LOGS/functions"
    mkdir -p "$STACK/localstack"
    # In its own folder: here, Python would take our folder `localstack` for a part of its package.
    launch localstack bash -c 'cd "$1" && shift && exec "$@"' bash "$STACK/localstack" env -i PATH="$PATH" HOME="$STACK/localstack" LANG=C.UTF-8 \
        TMPDIR="$STACK/localstack" PYTHONPATH="$ROOT/localstack/executor" \
        EXPORT_FUNCTION_LOGS="$LOGS/functions" LAMBDA_RUNTIME_EXECUTOR=process \
        GATEWAY_LISTEN="127.0.0.1:$port" LOCALSTACK_HOST="127.0.0.1:$port" \
        SQS_ENDPOINT_STRATEGY=path DNS_ADDRESS=0 S3_SKIP_SIGNATURE_VALIDATION=0 EAGER_SERVICE_LOADING=0 \
        DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 LAMBDA_SYNCHRONOUS_CREATE=1 \
        LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC=0.1 \
        LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC=0.5 \
        "$LOCALSTACK/bin/python" -m localstack.runtime.main
    settled localstack "http://127.0.0.1:$port" 60 answers "http://127.0.0.1:$port/_localstack/health"
}

containers=()
for part in "${PARTS[@]}"; do
    case $(origin "$part") in
        given)
            variable=$(address_variable "$part")
            # Or what a shell still has from a stack that was stopped.
            reachable "${!variable}" ||
                fail "$variable is set, but nobody listens at $(shown "${!variable}"); unset it to have one started"
            echo "$part: given ($(shown "${!variable}"))" ;;
        docker) containers+=("$part") ;;
        process)
            if running "$part"; then
                echo "$part: $(started "$part") (process $(pid_of "$part"), runs already)"
            else
                rm -f "$STACK/run/$part".{pid,address}
                "start_$part"
            fi
            ;;
    esac
done
if ((${#containers[@]})); then
    source localstack/containers.sh
    start_containers "${containers[@]}"
fi

# The environment that functions, tests and the command line are given.
value() { # PART: its address, given or started.
    local variable
    variable=$(address_variable "$1")
    if [[ $(origin "$1") == given ]]; then printf '%s' "${!variable}"; else started "$1"; fi
}
(
    umask 077
    {
        echo "# Written by localstack/start.sh. Load it: source $STACK/env"
        emit() { printf 'export %s=%q\n' "$1" "$2"; }
        emit MONGODB_URI "$(value mongodb)"
        emit AWS_ENDPOINT_URL "$(value localstack)"
        emit S3_ENDPOINT "$(value minio)"
        if [[ $(origin localstack) == given ]]; then
            emit AWS_ACCESS_KEY_ID "${AWS_ACCESS_KEY_ID:-test}"
            emit AWS_SECRET_ACCESS_KEY "${AWS_SECRET_ACCESS_KEY:-test}"
        else
            # Whatever real credentials there are: LocalStack is not to see them.
            emit AWS_ACCESS_KEY_ID test
            emit AWS_SECRET_ACCESS_KEY test
        fi
        emit AWS_REGION "${AWS_REGION:-eu-central-1}"
        if [[ $(origin minio) == given ]]; then
            emit S3_ACCESS_KEY_ID "${S3_ACCESS_KEY_ID:-${AWS_ACCESS_KEY_ID:-test}}"
            emit S3_SECRET_ACCESS_KEY "${S3_SECRET_ACCESS_KEY:-${AWS_SECRET_ACCESS_KEY:-test}}"
        else
            emit S3_ACCESS_KEY_ID export-center
            emit S3_SECRET_ACCESS_KEY "$(minio_secret)"
        fi
        emit SECANTUSD "$SECANTUSD"
        emit MINIO "$MINIO"
        # What scripts/stack-deploy.sh has deployed, if it has.
        printf '[[ ! -e %q ]] || source %q\n' "$STACK/deployed" "$STACK/deployed"
    } >"$STACK/env.new"
    mv -- "$STACK/env.new" "$STACK/env"
)
echo "environment: $STACK/env"
