"""Where an export's processor time goes, by perf's samples of one run of its own.

Classes are told by the names of functions, so they are as good as the list below: what it does not
know is called other.
"""

import shutil
import subprocess

CLASSES = [
    ("compression, with its checksum", ("ZSTD_", "HUF_", "FSE_", "HIST_", "XXH", "ZSTD")),
    ("SHA-256", ("sha2::", "sha256", "<sha2", "export_digest")),
    (
        "reading SQLite",
        (
            "sqlite3", "accessPayload", "btree", "pcache1", "readDbPage", "getPageNormal", "moveTo",
            "walFindFrame", "vdbe", "pager", "unixRead", "allocateSpace", "copyPayload", "getOverflow",
            "rusqlite", "findCell", "decodeFlags", "seekAndRead", "releasePage", "unlockBtree",
        ),
    ),
    ("copying memory", ("__memmove", "__memcpy", "__memset", "memcpy", "memmove")),
]
# In the kernel.
READING = (
    "_copy_to_iter", "copy_page_to_iter", "filemap_", "rep_movs", "generic_file_read", "ext4_file_read",
    "vfs_read", "xas_", "folio_", "touch_atime", "__filemap",
)
FAULTS = (
    "clear_page", "do_anonymous", "exc_page_fault", "handle_mm", "__handle_mm", "do_user_addr", "charge_",
    "get_page_from_freelist", "__alloc", "alloc_", "lru_", "unmap", "zap_", "free_", "__pte", "pte_",
    "asm_exc_page", "__mem_cgroup", "mod_", "lock_vma", "vma_", "release_pages", "rmqueue", "prep_",
    "clear_huge", "folios_put", "__mod_",
)


def available():
    """Whether perf is there and may be used."""
    if shutil.which("perf") is None:
        return False
    tried = subprocess.run(
        ["perf", "record", "-q", "-o", "/dev/null", "--", "true"], capture_output=True, check=False
    )
    return tried.returncode == 0


def _class(shared_object, symbol):
    name = symbol.split("] ", 1)[-1].strip()
    if "kernel" in shared_object or symbol.startswith("[k]"):
        if name.startswith(READING):
            return "kernel: reading from the page cache"
        if name.startswith(FAULTS):
            return "kernel: giving memory and taking it back"
        return "kernel: other (writing, waking threads)"
    for title, names in CLASSES:
        if any(name.startswith(known) for known in names) or (
            title == "SHA-256" and ("sha2::" in name or "export_digest" in name)
        ):
            return title
    return "other"


def shares(command, scratch):
    """Percent of `command`'s processor time by class, and its most expensive functions."""
    data = str(scratch / "perf.data")
    recorded = subprocess.run(
        ["perf", "record", "-q", "-F", "499", "-o", data, "--", *map(str, command)],
        capture_output=True,
        check=False,
    )
    if recorded.returncode != 0:
        return {}, []
    listing = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "-q", "-t", "\t", "--sort", "dso,sym"],
        capture_output=True,
        check=False,
        text=True,
    ).stdout
    classes, functions = {}, []
    for line in listing.splitlines():
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) < 3 or not columns[0].endswith("%"):
            continue
        percent = float(columns[0].rstrip("%"))
        title = _class(columns[1], columns[2])
        classes[title] = classes.get(title, 0.0) + percent
        functions.append((percent, columns[1], columns[2]))
    return dict(sorted(classes.items(), key=lambda item: -item[1])), functions[:40]
