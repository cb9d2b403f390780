"""Repeats ledger records under distinct ids until there are enough bytes.

The input are lines in canonical form and canonical order, as an export gives them; so is the output.
Only `_id`, `subject_key` and `upstream.upstream_id` change, by substitution in the text: a number in
`content.raw` must stay as it was written, which no JSON library promises.

A copy's subjects get a prefix, not a suffix. Canonical order then goes through one copy after the
other, as far apart as the evidence is large. With a suffix all copies of one record would stand side
by side, inside any compressor's window, and a gigabyte would be a few megabytes to it.
"""

import itertools
import json

ID = b'{"_id":"'
# In a line of canonical form the last of its name is the envelope's: after `subject_key` come only
# `supersedes`, `tenant` and `upstream`, and `upstream_id` is the last member of the last of them.
# Inside a string the quotes would be escaped.
SUBJECT = b',"subject_key":"'
UPSTREAM = b'"upstream_id":"'


class NotCanonical(Exception):
    """A line is not what an export gives."""


def split(line):
    """The four stretches of text between which a copy puts its mark."""
    subject = line.rfind(SUBJECT)
    upstream = line.rfind(UPSTREAM)
    if not line.startswith(ID) or not 0 < subject < upstream:
        raise NotCanonical(line[:80])
    subject += len(SUBJECT)
    upstream += len(UPSTREAM)
    return line[: len(ID)], line[len(ID) : subject], line[subject:upstream], line[upstream:]


def repeated(stretches, copy):
    """A record's line in copy number `copy`."""
    mark = b"r%05d:" % copy
    return mark.join(stretches)


def check(line, copy):
    """Makes sure that exactly the three members changed."""
    before, after = json.loads(line), json.loads(repeated(split(line), copy))
    mark = "r%05d:" % copy
    before["_id"] = mark + before["_id"]
    before["subject_key"] = mark + before["subject_key"]
    before["upstream"]["upstream_id"] = mark + before["upstream"]["upstream_id"]
    if before != after:
        raise NotCanonical(line[:80])


def repeat(files, least_bytes, out):
    """Writes copies of the records of `files` (one a kind, in order) to the file `out`.

    Returns the number of records and their canonical bytes, line ends not counted.
    """
    kinds = []
    for path in files:
        with open(path, "rb") as lines:
            kinds.append([line.rstrip(b"\n") for line in lines])
    for line in itertools.chain.from_iterable(kinds):
        check(line, 0)
    kinds = [[split(line) for line in lines] for lines in kinds]

    one = sum(len(repeated(line, 0)) for lines in kinds for line in lines)
    copies = max(1, -(-least_bytes // one))
    with open(out, "wb", buffering=1 << 20) as file:
        for lines in kinds:
            for copy in range(copies):
                file.writelines(repeated(line, copy) + b"\n" for line in lines)
    return copies * sum(len(lines) for lines in kinds), copies * one
