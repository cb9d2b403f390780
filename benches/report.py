"""The table of figures."""

import json
from dataclasses import asdict, dataclass
from typing import Optional

from measure import median


@dataclass
class Figure:
    """One line of the table."""

    name: str
    ours: str
    peer: str = ""
    ratio: Optional[float] = None
    spread: Optional[tuple] = None
    target: str = ""
    met: Optional[bool] = None
    note: str = ""

    @property
    def verdict(self):
        """What the last column says."""
        return {None: "", True: "ok", False: "MISSED"}[self.met]


def seconds(value):
    return f"{value:.3f} s" if value < 10 else f"{value:.1f} s"


def mb(value):
    return f"{value / 1e6:,.1f} MB"


def against(name, ours, peer, peer_name, bytes_done, at_least=None, goal=None):
    """A figure of times against a peer's times of the same rounds. Above 1 is faster than the peer.

    The ratio is the median of the rounds' ratios: what disturbs a machine lasts longer than a round.
    """
    ratios = [b / a for a, b in zip(ours, peer)]
    ratio = median(ratios)

    def shown(times):
        time = median(times)
        return f"{seconds(time)} ({bytes_done / 1e6 / time:,.0f} MB/s)"

    note = ""
    if goal is not None:
        note = f"goal {goal}: " + ("reached" if ratio >= goal else "not reached")
    return Figure(
        name,
        shown(ours),
        f"{shown(peer)} {peer_name}",
        ratio,
        (min(ratios), max(ratios)),
        "" if at_least is None else f">= {at_least}",
        None if at_least is None else ratio >= at_least,
        note,
    )


def at_most(name, value, limit, shown):
    """A figure that has a limit of its own."""
    return Figure(name, shown(value), target=f"<= {shown(limit)}", met=value <= limit)


def table(figures):
    """The figures as text."""
    rows = [("figure", "ours", "peer", "ratio", "target", "")]
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        if figure.spread:
            ratio += " ({:.2f}-{:.2f})".format(*figure.spread)
        last = "  ".join(word for word in (figure.verdict, figure.note) if word)
        rows.append((figure.name, figure.ours, figure.peer, ratio, figure.target, last))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        lines.append("  ".join([*cells, row[5]]).rstrip())
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines)


def write(path, figures, setting, details):
    """The same as JSON, with what each round gave."""
    document = {
        "setting": setting,
        "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in figures],
        "details": details,
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
