"""A reader of bbolt files (format 2), written from the format's description, for tests only.

It knows nothing of who wrote a file, and checks what it passes: page ids, order of keys, bounds.
"""

import struct

MAGIC, VERSION = 0xED0CDAED, 2
BRANCH, LEAF, META, FREELIST = 1, 2, 4, 0x10


class Damaged(Exception):
    """The file is not what the format asks for."""


def need(holds, what):
    if not holds:
        raise Damaged(what)


class BoltFile:
    """A file, held in memory."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.page_size, self.root, self.freelist, self.high_water = 0, 0, 0, 0
        self.seen = set()
        metas = [self._meta(0), self._meta(1)]
        newest = max((meta for meta in metas if meta), default=None)
        need(newest, "no meta page is valid")
        _, self.root, self.freelist, self.high_water = newest
        need(len(self.bytes) >= self.high_water * self.page_size, "the file is truncated")

    def _meta(self, number):
        at = number * (self.page_size or 4096) + 16
        if len(self.bytes) < at + 64:
            return None
        magic, version, page_size, _, root, _, freelist, high_water, transaction, checksum = \
            struct.unpack_from("<IIIIQQQQQQ", self.bytes, at)
        value = 0xCBF29CE484222325
        for byte in self.bytes[at:at + 56]:
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        if (magic, version, checksum) != (MAGIC, VERSION, value):
            return None
        self.page_size = page_size
        return transaction, root, freelist, high_water

    def _page(self, number):
        at = number * self.page_size
        identity, flags, count, overflow = struct.unpack_from("<QHHI", self.bytes, at)
        need(identity == number, f"page {number} says that it is {identity}")
        need(number not in self.seen, f"page {number} is used twice")
        self.seen.add(number)
        return at, flags, count, at + (overflow + 1) * self.page_size

    def _elements(self, at, flags, count, end):
        last = None
        for index in range(count):
            element = at + 16 + 16 * index
            if flags & BRANCH:
                position, key_size, page = struct.unpack_from("<IIQ", self.bytes, element)
                value_size, kind = 0, page
            else:
                kind, position, key_size, value_size = struct.unpack_from(
                    "<IIII", self.bytes, element)
            start = element + position
            need(start + key_size + value_size <= end, "an element leaves its page")
            key = self.bytes[start:start + key_size]
            need(last is None or last < key, "keys are not in order")
            last = key
            yield key, kind, start + key_size, value_size

    def _walk(self, number):
        """Elements of a tree's leaves: flags, key, start and size of the value."""
        at, flags, count, end = self._page(number)
        need(flags in (BRANCH, LEAF), f"page {number} has the flags {flags:#x}")
        for key, kind, start, size in self._elements(at, flags, count, end):
            if flags == BRANCH:
                yield from self._walk(kind)
            else:
                yield key, kind, start, size

    def bucket(self, root=None):
        """A bucket's members: (key, value), the value bytes, or an iterator for a nested bucket."""
        elements = self._walk(self.root) if root is None else root
        for key, kind, start, size in elements:
            if kind & 1:
                page, _ = struct.unpack_from("<QQ", self.bytes, start)
                if page:
                    yield key, self.bucket(self._walk(page))
                else:
                    at = start + 16
                    _, flags, count, _ = struct.unpack_from("<QHHI", self.bytes, at)
                    need(flags == LEAF, "an inline bucket is no leaf")
                    inside = self._elements(at, flags, count, start + size)
                    yield key, self.bucket(inside)
            else:
                yield key, self.bytes[start:start + size]

    def items(self, path=(), members=None):
        """Everything in the file: (names of the buckets, key, value)."""
        for key, value in self.bucket() if members is None else members:
            if isinstance(value, bytes):
                yield path, key.decode(), value
            else:
                yield from self.items((*path, key.decode()), value)


def content(path):
    """A database's values by the path of buckets and key."""
    return {(*buckets, key): value for buckets, key, value in BoltFile(path).items()}
