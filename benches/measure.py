"""What a command takes: wall time, processor time, memory."""

import json
import os
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field

# Often enough to tell a run's phases apart, seldom enough to cost nothing.
SAMPLE_SECONDS = 0.02
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Failed(Exception):
    """A command did not do what it should."""


@dataclass
class Taken:
    """What one command took."""

    wall: float
    """Seconds from start to end."""
    cpu: float
    """Processor seconds, user and system, of all its processes."""
    peak: int
    """Most resident bytes of any of its processes."""
    stdout: bytes
    samples: list = field(default_factory=list)
    """While it ran: time of day, processor seconds so far, resident bytes."""

    def json(self):
        """What it printed, as JSON."""
        return json.loads(self.stdout)

    def cpu_between(self, start, end):
        """Processor seconds between two times of day."""
        return self._cpu_at(end) - self._cpu_at(start)

    def resident_between(self, start, end):
        """Most resident bytes that were seen between two times of day."""
        return max((size for at, _, size in self.samples if start <= at <= end), default=0)

    def _cpu_at(self, moment):
        before = (0.0, 0.0)
        for at, cpu, _ in self.samples:
            if at >= moment:
                earlier, done = before
                if at <= earlier:
                    return cpu
                return done + (cpu - done) * (moment - earlier) / (at - earlier)
            before = (at, cpu)
        return before[1]


def _sample(pid, samples, stop):
    path = f"/proc/{pid}/stat"
    while True:
        try:
            with open(path, "rb") as file:
                # The name in parentheses may contain spaces.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return
        cpu = (int(fields[11]) + int(fields[12])) / TICK
        samples.append((time.time(), cpu, int(fields[21]) * PAGE))
        if stop.wait(SAMPLE_SECONDS):
            return


def run(command, *, sampled=False, settle=True):
    """Runs `command` and waits. With `settle`, whatever waits to be written to disk goes first."""
    command = [str(word) for word in command]
    if settle:
        os.sync()
    samples = [(time.time(), 0.0, 0)]
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    stop = threading.Event()
    threads = []
    if sampled:
        threads.append(threading.Thread(target=_sample, args=(process.pid, samples, stop)))
    outputs = {}
    for name in ("stdout", "stderr"):
        pipe = getattr(process, name)
        threads.append(
            threading.Thread(target=lambda n=name, p=pipe: outputs.__setitem__(n, p.read()))
        )
    for thread in threads:
        thread.start()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    stop.set()
    for thread in threads:
        thread.join()
    process.stdout.close()
    process.stderr.close()
    cpu = used.ru_utime + used.ru_stime
    if process.returncode != 0:
        said = (outputs["stderr"] or outputs["stdout"]).decode(errors="replace").strip()
        raise Failed(f"`{' '.join(command)}` ended with {process.returncode}: {said[-500:]}")
    if sampled:
        samples.append((time.time(), cpu, 0))
    return Taken(wall, cpu, used.ru_maxrss * 1024, outputs["stdout"], samples)


def shell(script, **options):
    """Runs a pipeline. Every stage must succeed."""
    return run(["bash", "-c", "set -euo pipefail; " + script], **options)


def warm(path):
    """Reads a file once, so that it is in the page cache."""
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def alternate(rounds, *actions):
    """Takes the actions in turn, `rounds` times, so that each meets the machine in the same mood.

    Returns one list of results for each action. A first turn, which fills caches, is not counted.
    """
    results = [[] for _ in actions]
    for turn in range(rounds + 1):
        for action, kept in zip(actions, results):
            result = action()
            if turn > 0:
                kept.append(result)
    return results


median = statistics.median
