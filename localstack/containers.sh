# Sourced by start.sh, stop.sh and status.sh where a Docker engine is: the parts as containers.
# shellcheck shell=bash

# One project a stack folder, so that two checkouts do not meet.
PROJECT="export-center-$(cksum <<<"$STACK" | cut -d ' ' -f 1)"

# compose COMMAND…: with the addresses that start_containers has chosen.
compose() {
    docker compose --project-name "$PROJECT" --file localstack/compose.yaml \
        --env-file "$STACK/run/containers" "$@"
}

# choose_addresses: HOST is the address that this machine and containers share, PUBLISH the one to
# listen on for that.
choose_addresses() {
    local host publish
    if [[ $(docker info --format '{{.OperatingSystem}}') == *Desktop* ]]; then
        host=host.docker.internal publish=127.0.0.1
        python3 -c "import socket; socket.gethostbyname('$host')" 2>/dev/null ||
            fail "this machine does not know $host, by which containers know it; add the line \`127.0.0.1 $host\` to /etc/hosts"
    else
        host=$(docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}')
        publish=$host
    fi
    (
        umask 077
        cat >"$STACK/run/containers" <<ADDRESSES
HOST=$host
PUBLISH=$publish
MONGODB_PORT=$(free_port 27017 "$publish")
MINIO_PORT=$(free_port 9000 "$publish")
LOCALSTACK_PORT=$(free_port 4566 "$publish")
MINIO_SECRET=$(minio_secret)
ADDRESSES
    )
}

address_of() { # PART
    local HOST MONGODB_PORT MINIO_PORT LOCALSTACK_PORT
    # shellcheck disable=SC1091  # Written above.
    source "$STACK/run/containers"
    case $1 in
        mongodb) echo "mongodb://$HOST:$MONGODB_PORT/?directConnection=true" ;;
        minio) echo "http://$HOST:$MINIO_PORT" ;;
        localstack) echo "http://$HOST:$LOCALSTACK_PORT" ;;
    esac
}

# until_answers PART URL
until_answers() {
    local until=$((SECONDS + 120))
    until answers "$2"; do
        ((SECONDS < until)) || fail "$1 does not answer at $2; see: docker compose -p $PROJECT logs $1"
        sleep 0.2
    done
}

start_containers() { # PART…
    local part address
    [[ -e $STACK/run/containers ]] || choose_addresses
    compose up --detach --wait "$@"
    for part in "$@"; do
        address=$(address_of "$part")
        case $part in
            minio) until_answers "$part" "$address/minio/health/ready" ;;
            localstack) until_answers "$part" "$address/_localstack/health" ;;
        esac
        printf '%s\n' "$address" >"$STACK/run/$part.address"
        echo "$part: $address (container)"
    done
}

stop_containers() { # [--wipe]
    if [[ ${1:-} == --wipe ]]; then
        compose down --volumes
    else
        compose down
    fi
    rm -f -- "$STACK/run/containers" "$STACK"/run/*.address
}

container_state() { # PART
    compose ps --format '{{.State}}' "$1" 2>/dev/null || echo unknown
}
