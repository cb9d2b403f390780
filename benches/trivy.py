"""trivy:db against the builder of Trivy's own database, from the same advisories, in one run.

Started by trivy.sh. Ends with 0 whether or not a target is met: speed is shown, not tested. It ends
with 1 where something did not work.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

import ghsa
import report
from measure import Failed, alternate, check_peaks, median, run

CORES = 2
OFFLINE = ("--skip-db-update", "--skip-java-db-update", "--offline-scan")
COMPONENTS = 2_000
FASTER = 5
MEMORY = 256 * 10**6  # bytes, for a million advisories


class Bench:
    """One run of the benchmark."""

    def __init__(self, options):
        self.options = options
        self.scratch = pathlib.Path(options.scratch)
        self.figures, self.details = [], {}

    def exportctl(self, home, *words, **options):
        return run([self.options.exportctl, "--home", home, "--json", "--quiet", *words], **options)

    # Against the builder -------------------------------------------------------------------------

    def against_builder(self):
        count = self.options.advisories
        say(f"writing {count:,} advisories as files and as lines")
        tree, single, lines = (self.scratch / name for name in ("tree", "single", "lines.jsonl"))
        ghsa.write_tree(tree, count)
        # Of nothing at all it makes an error.
        ghsa.write_tree(single, 1)
        ghsa.write_lines(lines, count)
        home = self.scratch / "home"
        taken = self.exportctl(home, "ledger", "import", "--format", "osv", lines)
        if taken.json()["added"] != count:
            raise Failed(f"{taken.json()['added']} of {count} advisories were added")
        self.figures.append(report.Figure(
            f"import of {count:,} advisories", f"{taken.wall:.1f} s, {count / taken.wall:,.0f}/s"))

        archive = self.scratch / "db.tar"

        def ours():
            archive.unlink(missing_ok=True)
            return self.exportctl(home, "run", "trivy:db", "--out", archive)

        def builder(of):
            out = self.scratch / "built" / "db"
            shutil.rmtree(out, ignore_errors=True)
            return run([self.options.trivy_db, "build", "--cache-dir", of, "--output-dir", out,
                        "--only-update", "ghsa"])

        say("building, in turn with trivy-db's builder and with the builder on one advisory")
        # The last of a round leaves what it built.
        exports, idle, builds = alternate(
            self.options.rounds, ours, lambda: builder(single), lambda: builder(tree))
        own = [one.wall for one in exports]
        net = [build.wall - start.wall for build, start in zip(builds, idle)]
        self.faster("trivy:db, ledger to signed archive", own, net, count)
        events = self.exportctl(home, "runs", "events", exports[-1].json()["run_id"]).json()
        alone = building_alone(events.get("events", []))
        if alone:
            self.figures.append(report.Figure(
                "trivy:db, mapping and building alone", report.seconds(alone),
                f"{report.seconds(median(net))} trivy-db", median(net) / alone))
        self.figures.append(report.Figure(
            "peak memory", report.mb(max(one.peak for one in exports)),
            f"{report.mb(max(one.peak for one in builds))} trivy-db"))
        self.details["build"] = {"ours": own, "builder": [one.wall for one in builds],
                                 "builder_on_one": [one.wall for one in idle],
                                 "cpu": [one.cpu for one in exports],
                                 "builder_cpu": [one.cpu for one in builds]}
        cache = self.scratch / "ours"
        shutil.rmtree(cache, ignore_errors=True)
        self.exportctl(home, "unpack", archive, "--trivy-cache", cache)
        self.sizes(cache)
        self.scans(cache, self.scratch / "built", count)
        shutil.rmtree(tree)

    def faster(self, name, own, net, count):
        ratios = [peer / mine for mine, peer in zip(own, net)]

        def shown(times):
            return f"{report.seconds(median(times))} ({count / median(times):,.0f}/s)"

        self.figures.append(report.Figure(
            name, shown(own), f"{shown(net)} trivy-db", median(ratios), (min(ratios), max(ratios)),
            f">= {FASTER}", median(ratios) >= FASTER))

    def sizes(self, cache):
        ours = (cache / "db" / "trivy.db").stat().st_size
        built = self.scratch / "built" / "db" / "trivy.db"
        before = built.stat().st_size
        if not self.options.bbolt:
            say("skipped: size after `bbolt compact`: there is no bbolt here")
            return
        compact = self.scratch / "compact.db"
        compact.unlink(missing_ok=True)
        run([self.options.bbolt, "compact", "-o", compact, built])
        theirs = compact.stat().st_size
        # What is scanned is the file as its builder would publish it.
        os.replace(compact, built)
        self.figures.append(report.Figure(
            "size of trivy.db", report.mb(ours),
            f"{report.mb(theirs)} compacted ({report.mb(before)} as built)", theirs / ours,
            target=">= 1", met=ours <= theirs))

    def scans(self, ours, built, count):
        """Trivy on both databases. Both must find the same."""
        if not self.options.trivy:
            say("skipped: scans: there is no Trivy here")
            return
        say(f"scanning {COMPONENTS:,} packages with both databases")
        target = self.scratch / "sample.cdx.json"
        target.write_text(json.dumps(ghsa.sbom(count, COMPONENTS)), encoding="utf-8")
        (built / "db" / "metadata.json").write_text('{"Version":2}', encoding="utf-8")

        def scan(cache):
            return run([self.options.trivy, "sbom", "--cache-dir", cache, *OFFLINE, "--scanners",
                        "vuln", "--format", "json", "--quiet", target])

        mine, theirs = alternate(max(5, self.options.rounds), lambda: scan(ours),
                                 lambda: scan(built))
        found = [{(one["PkgName"], one["InstalledVersion"], one["VulnerabilityID"])
                  for result in scans[-1].json().get("Results", [])
                  for one in result.get("Vulnerabilities", [])} for scans in (mine, theirs)]
        if found[0] != found[1] or not found[0]:
            only = [sorted(found[0] - found[1])[:3], sorted(found[1] - found[0])[:3]]
            raise Failed(f"{len(found[0])} and {len(found[1])} findings; only in one: {only}")
        ratios = [b.wall / a.wall for a, b in zip(mine, theirs)]
        self.figures.append(report.Figure(
            f"a scan, {len(found[0]):,} findings", report.seconds(median([one.wall for one in mine])),
            f"{report.seconds(median([one.wall for one in theirs]))} with trivy-db's",
            median(ratios), (min(ratios), max(ratios)), ">= 0.95", median(ratios) >= 0.95))

    # Memory --------------------------------------------------------------------------------------

    def memory(self):
        peaks = {}
        for count in self.options.memory:
            say(f"memory at {count:,} advisories")
            lines, home = self.scratch / "many.jsonl", self.scratch / f"many-{count}"
            ghsa.write_lines(lines, count, seed=2)
            self.exportctl(home, "ledger", "import", "--format", "osv", lines)
            lines.unlink()
            archive = self.scratch / "many.tar"
            taken = self.exportctl(home, "run", "trivy:db", "--out", archive)
            peaks[count] = taken.peak
            size = archive.stat().st_size
            archive.unlink()
            shutil.rmtree(home)
            self.figures.append(report.Figure(
                f"trivy:db of {count:,} advisories",
                f"{report.seconds(taken.wall)}, {report.mb(taken.peak)} peak memory, "
                f"{report.mb(size)} archive", target=f"<= {report.mb(MEMORY)}",
                met=taken.peak <= MEMORY))
        if len(peaks) > 1:
            least, most = peaks[min(peaks)], peaks[max(peaks)]
            self.figures.append(report.Figure(
                f"peak memory, {max(peaks):,} to {min(peaks):,}", f"{most / least:.2f} times",
                target="<= 1.1", met=most <= least * 1.1))
        self.details["memory"] = peaks


def building_alone(events):
    """Seconds from the first shard's start to the end of assembling, as the run's events say."""
    from datetime import datetime
    times = {}
    for event in events:
        times.setdefault(event["type"], []).append(datetime.fromisoformat(event["at"]))
    first, last = times.get("adapter.start"), times.get("assemble.complete")
    return (last[-1] - first[0]).total_seconds() if first and last else None


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--exportctl", required=True)
    parser.add_argument("--trivy-db", required=True)
    parser.add_argument("--trivy")
    parser.add_argument("--bbolt")
    parser.add_argument("--advisories", type=int, default=50_000)
    parser.add_argument("--memory", type=lambda text: [int(one) for one in text.split()],
                        default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--results", required=True)
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) > CORES:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    bench = Bench(options)
    try:
        check_peaks()
        bench.against_builder()
        bench.memory()
    except (Failed, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if bench.figures:
            print()
            print(report.table(bench.figures))
            report.write(options.results, bench.figures,
                         {"advisories": options.advisories, "memory": options.memory,
                          "rounds": options.rounds}, bench.details)
            print(f"\nall figures: {options.results}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
