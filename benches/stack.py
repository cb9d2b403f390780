"""Figures of a stack: messages a second, scaling with workers, memory of a large export, idle cost.

    stack.py [messages|scaling|large|idle]…  [--gigabytes N] [--share OF-A-CORE]

Workers are real processes on MongoDB, SQS and S3 as `localstack/start.sh` has started them; where those
run on the same cores as the workers, they take their share of them, and the output says so.
"""

import argparse
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests" / "stack"))
from local import World, until  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    """Seconds of processor that a process has used so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_megabytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def messages(world, count):
    """Messages of one phase whose step is done already: what a worker does with each is what it costs to
    receive one, to ask the database, and to acknowledge it."""
    plan = world.queues["plan"]
    for first in range(0, count, 10):
        entries = []
        for number in range(first, first + 10):
            run = f"0199f0c2-7a51-7c3e-9d7e-{number:012}"
            body = {"tenant": "acme", "work": {"step": "plan", "run": run}}
            entries.append({"Id": str(number), "MessageBody": json.dumps(body)})
        world.sqs.send_message_batch(QueueUrl=plan, Entries=entries)
    worker = world.worker("messages", "--phase", "plan", "--messages", "32")
    began = time.monotonic()
    worker.start()

    def left():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = world.sqs.get_queue_attributes(QueueUrl=plan, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    until("the queue is empty", lambda: left() == 0)
    took = time.monotonic() - began
    used = processor_seconds(worker.process.pid)
    worker.stop()
    print(f"messages: {count} through the plan phase in {took:.2f} s: {count / took:.0f} a second "
          f"(the worker used {used:.2f} s of processor)")  # fmt: skip


def idle(world, seconds=30):
    worker = world.worker("idle").start()
    time.sleep(3)
    before = processor_seconds(worker.process.pid)
    time.sleep(seconds)
    used = processor_seconds(worker.process.pid) - before
    print(f"idle: {100 * used / seconds:.2f} % of one core, {peak_megabytes(worker.process.pid):.0f} MB peak")
    worker.stop()


def timed_run(world, workers, profile):
    """Seconds from the first part's begin to the last part's end, and the run."""
    run_id = world.submit(profile)
    run = world.ended(run_id, 3600)
    assert run["status"] == "completed", run
    events = world.exportctl("runs", "events", run_id)["events"]
    at = lambda name: [e["at"] for e in events if e["type"] == name]  # noqa: E731
    begin, end = min(at("adapter_start") or at("adapter.start")), max(at("adapter_complete") or at("adapter.complete"))
    from datetime import datetime

    parse = lambda text: datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()  # noqa: E731
    peaks = [peak_megabytes(worker.process.pid) for worker in workers]
    return parse(end) - parse(begin), run, peaks


def embedded_ledger(world):
    """The evidence in the home, everything else on the stack."""
    for name in ("EXPORT_LEDGER",):
        world.environment[name] = ""


CGROUP = pathlib.Path("/sys/fs/cgroup/cpu")


def limited(name, share):
    """What starts a command with `share` of one core (Linux, control groups v1), so that the backends have the
    rest of this machine for themselves."""
    group = CGROUP / f"export-center-{os.getpid()}-{name}"
    group.mkdir()
    (group / "cpu.cfs_period_us").write_text("20000")
    (group / "cpu.cfs_quota_us").write_text(str(int(20_000 * share)))
    return ("sh", "-c", f'echo $$ > {group}/tasks; exec "$@"', "-"), group


def scaling(world, records, share):
    embedded_ledger(world)
    world.exportctl("stack", "migrate")
    world.exportctl("ledger", "generate", "--records", str(records), "--seed", "3")
    world.profile("part", records_per_part=max(records // 32, 1))
    took = {}
    for count in (1, 2):
        prefixes, groups = [("taskset", "-c", str(n)) for n in range(count)], []
        if share < 1:
            prefixes, groups = zip(*(limited(f"{count}-{n}", share) for n in range(count)))
        workers = [world.worker(f"scaling-{count}-{n}", prefix=prefix).start() for n, prefix in enumerate(prefixes)]
        seconds, run, peaks = timed_run(world, workers, "part")
        took[count] = seconds
        print(f"scaling: {count} worker(s) of one thread: {seconds:.2f} s, {run['bytes'] / seconds / 1e6:.0f} MB/s,"
              f" peak {', '.join(f'{p:.0f}' for p in peaks)} MB")  # fmt: skip
        for worker in workers:
            worker.stop()
        for group in groups:
            group.rmdir()
    of = f"{100 * share:.0f} % of a core each" if share < 1 else "a core each"
    print(f"scaling: two workers are {took[1] / took[2]:.2f} x one "
          f"({of}; {os.cpu_count()} cores, backends on the same ones)")  # fmt: skip


def large(world, gigabytes):
    embedded_ledger(world)
    world.exportctl("stack", "migrate")
    # A made-up record has some 1,980 bytes.
    records = int(gigabytes * 1e9 / 1_980)
    world.exportctl("ledger", "generate", "--records", str(records), "--seed", "3")
    workers = [world.worker(f"large-{n}").start() for n in range(2)]
    seconds, run, peaks = timed_run(world, workers, "json:raw")
    print(f"large: {run['bytes'] / 1e9:.2f} GB in {run['parts']} parts in {seconds:.0f} s, "
          f"{run['bytes'] / seconds / 1e6:.0f} MB/s, archive {run['size_bytes'] / 1e9:.2f} GB, "
          f"peak of each worker {', '.join(f'{p:.0f}' for p in peaks)} MB")  # fmt: skip
    for worker in workers:
        worker.stop()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("what", nargs="*", default=["messages", "idle", "scaling", "large"])
    arguments.add_argument("--gigabytes", type=float, default=1.0)
    arguments.add_argument("--records", type=int, default=200_000)
    arguments.add_argument("--share", type=float, default=1.0, help="of a core that a worker of `scaling` has")
    arguments.add_argument("--messages", type=int, default=3_000)
    arguments = arguments.parse_args()
    for what in arguments.what:
        with World() as world:
            if what in ("messages", "idle"):
                world.exportctl("stack", "migrate")
            {"messages": lambda: messages(world, arguments.messages), "idle": lambda: idle(world),
             "scaling": lambda: scaling(world, arguments.records, arguments.share),
             "large": lambda: large(world, arguments.gigabytes)}[what]()  # fmt: skip


if __name__ == "__main__":
    main()
