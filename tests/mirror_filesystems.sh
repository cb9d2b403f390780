#!/usr/bin/env bash
# Mirrors on file systems that are not as one would wish: one that does not tell capitals from small
# letters (NTFS), one that fills up, one that is mounted read-only, one that belongs to somebody else.
# Each is a real one, so this takes root, and loop devices or FUSE; what cannot be had is skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exportctl=$(realpath "${EXPORTCTL:-${CARGO_TARGET_DIR:-target}/debug/exportctl}")
if ((EUID != 0)); then
    echo "skipped: mirrors on other file systems: mounting takes root"
    exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/export-center-mounts.XXXXXX")
mounted=()
finish() {
    for folder in "${mounted[@]}"; do umount "$folder" || true; done
    rm -rf -- "$work"
}
trap finish EXIT
chmod 755 "$work"
unset EXPORT_TENANT EXPORT_SERVER COSIGN_PASSWORD RUST_LOG EXPORT_LOG
export EXPORT_HOME="$work/home"

fail() {
    echo "error: $1" >&2
    exit 1
}
# refused CODE WORDS COMMAND…: the command ends with this exit code, and says these words.
refused() {
    local expected=$1 words=$2 code=0
    shift 2
    "$@" >"$work/said" 2>&1 || code=$?
    [[ $code == "$expected" ]] || { cat "$work/said"; fail "it ended with $code instead of $expected"; }
    grep -qF -- "$words" "$work/said" || { cat "$work/said"; fail "it does not say: $words"; }
}
quietly() { "$@" --quiet >/dev/null; }
# An image of so many MiB with an ext4 on it, mounted on a folder; false where that cannot be done.
disk() {
    mkdir "$2"
    truncate -s "$1M" "$2.img"
    mkfs.ext4 -q -N 20000 "$2.img" 2>/dev/null && mount -o loop "$2.img" "$2" 2>/dev/null && mounted+=("$2")
}

quietly "$exportctl" ledger generate --records 2000 --seed 1
run_of() { "$exportctl" run "$@" --json --quiet | python3 -c 'import json, sys; print(json.load(sys.stdin)["run_id"])'; }
base=$(run_of mirror:full --out "$work/full.tar")
quietly "$exportctl" ledger generate --records 500 --seed 2
run_of mirror:delta --base "$base" --out "$work/delta.tar" >/dev/null
"$exportctl" keys public >"$work/key.pub"
# As it is on an ordinary one.
quietly "$exportctl" mirror apply "$work/full.tar" --to "$work/plain" --key "$work/key.pub"
quietly "$exportctl" mirror apply "$work/delta.tar" --to "$work/plain"

if ! command -v mkntfs >/dev/null || ! command -v lowntfs-3g >/dev/null; then
    # A file system of another system, which Debian has a driver of.
    (apt-get install -q -y --no-install-recommends ntfs-3g) >/dev/null 2>&1 || true
fi
if ! command -v lowntfs-3g >/dev/null || [[ ! -e /dev/fuse ]]; then
    echo "skipped: a mirror where capitals are small letters: there is no ntfs-3g, or no FUSE"
else
    mkdir "$work/ntfs"
    truncate -s 100M "$work/ntfs.img"
    mkntfs -F -q -Q "$work/ntfs.img" >/dev/null 2>&1
    if ! lowntfs-3g -o ignore_case "$work/ntfs.img" "$work/ntfs" 2>"$work/said"; then
        echo "skipped: a mirror where capitals are small letters: NTFS cannot be mounted ($(tail -n 1 "$work/said"))"
    else
        mounted+=("$work/ntfs")
        touch "$work/ntfs/Capital"
        [[ -e $work/ntfs/cAPITAL ]] || fail "this NTFS tells capitals from small letters"
        for bundle in full delta; do
            quietly "$exportctl" mirror apply "$work/$bundle.tar" --to "$work/ntfs/site" --key "$work/key.pub"
        done
        quietly "$exportctl" mirror verify --dir "$work/ntfs/site"
        diff -r "$work/plain/current/" "$work/ntfs/site/current/"
        echo "ok: a full export and a delta, where capitals are small letters"
    fi
fi

if ! disk 48 "$work/disk"; then
    echo "skipped: a mirror on a full and on a read-only disk: no disk can be mounted here"
else
    site=$work/disk/site
    quietly "$exportctl" mirror apply "$work/full.tar" --to "$site" --key "$work/key.pub"
    before=$(readlink "$site/current")
    # All but a few hundred kilobytes.
    dd if=/dev/zero of="$work/disk/ballast" bs=64K 2>/dev/null || true
    truncate -s -262144 "$work/disk/ballast"
    refused 6 'free space' "$exportctl" mirror apply "$work/delta.tar" --to "$site"
    [[ $(readlink "$site/current") == "$before" ]] || fail "the tree has changed"
    quietly "$exportctl" mirror verify --dir "$site"
    rm "$work/disk/ballast"
    quietly "$exportctl" mirror apply "$work/delta.tar" --to "$site"
    diff -r "$work/plain/current/" "$site/current/"
    echo "ok: a disk that fills leaves the old tree, and room for it the new one"

    mount -o remount,ro "$work/disk"
    "$exportctl" run mirror:full --out "$work/newer.tar" --quiet >/dev/null
    refused 6 'mount the file system for writing' "$exportctl" mirror apply "$work/newer.tar" --to "$site"
    quietly "$exportctl" mirror verify --dir "$site"
    quietly "$exportctl" mirror status --dir "$site"
    quietly "$exportctl" mirror log --dir "$site"
    echo "ok: a read-only disk is refused, and what is there can be verified"
fi

if ! command -v setpriv >/dev/null; then
    echo "skipped: a mirror of somebody else: there is no setpriv to become somebody else with"
else
    cp "$exportctl" "$work/exportctl"
    chmod -R go-w "$work/plain"
    [[ -e $work/newer.tar ]] || "$exportctl" run mirror:full --out "$work/newer.tar" --quiet >/dev/null
    chmod 644 "$work"/*.tar
    nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups env -u EXPORT_HOME "HOME=$work" "$work/exportctl")
    refused 6 'as the user who owns the mirror' "${nobody[@]}" mirror apply "$work/newer.tar" --to "$work/plain"
    quietly "${nobody[@]}" mirror verify --dir "$work/plain"
    echo "ok: a mirror of somebody else is verified, and not changed"
fi
