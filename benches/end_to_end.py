"""exportctl from end to end: what it takes, and what named peers take for the same bytes.

Started by end_to_end.sh. Ends with 0 whether or not a target is met: speed is shown, not tested. It
ends with 1 where something did not work.
"""

import argparse
import os
import pathlib
import platform
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime

import report
import where_time_goes
from measure import Failed, alternate, check_peaks, median, run, shell, warm
from repeat_evidence import repeat

# Targets are for a machine of two cores; on a larger one everything, peers too, is kept on two.
CORES = 2
MOST_MEMORY = 128 * 10**6
QUICK_ROUNDS = 5
GENERATED_RECORD = 1950  # least mean bytes of a generated record
FREE_BYTES = 9 * 10**9  # for a gigabyte of evidence; scales


class Bench:
    """One run of the benchmark."""

    def __init__(self, options):
        self.exportctl = options.exportctl
        self.evidence = pathlib.Path(options.evidence)
        self.bytes = options.bytes
        self.rounds = options.rounds
        self.scratch = pathlib.Path(options.scratch)
        self.figures = []
        self.details = {}
        self.failures = []

    # Commands ------------------------------------------------------------------------------------

    def command(self, home, *words):
        return [self.exportctl, "--home", home, "--json", "--quiet", *words]

    def export(self, home, **options):
        """Exports json:raw. Returns what it took and the run's last state."""
        taken = run(self.command(home, "run", "json:raw"), **options)
        result = taken.json()
        if result["status"] != "completed":
            raise Failed(f"the export ended as {result['status']}")
        return taken, result

    def events(self, home, result):
        listed = run(self.command(home, "runs", "events", result["run_id"]), settle=False)
        return listed.json()["events"]

    def archive(self, home, result):
        path = pathlib.Path(result["archive"])
        return path if path.is_absolute() else pathlib.Path.cwd() / path

    # Steps ---------------------------------------------------------------------------------------

    def large(self):
        """The large data set: import, export, verify."""
        lines, records, size = self.large_lines()
        home = self.scratch / "large"
        self.import_large(home, lines, records, size)
        result = self.export_large(home, lines, size)
        archive = self.archive(home, result)
        payload = self.scratch / "payload"
        self.unpack(archive, payload, lines)
        self.profile_large(home, lines)
        lines.unlink()
        self.verify(home, archive, payload, size)
        shutil.rmtree(payload)
        shutil.rmtree(home)

    def large_lines(self):
        """A file of canonical lines in canonical order, of at least the bytes that were asked for."""
        seed = self.scratch / "seed"
        public = [self.evidence / f"{name}.jsonl.zst" for name in ("advisories", "sboms", "vex")]
        real = all(path.is_file() for path in public)
        if real:
            say(f"large data set: the real evidence of {self.evidence}, repeated under distinct ids")
            run(self.command(seed, "ledger", "import", *public))
        else:
            say(
                f"NOTE: {self.evidence} holds no evidence (EXPORT_EVIDENCE): the large data set is "
                "GENERATED. Its figures are not those of real evidence."
            )
            count = -(-self.bytes // GENERATED_RECORD)
            run(self.command(seed, "ledger", "generate", "--seed", 3, "--records", count))
        _, result = self.export(seed)
        unpacked = self.scratch / "seed-payload"
        files = unpack(self.archive(seed, result), unpacked)
        lines = self.scratch / "lines.jsonl"
        if real:
            kinds = {}
            for file in files:
                kinds.setdefault(file.parent.name, []).append(file)
            plain = []
            for kind, parts in sorted(kinds.items()):
                plain.append(self.scratch / f"{kind}.jsonl")
                shell(f"zstd -qdc {words(parts)} > {words([plain[-1]])}")
            records, size = repeat(plain, self.bytes, lines)
            for path in plain:
                path.unlink()
        else:
            shell(f"zstd -qdc {words(files)} > {words([lines])}")
            records, size = result["records"], result["bytes"]
        shutil.rmtree(unpacked)
        shutil.rmtree(seed)
        say(f"  {records:,} records, {report.mb(size)} of canonical bytes")
        self.details["large"] = {"real": real, "records": records, "bytes": size}
        return lines, records, size

    def import_large(self, home, lines, records, size):
        say("importing it")
        warm(lines)
        taken = run(self.command(home, "ledger", "import", lines))
        added = taken.json()["added"]
        if added != records:
            raise Failed(f"{added} of {records} records were added")
        rate = f"{records / taken.wall:,.0f} records/s, {size / 1e6 / taken.wall:,.0f} MB/s"
        self.figures.append(report.Figure("import, canonical lines", rate))
        self.figures.append(report.Figure("import, peak memory", report.mb(taken.peak)))
        self.details["import"] = taken_json(taken)

    def export_large(self, home, lines, size):
        say("exporting json:raw, in turn with zstd")
        compressed = self.scratch / "peer.zst"
        warm(home / "ledger.db")
        warm(lines)

        def ours():
            taken, result = self.export(home, sampled=True)
            return taken, result, Moments(self.events(home, result))

        def peer():
            compressed.unlink(missing_ok=True)
            return run(["zstd", "-q", "-3", f"-T{CORES}", lines, "-o", compressed])

        exports, peers = alternate(self.rounds, ours, peer)
        stored = exports[-1][2].stored
        self.details["export"] = {
            "rounds": [
                {
                    "process": taken_json(taken),
                    "payload": moments.span_json(taken, moments.submitted, moments.payload),
                    "adapter": moments.span_json(taken, moments.started, moments.payload),
                    "phases": moments.phases(taken),
                }
                for taken, _, moments in exports
            ],
            "zstd": [taken_json(taken) for taken in peers],
            "stored_bytes": stored,
            "zstd_bytes": compressed.stat().st_size,
        }
        name = f"zstd -3 -T{CORES}"
        spans = [
            ("ledger to payload", lambda m: (m.submitted, m.payload), 0.65, 0.8),
            ("adapter alone", lambda m: (m.started, m.payload), None, None),
        ]
        for title, span, target, goal in spans:
            wall = [end - start for _, _, m in exports for start, end in [span(m)]]
            cpu = [t.cpu_between(*span(m)) for t, _, m in exports]
            for what, used, theirs in (
                ("wall", wall, [p.wall for p in peers]),
                ("CPU", cpu, [p.cpu for p in peers]),
            ):
                self.figures.append(
                    report.against(
                        f"json:raw, {title}, {what}", used, theirs, name, size, target, goal
                    )
                )
        self.figures.append(
            report.against(
                "json:raw, whole process, wall",
                [t.wall for t, _, _ in exports],
                [p.wall for p in peers],
                name,
                size,
            )
        )
        self.figures.append(
            report.against(
                "json:raw, whole process, CPU",
                [t.cpu for t, _, _ in exports],
                [p.cpu for p in peers],
                name,
                size,
            )
        )
        self.figures.append(
            report.at_most(
                "json:raw, peak memory, large data set",
                max(t.peak for t, _, _ in exports),
                MOST_MEMORY,
                report.mb,
            )
        )
        ratio = stored / compressed.stat().st_size
        self.figures.append(
            report.Figure(
                "json:raw, size of the payload",
                report.mb(stored),
                f"{report.mb(compressed.stat().st_size)} {name}",
                ratio,
                note="below 1 is smaller",
            )
        )
        compressed.unlink()
        return exports[-1][1]

    def unpack(self, archive, payload, lines):
        say("comparing what was exported with what was imported")
        files = unpack(archive, payload)
        try:
            shell(f"zstd -qdc {words(files)} | cmp - {words([lines])}")
        except Failed as failed:
            raise Failed(f"the export is not what was imported: {failed}") from failed

    def profile_large(self, home, lines):
        """Where an export's time goes: the same work done by others, and perf's view."""
        say("looking where the time of an export goes")
        hashed, scanned = alternate(
            self.rounds,
            lambda: run(["openssl", "dgst", "-sha256", lines]),
            lambda: scan(home / "ledger.db"),
        )
        sha, read = median([t.cpu for t in hashed]), median([t.cpu for t in scanned])
        adapter = median([r["adapter"]["cpu"] for r in self.details["export"]["rounds"]])
        zstd = median([t["cpu"] for t in self.details["export"]["zstd"]])
        where = {
            "adapter": adapter,
            "zstd_same_bytes": zstd,
            "sha256_once": sha,
            "sqlite_scan_python": read,
        }
        self.details["where"] = where
        classes, functions = {}, []
        if where_time_goes.available():
            command = self.command(home, "run", "json:raw")
            classes, functions = where_time_goes.shares(command, self.scratch)
        self.details["where"]["perf_classes"] = classes
        self.details["where"]["perf_functions"] = functions

    def verify(self, home, archive, payload, size):
        say("verifying, in turn with openssl")
        rounds = max(self.rounds, QUICK_ROUNDS)
        warm(archive)
        stored = archive.stat().st_size
        ours, peers = alternate(
            rounds,
            lambda: run(self.command(home, "verify", archive)),
            lambda: run(["openssl", "dgst", "-sha256", archive]),
        )
        self.verified("verify", ours, peers, "openssl dgst -sha256", stored, 0.8)
        files = words(sorted(payload.rglob("*.zst")))
        deep, peers = alternate(
            rounds,
            lambda: run(self.command(home, "verify", "--deep", archive)),
            lambda: shell(f"zstd -qdc {files} | openssl dgst -sha256"),
        )
        self.verified("verify --deep", deep, peers, "zstd -dc | openssl dgst -sha256", size, 0.6)
        self.figures.append(
            report.Figure("verify --deep, peak memory", report.mb(max(t.peak for t in deep)))
        )

    def verified(self, name, ours, peers, peer, size, target):
        for taken in ours:
            if taken.json()["verified"] is not True:
                raise Failed(f"{name}: it is not verified")
        self.details[name] = {
            "rounds": [taken_json(taken) for taken in ours],
            "peer": [taken_json(taken) for taken in peers],
        }
        walls = [t.wall for t in ours], [t.wall for t in peers]
        self.figures.append(report.against(f"{name}, wall", *walls, peer, size, target))
        cpus = [t.cpu for t in ours], [t.cpu for t in peers]
        self.figures.append(report.against(f"{name}, CPU", *cpus, peer, size))

    def growth(self):
        """Memory at 100,000 and 1,000,000 records, and planning the latter."""
        peaks = {}
        for records in (100_000, 1_000_000):
            say(f"generating and exporting {records:,} records")
            home = self.scratch / f"generated-{records}"
            made = run(self.command(home, "ledger", "generate", "--seed", 1, "--records", records))
            warm(home / "ledger.db")
            exports = []
            for _ in range(self.rounds):
                taken, result = self.export(home, sampled=True)
                if result["records"] != records:
                    raise Failed(f"{result['records']} of {records} records were exported")
                exports.append((taken, Moments(self.events(home, result))))
            shutil.rmtree(home)
            peaks[records] = max(taken.peak for taken, _ in exports)
            planning = [m.planned - m.submitted for _, m in exports]
            self.details[f"generated {records}"] = {
                "generate": taken_json(made),
                "rounds": [taken_json(taken) | moments.phases(taken) for taken, moments in exports],
                "plan_wall": planning,
            }
        for records, peak in peaks.items():
            name = f"json:raw, peak memory, {records:,} records"
            self.figures.append(report.at_most(name, peak, MOST_MEMORY, report.mb))
        small, large = peaks.values()
        self.figures.append(
            report.at_most(
                "  the latter over the former", large / small, 1.10, lambda ratio: f"{ratio:.3f}"
            )
        )
        self.figures.append(
            report.at_most("planning 1,000,000 keys", median(planning), 3.0, report.seconds)
        )

    def quick(self):
        """A small export, from submission to completion."""
        say("exporting 1,000 records")
        home = self.scratch / "small"
        run(self.command(home, "ledger", "generate", "--seed", 2, "--records", 1000))
        times, walls = [], []
        for _ in range(max(self.rounds, QUICK_ROUNDS) + 1):
            taken, result = self.export(home)
            times.append(moment(result["finished_at"]) - moment(result["submitted_at"]))
            walls.append(taken.wall)
        shutil.rmtree(home)
        self.details["1,000 records"] = {"submitted_to_finished": times, "wall": walls}
        figure = report.at_most(
            "1,000 records, submitted to completed", median(times), 1.0, report.seconds
        )
        figure.note = f"slowest of {len(times)}: {report.seconds(max(times))}"
        self.figures.append(figure)

    # All of it -----------------------------------------------------------------------------------

    def all(self):
        for step in (check_peaks, self.large, self.growth, self.quick):
            try:
                step()
            except (Failed, OSError, KeyError, ValueError, sqlite3.Error) as error:
                what = f"{step.__name__}: {type(error).__name__}: {error}"
                self.failures.append(what)
                say(f"NOT MEASURED: {what}")
                # What the step has left would be in the way of the next.
                for left in self.scratch.iterdir():
                    if left.is_dir():
                        shutil.rmtree(left)
                    else:
                        left.unlink()


class Moments:
    """When what happened in a run, in seconds since 1970."""

    def __init__(self, events):
        def at(**wanted):
            for event in events:
                if all(event.get(name) == value for name, value in wanted.items()):
                    return moment(event["at"])
            raise Failed(f"the run has no event {wanted}")

        complete = [event for event in events if event["type"] == "adapter.complete"]
        self.submitted = at(status="pending")
        self.planned = at(status="planned")
        self.started = at(type="adapter.start")
        self.payload = max(moment(event["at"]) for event in complete)
        self.signed = at(type="sign.complete")
        self.finished = at(status="completed")
        self.stored = sum(event["stored"] for event in complete)

    def phases(self, taken):
        """What each phase took, of a command that was sampled."""
        ends = {
            "plan": self.planned,
            "adapter": self.payload,
            "sign": self.signed,
            "distribute": self.finished,
        }
        phases, start = {}, self.submitted
        for name, end in ends.items():
            phases[name] = self.span_json(taken, start, end)
            phases[name]["resident"] = taken.resident_between(start, end)
            start = end
        return phases

    @staticmethod
    def span_json(taken, start, end):
        return {"wall": end - start, "cpu": taken.cpu_between(start, end)}


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def words(paths):
    return " ".join(f"'{path}'" for path in paths)


def unpack(archive, to):
    """Unpacks an archive's payload with tar. Returns its files of records, in canonical order."""
    to.mkdir()
    run(["tar", "-xf", archive, "-C", to, "payload"])
    return sorted(to.glob("payload/*/*.jsonl.zst"))


def scan(ledger):
    """Reads every record in canonical order, as the ledger does, through Python's SQLite."""
    script = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)\n"
        "db.execute('PRAGMA cache_size = -2048')\n"
        "rows = db.execute('SELECT e.subject_key, e.id, e.record_sha256, b.body FROM entries e '\n"
        "                  'JOIN bodies b ON b.seq = e.seq '\n"
        "                  'ORDER BY e.tenant, e.kind, e.subject_key, e.id')\n"
        "print(sum(len(row[3]) for row in rows))\n"
    )
    return run([sys.executable, "-c", script, ledger])


def taken_json(taken):
    return {"wall": taken.wall, "cpu": taken.cpu, "peak": taken.peak}


def say(text):
    print(text, flush=True)


def version(*command):
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return text.strip().splitlines()[0]
    except (OSError, IndexError):
        return "?"


def setting(bench):
    """What the figures are worth nothing without."""
    model = "?"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((l.split(":")[1].strip() for l in file if l.startswith("model name")), "?")
    except OSError:
        pass
    return {
        "exportctl": version(bench.exportctl, "--version").split()[-1],
        "zstd": next(
            word.rstrip(",") for word in version("zstd", "--version").split() if word[0] in "v?"
        ),
        "openssl": version("openssl", "version").removeprefix("OpenSSL ").split()[0],
        "kernel": platform.release(),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
        "rounds": bench.rounds,
    }


def where(bench):
    """Lines that say where an export's processor time goes."""
    known = bench.details.get("where")
    if known is None:
        return
    say("\nWhere the adapter's processor time goes (seconds; the others do a part of its work alone)")
    rows = [
        ("the adapter", known["adapter"]),
        ("zstd -3 over the same bytes", known["zstd_same_bytes"]),
        ("openssl dgst -sha256 over the same bytes (the adapter: twice)", known["sha256_once"]),
        ("reading every record through Python's SQLite", known["sqlite_scan_python"]),
    ]
    for name, value in rows:
        say(f"  {value:7.2f}  {name}")
    if known["perf_classes"]:
        say("Of the whole process, by perf's samples (percent)")
        for name, percent in known["perf_classes"].items():
            say(f"  {percent:7.1f}  {name}")
    else:
        say("perf is not there or may not be used: no samples")


def main():
    parser = argparse.ArgumentParser()
    for name in ("exportctl", "evidence", "scratch", "results"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("bytes", "rounds"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    if options.rounds < 1 or options.bytes < 1:
        parser.error("BENCH_ROUNDS and BENCH_BYTES must be at least 1")
    free = shutil.disk_usage(options.scratch).free
    # The exports of generated records take the same room whatever the large data set is.
    if free < FREE_BYTES * max(1.0, options.bytes / 1e9):
        sys.exit(f"error: {options.scratch} has room for {free / 1e9:.1f} GB; set BENCH_DIR")

    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:CORES])
    if len(allowed) < CORES:
        say(f"NOTE: one core only: the targets are for {CORES}")
    bench = Bench(options)
    about = setting(bench)
    if about["load_before"] > 0.5:
        say(f"NOTE: load {about['load_before']:.1f}: others are busy here, which disturbs figures")
    bench.all()

    say("\n" + ", ".join(f"{name} {value}" for name, value in about.items()) + "\n")
    say(report.table(bench.figures))
    where(bench)
    report.write(options.results, bench.figures, about, bench.details)
    missed = sum(figure.met is False for figure in bench.figures)
    say(f"\n{missed} of {sum(f.met is not None for f in bench.figures)} targets MISSED")
    say(f"every round: {options.results}")
    for failure in bench.failures:
        say(f"NOT MEASURED: {failure}")
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
