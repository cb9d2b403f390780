"""Mirrors against tar and zstd over the same files, deltas against full exports, sealing, and memory.

Started by mirror.sh. Ends with 0 whether or not a target is met: speed is shown, not tested. It ends
with 1 where something did not work.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
from datetime import datetime

import report
from measure import Failed, alternate, check_peaks, median, run, shell, warm

CORES = 2
CHANGED = 100  # one in so many documents
FLAT = 1.1
# By how much sealing may lengthen an export.
SEALING = {"aes-gcm": 0.05, "age": 0.10}
SEALING_ROUNDS = 5  # at least: what is judged is a few hundredths
LATER = "2099-01-01T00:00:00Z"


class Bench:
    """One run of the benchmark."""

    def __init__(self, options):
        self.options = options
        self.scratch = pathlib.Path(options.scratch)
        self.figures, self.details = [], {}
        self.peaks = {}

    # Commands ------------------------------------------------------------------------------------

    def exportctl(self, home, *words, **options):
        return run([self.options.exportctl, "--home", home, "--json", "--quiet", *words], **options)

    def home(self, name, count):
        """A home with so many generated records, and its public key beside it."""
        home = self.scratch / name
        self.exportctl(home, "ledger", "generate", "--seed", 3, "--records", count)
        warm(home / "ledger.db")
        key = self.exportctl(home, "keys", "public").json()["public_key"]
        self.key(home).write_text(key, encoding="ascii")
        return home

    @staticmethod
    def key(home):
        return home.with_name(f"{home.name}.pub")

    def export(self, home, archive, *words):
        """An export to a new archive: what it took, its last state, seconds from its submission to its
        end, and to its plan."""
        archive.unlink(missing_ok=True)
        taken = self.exportctl(home, "run", *words, "--out", archive)
        result = taken.json()
        if result["status"] != "completed":
            raise Failed(f"the export ended as {result['status']}")
        listed = self.exportctl(home, "runs", "events", result["run_id"], settle=False)
        times = {}
        for event in listed.json()["events"]:
            if "status" in event:
                at = datetime.fromisoformat(event["at"].replace("Z", "+00:00"))
                times.setdefault(event["status"], at)
        whole = (times["completed"] - times["pending"]).total_seconds()
        plan = (times["planned"] - times["pending"]).total_seconds()
        return taken, result, whole, plan

    def apply(self, home, archive, site):
        words = ("mirror", "apply", archive, "--to", site)
        key = () if (site / "current").exists() else ("--key", self.key(home))
        # Away from the home, as at a site.
        return self.exportctl(self.scratch / "no-home", *words, *key)

    def note_peak(self, what, count, taken):
        peaks = self.peaks.setdefault(what, {})
        peaks[count] = max(peaks.get(count, 0), taken.peak)

    # Against tar and zstd ------------------------------------------------------------------------

    def against_tar(self):
        count = self.options.documents
        say(f"{count:,} documents: a full export, and what it unpacks to")
        home = self.home("some", count)
        archive, site = self.scratch / "some.tar", self.scratch / "site"
        self.export(home, archive, "mirror:full")
        self.apply(home, archive, site)
        tree = (site / "current").resolve()
        size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
        peer_archive = self.scratch / "peer.tar.zst"

        def full():
            taken, _, _, _ = self.export(home, archive, "mirror:full")
            self.note_peak("mirror:full", count, taken)
            return taken

        def tar():
            peer_archive.unlink(missing_ok=True)
            return shell(f"tar -C {tree} -c . | zstd -q -3 -T{CORES} -o {peer_archive}")

        say("exporting, in turn with tar and zstd over the files of the same tree")
        ours, peers = alternate(self.options.rounds, full, tar)
        self.against(f"mirror:full of {count:,}, whole process", ours, peers,
                     f"tar c | zstd -3 -T{CORES}", size, 1.0)
        fresh, unpacked = self.scratch / "fresh", self.scratch / "unpacked"

        def apply():
            shutil.rmtree(fresh, ignore_errors=True)
            taken = self.apply(home, archive, fresh)
            self.note_peak("mirror apply", count, taken)
            return taken

        def untar():
            shutil.rmtree(unpacked, ignore_errors=True)
            unpacked.mkdir()
            return shell(f"zstd -qdc {peer_archive} | tar -C {unpacked} -x")

        say("applying, in turn with zstd and tar")
        ours, peers = alternate(self.options.rounds, apply, untar)
        self.against(f"mirror apply of {count:,}", ours, peers, "zstd -d | tar x", size, 0.5)
        shell(f"diff -rq {tree} {unpacked} && diff -rq {tree} {fresh}/current/")
        for folder in (site, fresh, unpacked):
            shutil.rmtree(folder)
        self.sealing(home)
        self.delta(home, archive, count, rounds=1)
        shutil.rmtree(home)

    def against(self, name, ours, peers, peer, size, target):
        self.figures.append(report.against(
            name, [one.wall for one in ours], [one.wall for one in peers], peer, size, target))
        self.details[name] = {"ours": [one.wall for one in ours], "peer": [one.wall for one in peers],
                              "cpu": [one.cpu for one in ours],
                              "peer_cpu": [one.cpu for one in peers], "bytes": size}

    # Sealing -------------------------------------------------------------------------------------

    def sealing(self, home):
        """The same exports plain, sealed to an age recipient, and sealed under a key file, in turn."""
        identity = self.scratch / "identity.txt"
        recipient = self.exportctl(home, "seal", "identity", "--out", identity).json()["recipient"]
        self.exportctl(home, "seal", "keygen", "bench")
        self.exportctl(home, "seal", "allow", "default", "--recipient", recipient, "--key", "bench")
        archive = self.scratch / "sealed.tar"
        rounds = max(self.options.rounds, SEALING_ROUNDS)
        for kind in ("json:raw", "mirror:full"):
            profile = self.scratch / "profile.json"
            config = {"encryption": {"mode": "aes-gcm", "key": "bench"}}
            name = f"sealed-{kind.replace(':', '-')}"
            profile.write_text(json.dumps({"name": name, "kind": kind, "config": config}))
            self.exportctl(home, "profile", "create", profile)
            ways = {"plain": (kind,), "aes-gcm": (name,), "age": (kind, "--encrypt-to", recipient)}

            def export(words):
                taken, _, _, _ = self.export(home, archive, *words)
                return taken

            say(f"sealing: {kind} plain, with aes-gcm and with age, in turn")
            actions = [lambda words=words: export(words) for words in ways.values()]
            taken = dict(zip(ways, alternate(rounds, *actions)))
            for mode in SEALING:
                self.sealed(kind, mode, taken["plain"], taken[mode])
        for path in (archive, identity, profile):
            path.unlink()

    def sealed(self, kind, mode, plain, sealed):
        walls = [one.wall / other.wall - 1 for one, other in zip(sealed, plain)]
        cpus = [one.cpu / other.cpu - 1 for one, other in zip(sealed, plain)]
        added, limit = median(walls), SEALING[mode]
        times = [report.seconds(median([one.wall for one in runs])) for runs in (sealed, plain)]
        self.figures.append(report.Figure(
            f"sealing {kind} with {mode} adds", f"{added:+.1%} ({times[0]})", f"{times[1]} plain",
            1 + added, (1 + min(walls), 1 + max(walls)), f"<= {limit * 100:.0f} %", added <= limit,
            f"CPU {median(cpus):+.1%}"))
        self.details[f"sealing {kind} with {mode}"] = {
            "wall": [one.wall for one in sealed], "plain_wall": [one.wall for one in plain],
            "cpu": [one.cpu for one in sealed], "plain_cpu": [one.cpu for one in plain]}

    # Deltas --------------------------------------------------------------------------------------

    def many(self):
        count = self.options.many
        say(f"{count:,} documents")
        home = self.home("many", count)
        archive = self.scratch / "many.tar"
        self.delta(home, archive, count, rounds=self.options.rounds, judged=True)
        shutil.rmtree(home)

    def revise(self, home, count):
        """Changes one in so many documents: newer revisions, spread over the whole tree."""
        raw = self.scratch / "raw.tar"
        _, _, _, walk = self.export(home, raw, "json:raw", "--kind", "advisory")
        unpacked = self.scratch / "raw"
        unpacked.mkdir()
        shell(f"tar -C {unpacked} -xf {raw}")
        raw.unlink()
        parts = sorted((unpacked / "payload" / "advisory").glob("part-*.jsonl.zst"))
        lines = self.scratch / "revised.jsonl"
        wanted, written = count // CHANGED, 0
        with open(lines, "wb") as out:
            for part in parts:
                process = subprocess.Popen(["zstd", "-qdc", part], stdout=subprocess.PIPE)
                for number, line in enumerate(process.stdout):
                    if number % (CHANGED - CHANGED // 10) == 0 and written < wanted:
                        out.write(revised(json.loads(line)))
                        written += 1
                if process.wait() != 0:
                    raise Failed(f"zstd could not read {part}")
        shutil.rmtree(unpacked)
        imported = self.exportctl(home, "ledger", "import", lines).json()
        lines.unlink()
        if (imported["added"], imported["superseded"]) != (written, written):
            raise Failed(f"{imported} of {written} revisions")
        return written

    def delta(self, home, archive, count, rounds, judged=False):
        """A full export, revisions of one in a hundred documents, and the delta."""
        before = self.scratch / "before.tar"
        taken, base, _, _ = self.export(home, before, "mirror:full")
        self.note_peak("mirror:full", count, taken)
        site = self.scratch / "grown"
        if count >= self.options.many:
            self.note_peak("mirror apply", count, self.apply(home, before, site))
        changed = self.revise(home, count)
        since = ("mirror:delta", "--base", base["run_id"])
        walk_only, delta_archive = self.scratch / "walk.tar", self.scratch / "delta.tar"

        def walk():
            """The index walk alone: the plan of an export whose plan writes nothing."""
            return self.export(home, walk_only, "json:raw")[3]

        def full():
            return self.export(home, archive, "mirror:full")

        def one():
            done = self.export(home, delta_archive, *since)
            self.note_peak("mirror:delta", count, done[0])
            return done

        if not judged:
            one()
            return
        say(f"{changed:,} of them revised: the walk, a full export and a delta, in turn")
        walks, fulls, deltas = alternate(rounds, walk, full, one)
        for done in fulls:
            self.note_peak("mirror:full", count, done[0])
        least = median(walks)
        beyond = [[done[2] - walked for done, walked in zip(runs, walks)] for runs in (fulls, deltas)]
        shares = [delta / full for full, delta in zip(*beyond)]
        share = median(shares)
        self.figures += [
            report.Figure("the index walk alone", report.seconds(least)),
            report.Figure("mirror:full, submitted to completed",
                          report.seconds(median([done[2] for done in fulls])),
                          note=f"{report.seconds(median(beyond[0]))} beyond the walk"),
            report.Figure(f"mirror:delta of {changed:,} revisions, the same",
                          report.seconds(median([done[2] for done in deltas])),
                          note=f"{report.seconds(median(beyond[1]))} beyond the walk"),
            report.Figure("delta's time beyond the walk, of the full export's", f"{share:.1%}",
                          spread=(min(shares), max(shares)), ratio=share, target="<= 5 %",
                          met=share <= 0.05),
        ]
        small, large = delta_archive.stat().st_size, archive.stat().st_size
        self.figures.append(report.Figure(
            "delta's size, of the full export's", f"{report.mb(small)} ({small / large:.2%})",
            f"{report.mb(large)} mirror:full", target="<= 2 %", met=small <= large * 0.02))
        self.details["delta"] = {"walk": walks, "full": [done[2] for done in fulls],
                                 "delta": [done[2] for done in deltas], "changed": changed,
                                 "size": small, "full_size": large}
        taken = self.apply(home, delta_archive, site)
        self.note_peak("mirror apply of a delta", count, taken)
        self.figures.append(report.Figure(
            f"mirror apply of the delta, to {count:,} documents", report.seconds(taken.wall)))
        for path in (archive, delta_archive, before, walk_only):
            path.unlink()
        shutil.rmtree(site)

    def memory(self):
        for what, peaks in self.peaks.items():
            shown = ", ".join(f"{report.mb(peak)} at {count:,}" for count, peak in sorted(peaks.items()))
            least, most = peaks[min(peaks)], peaks[max(peaks)]
            judged = len(peaks) > 1
            self.figures.append(report.Figure(
                f"{what}, peak memory", shown, ratio=most / least if judged else None,
                target=f"<= {FLAT} times" if judged else "",
                met=most <= least * FLAT if judged else None))
        self.details["memory"] = self.peaks


def revised(record):
    """A newer revision of an advisory, as a line."""
    raw = record["content"]["raw"]
    raw["modified"] = LATER
    text = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    record["upstream"]["content_hash"] = f"sha256:{digest}"
    record["_id"] = record["_id"].rpartition(":")[0] + ":" + digest[:12]
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--exportctl", required=True)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--results", required=True)
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) > CORES:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    bench = Bench(options)
    try:
        check_peaks()
        bench.against_tar()
        bench.many()
        bench.memory()
    except (Failed, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if bench.figures:
            print()
            print(report.table(bench.figures))
            report.write(options.results, bench.figures,
                         {"documents": options.documents, "many": options.many,
                          "rounds": options.rounds}, bench.details)
            print(f"\nall figures: {options.results}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
