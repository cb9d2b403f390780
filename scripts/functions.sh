#!/usr/bin/env bash
# Builds the five Lambda functions, optimised, into infra/build/<phase>.zip, where infra/template.yaml
# expects them. The same sources and tools give the same zips: nothing is deployed that did not
# change.
#
#     scripts/functions.sh             for x86_64 (--x86_64)
#     scripts/functions.sh --arm64     for arm64 (its Rust target is installed where rustup is)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/cache.sh

PHASES=(api plan adapter sign distribute)
# Lambda unpacks the zip at each cold start, so it should be small; what it takes directly is 50 MB.
WANTED=$((8 << 20))

case ${1:---x86_64} in
    --x86_64) target=x86_64-unknown-linux-gnu ;;
    --arm64) target=aarch64-unknown-linux-gnu ;;
    *)
        echo "error: there are functions for --x86_64 and --arm64" >&2
        exit 2
        ;;
esac

if [[ ! -x $CARGO_LAMBDA ]]; then
    echo "error: there is no cargo-lambda ($CARGO_LAMBDA); localstack/install.sh installs it" >&2
    exit 1
fi
if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx "$target"; then
    rustup target add "$target"
fi

lambda=${CARGO_TARGET_DIR:-target}/lambda
packages=()
for phase in "${PHASES[@]}"; do packages+=(-p "export-$phase"); done
# Of SQLite, which writes the index of jars: no search for words, no R-trees.
LIBSQLITE3_FLAGS="-USQLITE_ENABLE_FTS3 -USQLITE_ENABLE_FTS3_PARENTHESIS -USQLITE_ENABLE_FTS5 \
    -USQLITE_ENABLE_RTREE -USQLITE_ENABLE_DBSTAT_VTAB"
export LIBSQLITE3_FLAGS
# The linker is zig, which is in the same Python environment.
CARGO_ZIGBUILD_PYTHON_PATH="$(dirname "$CARGO_LAMBDA")/python" \
    "$CARGO_LAMBDA" lambda build --profile lambda --locked --features lambda --target "$target" \
    --lambda-dir "$lambda" "${packages[@]}"

mkdir -p infra/build
for phase in "${PHASES[@]}"; do
    "$(dirname "$CARGO_LAMBDA")/python" - "$lambda/$phase/bootstrap" \
        "infra/build/$phase.zip" "$WANTED" <<'PYTHON'
import os, sys, zipfile

binary, file, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
entry.external_attr = 0o755 << 16
entry.create_system = 3
with zipfile.ZipFile(file + ".new", "w") as out, open(binary, "rb") as code:
    out.writestr(entry, code.read(), zipfile.ZIP_DEFLATED, 9)
os.replace(file + ".new", file)
size = os.stat(file).st_size
larger = f", larger than the {wanted >> 20} MB that are wanted" if size > wanted else ""
print(f"{file}: {size / 1e6:.1f} MB{larger}")
PYTHON
done
