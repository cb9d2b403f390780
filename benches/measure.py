"""What a command takes: wall time, processor time, memory."""

import ctypes
import json
import os
import signal
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field

# Often enough to tell a run's phases apart, seldom enough to cost nothing.
SAMPLE_SECONDS = 0.02
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
# What the system counts as a process's peak includes what it was forked from, and this one may be larger
# than what it measures. So a small shell forks: it tells the process's id and is gone, the process
# becomes a child of this one (prctl(2), PR_SET_CHILD_SUBREAPER), and begins when it is told to.
SUBREAPER = 36
FORK = '{{ read -r <&{gate}; exec "$@" {gate}<&- {tell}>&-; }} & echo $! >&{tell}'


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


def _fork(command):
    """Makes a child of this process that is small until it becomes `command`: its id, the ends of its
    pipes, and what it waits for to be closed."""
    if ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "becoming a subreaper")
    (told, tell), (gate, opener) = os.pipe(), os.pipe()
    with open(told, "rb") as told, open(tell, "wb") as tell, open(gate, "rb") as gate:
        shell = subprocess.Popen(
            ["bash", "-c", FORK.format(gate=gate.fileno(), tell=tell.fileno()), "bash", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            pass_fds=[gate.fileno(), tell.fileno()],
        )
        pid = int(told.readline())
    shell.wait()
    return pid, {"stdout": shell.stdout, "stderr": shell.stderr}, open(opener, "wb")


def run(command, *, sampled=False, settle=True):
    """Runs `command` and waits. With `settle`, whatever waits to be written to disk goes first."""
    command = [str(word) for word in command]
    if settle:
        os.sync()
    pid, pipes, opener = _fork(command)
    samples = [(time.time(), 0.0, 0)]
    stop = threading.Event()
    threads = []
    if sampled:
        threads.append(threading.Thread(target=_sample, args=(pid, samples, stop)))
    outputs = {}
    for name, pipe in pipes.items():
        threads.append(
            threading.Thread(target=lambda n=name, p=pipe: outputs.__setitem__(n, p.read()))
        )
    for thread in threads:
        thread.start()
    started = time.monotonic()
    opener.close()
    try:
        _, status, used = os.wait4(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    wall = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    stop.set()
    for thread in threads:
        thread.join()
    for pipe in pipes.values():
        pipe.close()
    cpu = used.ru_utime + used.ru_stime
    if code != 0:
        said = (outputs["stderr"] or outputs["stdout"]).decode(errors="replace").strip()
        raise Failed(f"`{' '.join(command)}` ended with {code}: {said[-500:]}")
    if sampled:
        samples.append((time.time(), cpu, 0))
    return Taken(wall, cpu, used.ru_maxrss * 1024, outputs["stdout"], samples)


def check_peaks():
    """Makes sure that a small process's peak is small, however large this one is."""
    ballast = bytearray(os.urandom(1 << 20) * 64)
    peak = run(["true"], settle=False).peak
    if peak >= 10_000_000:
        raise Failed(f"`true` seems to take {peak:,} bytes, beside {len(ballast):,} of ballast")


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
