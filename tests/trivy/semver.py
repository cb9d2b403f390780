"""Order of versions by Semantic Versioning 2.0.0, and OSV's evaluation of ranges over it."""

import functools
import re

# The grammar at the end of the specification.
_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRE = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PRE}(?:\.{_PRE})*))?(?:\+[0-9A-Za-z.-]+)?")


class NotSemver(Exception):
    """A version is none."""


@functools.lru_cache(maxsize=None)
def parse(text):
    """What to compare by. `0` is OSV's word for "before everything"."""
    if text == "0":
        return ((-1, -1, -1), (1,), ())
    match = _VERSION.fullmatch(text)
    if not match:
        raise NotSemver(text)
    numbers = tuple(int(number) for number in match.group(1, 2, 3))
    if match.group(4) is None:
        # 11.3: a version without pre-release is the greater one.
        return (numbers, (1,), ())
    # 11.4: numbers by value and below words; a longer list is the greater one.
    identifiers = tuple((0, int(one), "") if one.isdigit() else (1, 0, one)
                        for one in match.group(4).split("."))
    return (numbers, (0,), identifiers)


def affects(ranges, listed, version):
    """Whether a version is affected: OSV's evaluation algorithm, for ranges of semantic versions."""
    if version in listed:
        return True
    here = parse(version)
    for events in ranges:
        inside = False
        order = {"introduced": 0, "last_affected": 1, "fixed": 2}
        for name, at in sorted(events, key=lambda event: (parse(event[1]), order[event[0]])):
            if name == "introduced" and here >= parse(at):
                inside = True
            elif name == "fixed" and here >= parse(at):
                inside = False
            elif name == "last_affected" and here > parse(at):
                inside = False
        if inside:
            return True
    return False


def neighbours(text):
    """Versions on both sides of one, and itself."""
    (major, minor, patch), (release,), pre = parse(text)
    if major < 0:
        # Everything, so also what Go calls a commit that no tag precedes.
        return ["0.0.0-20050101000000-0123456789ab", "0.0.0", "0.0.1"]
    around = [text, f"{major}.{minor}.{patch + 1}", f"{major}.{minor}.{patch}-alpha.1"]
    if not release:
        around.append(f"{major}.{minor}.{patch}")
        around.append(text.split("+")[0] + ".1")
        around.append(f"{major}.{minor}.{patch}-0")
    if patch:
        around.append(f"{major}.{minor}.{patch - 1}")
    elif minor:
        around.append(f"{major}.{minor - 1}.999")
    elif major:
        around.append(f"{major - 1}.999.0")
    return around
