#!/usr/bin/env bash
# Makes sure that the toolchain of rust-toolchain.toml is there, with clippy and rustfmt, whether or
# not rustup may install by itself (RUSTUP_AUTO_INSTALL). Silent where nothing is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)

if ! command -v rustup >/dev/null; then
    if ! command -v cargo >/dev/null; then
        echo "error: there is no Rust here; install rustup, see https://rustup.rs" >&2
        exit 1
    fi
    # A Rust from elsewhere: good if it is the right one.
    found=$(rustc --version | cut -d' ' -f2)
    if [[ $found != "$wanted" ]]; then
        echo "note: this is Rust $found; the project is made with $wanted" >&2
    fi
    exit 0
fi

if ! rustup toolchain list | grep -q "^$wanted-"; then
    rustup toolchain install "$wanted" --profile minimal --no-self-update -c clippy -c rustfmt
fi
for component in clippy rustfmt; do
    if ! rustup component list --toolchain "$wanted" --installed | grep -q "^$component"; then
        rustup component add --toolchain "$wanted" "$component"
    fi
done
