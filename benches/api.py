"""The HTTP API under load, and nginx serving the same file in the same run.

Started by api.sh. Ends with 0 whether or not a target is met: speed is shown, not tested.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

import report
from measure import Failed, run

# The load and the service share the machine's cores, as they do on a small host.
ROUNDS = 3
SECONDS = 5
STATUS_TARGET = 2_000
STATUS_MEMORY = 100 * 10**6
SUBMIT_RATE = 50
SUBMIT_SECONDS = 10
SUBMIT_TARGET = 0.020
FOLLOWERS = 1_000
FOLLOWER_MEMORY = 60 * 10**6


def resident(pid):
    """Resident bytes of a process."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Failed(f"process {pid} is gone")


class Service:
    """`exportctl serve` on a home of its own."""

    def __init__(self, exportctl, home, role):
        self.exportctl, self.home = exportctl, home
        self.log = open(home.parent / "serve.log", "ab")
        self.process = subprocess.Popen(
            [exportctl, "--home", home, "--json", "serve", "--listen", "127.0.0.1:0", "--role", role],
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.host = self.url.removeprefix("http://")
        self.environment = dict(os.environ, EXPORT_CREDENTIALS=str(home.parent / "credentials"))
        self.ctl("login", "--tenant", "bench", "--subject", "bench")

    def ctl(self, *words):
        command = [self.exportctl, "--server", self.url, *map(str, words)]
        done = subprocess.run(command, capture_output=True, check=False, env=self.environment)
        if done.returncode != 0:
            raise Failed(f"{' '.join(map(str, words))}: {done.stderr.decode()[-400:]}")
        return done.stdout.decode()

    def proofs(self, method, path, count):
        """An Authorization value, and so many DPoP values."""
        lines = self.ctl("proof", "--count", count, method, path).splitlines()
        token = next(line for line in lines if line.startswith("Authorization: "))
        values = [line.removeprefix("DPoP: ") for line in lines if line.startswith("DPoP: ")]
        return token.removeprefix("Authorization: "), values

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


@contextlib.contextmanager
def serving(exportctl, home, role):
    service = Service(exportctl, home, role)
    try:
        yield service
    finally:
        service.stop()


class Wrk:
    """One run of wrk."""

    def __init__(self, url, script, connections, seconds, environment):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script, url]
        done = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
        line = next((l for l in done.stdout.splitlines() if l.startswith("RESULT ")), None)
        if line is None:
            raise Failed(f"wrk: {done.stdout[-300:]} {done.stderr[-300:]}")
        self.requests, self.bytes, micros, self.refused, self.broken, p99 = map(int, line.split()[1:])
        self.seconds, self.p99 = micros / 1e6, p99 / 1e6


class Bench:
    def __init__(self, options):
        self.exportctl = options.exportctl
        self.scratch = pathlib.Path(options.scratch)
        self.records = options.records
        self.figures = []
        self.here = pathlib.Path(__file__).parent

    def wrk(self, service, path, connections, seconds, count):
        token, proofs = service.proofs("GET", path, count)
        files = {"PROOFS": self.scratch / "proofs", "TOKEN": self.scratch / "token"}
        files["PROOFS"].write_text("\n".join(proofs) + "\n")
        files["TOKEN"].write_text(token + "\n")
        environment = dict(os.environ, **{name: str(file) for name, file in files.items()})
        return Wrk(service.url + path, str(self.here / "proofs.lua"), connections, seconds, environment)

    # Downloads -----------------------------------------------------------------------------------

    def downloads(self, home):
        say(f"making a bundle of {self.records:,} generated records")
        run([self.exportctl, "--home", home, "ledger", "generate", "--tenant", "bench",
             "--seed", 5, "--records", self.records])
        archive = self.scratch / "bundle.tar"
        made = run([self.exportctl, "--home", home, "--json", "run", "json:raw", "--tenant", "bench",
                    "--out", archive]).json()
        size = archive.stat().st_size
        say(f"  {size / 1e6:,.1f} MB; downloading it, in turn with nginx")
        with serving(self.exportctl, home, "api") as service, nginx(self.scratch, archive) as peer:
            path = f"/api/export/runs/{made['run_id']}/download"
            for connections in (1, 32):
                ours, theirs = [], []
                for _ in range(ROUNDS):
                    mine = self.wrk(service, path, connections, SECONDS, 4_000)
                    other = Wrk(peer + "/bundle.tar", str(self.here / "plain.lua"), connections,
                                SECONDS, os.environ)
                    for one, name in ((mine, "ours"), (other, "nginx")):
                        if one.refused or not one.bytes:
                            raise Failed(f"{name}: {one.refused} answers were refusals")
                    ours.append(mine.bytes / mine.seconds)
                    theirs.append(other.bytes / other.seconds)
                ratios = [a / b for a, b in zip(ours, theirs)]
                ratio = statistics.median(ratios)
                self.figures.append(report.Figure(
                    f"download, {connections} connection{'s' if connections > 1 else ''}",
                    f"{statistics.median(ours) / 1e6:,.0f} MB/s",
                    f"{statistics.median(theirs) / 1e6:,.0f} MB/s nginx, sendfile on",
                    ratio, (min(ratios), max(ratios)), ">= 0.8", ratio >= 0.8))
            peak = peak_resident(service.process.pid)
            self.figures.append(report.Figure("download, peak memory", report.mb(peak)))
        return made["run_id"]

    # Status reads --------------------------------------------------------------------------------

    def reads(self, home, run_id):
        say("reading a run's status")
        with serving(self.exportctl, home, "api") as service:
            path = f"/api/export/runs/{run_id}"
            rates, p99s = [], []
            for _ in range(ROUNDS):
                done = self.wrk(service, path, 32, SECONDS, 12_000 * SECONDS)
                if done.refused:
                    raise Failed(f"{done.refused} of {done.requests} reads were refused")
                rates.append(done.requests / done.seconds)
                p99s.append(done.p99)
            rate = statistics.median(rates)
            self.figures.append(report.Figure(
                "status reads, 32 connections",
                f"{rate:,.0f}/s (p99 {statistics.median(p99s) * 1000:.1f} ms)",
                spread=(min(rates), max(rates)), target=f">= {STATUS_TARGET:,}/s",
                met=rate >= STATUS_TARGET))
            memory = peak_resident(service.process.pid)
            self.figures.append(report.Figure(
                "status reads, peak memory", report.mb(memory),
                target=f"<= {report.mb(STATUS_MEMORY)}", met=memory <= STATUS_MEMORY))

    # Submitting ----------------------------------------------------------------------------------

    def submits(self, home):
        say(f"submitting {SUBMIT_RATE} runs a second")
        with serving(self.exportctl, home, "api") as service:
            count = SUBMIT_RATE * SUBMIT_SECONDS
            token, proofs = service.proofs("POST", "/api/export/runs", count)
            body = json.dumps({"profile": "json:raw", "selectors": {"identifiers": ["CVE-1999-0001"]}})
            took, refused = open_loop(service.host, token, proofs, body)
            if refused:
                raise Failed(f"{len(refused)} submissions were refused: {refused[0]}")
            took.sort()
            p99 = took[int(len(took) * 0.99) - 1]
            self.figures.append(report.Figure(
                f"submit at {SUBMIT_RATE}/s, p99",
                f"{p99 * 1000:.1f} ms (median {statistics.median(took) * 1000:.1f} ms)",
                target=f"<= {SUBMIT_TARGET * 1000:.0f} ms", met=p99 <= SUBMIT_TARGET))
            # Nothing works here: what was submitted waits, and can be followed for as long as wanted.
            self.followers(service)

    def followers(self, service):
        say(f"following runs with {FOLLOWERS:,} clients")
        runs = json.loads(service.ctl("--json", "runs", "list", "--limit", "1"))["runs"]
        path = f"/api/export/runs/{runs[0]['run_id']}/events"
        before = resident(service.process.pid)
        token, proofs = service.proofs("GET", path, FOLLOWERS)
        host, port = service.host.split(":")
        sockets = []
        for proof in proofs:
            client = socket.create_connection((host, int(port)))
            client.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {service.host}\r\nAuthorization: {token}\r\n"
                f"DPoP: {proof}\r\nAccept: text/event-stream\r\n\r\n".encode())
            sockets.append(client)
        for client in sockets:
            answer = client.recv(4096)
            if b" 200 " not in answer.split(b"\r\n", 1)[0]:
                raise Failed(f"a follower was answered {answer[:100]!r}")
        # A heartbeat for each, so that what is measured is the steady state.
        for client in sockets:
            client.settimeout(30)
            while b": waiting" not in client.recv(4096):
                pass
        after = resident(service.process.pid)
        for client in sockets:
            client.close()
        self.figures.append(report.Figure(
            f"{FOLLOWERS:,} idle followers, memory",
            f"{report.mb(after)} ({(after - before) / FOLLOWERS / 1000:.1f} kB each)",
            target=f"<= {report.mb(FOLLOWER_MEMORY)}", met=after <= FOLLOWER_MEMORY))


def peak_resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise Failed(f"process {pid} is gone")


def open_loop(host, token, proofs, body):
    """Sends a request at each tick, whether or not the ones before were answered."""
    took, refused, threads = [], [], []
    pool = [http.client.HTTPConnection(host, timeout=30) for _ in range(16)]
    for connection in pool:
        connection.connect()
    free = list(pool)
    lock = threading.Lock()

    def one(proof, due):
        with lock:
            connection = free.pop() if free else http.client.HTTPConnection(host, timeout=30)
        connection.request("POST", "/api/export/runs", body, {
            "Authorization": token, "DPoP": proof, "Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        # From when it was due, so that a stall counts for all who waited.
        spent = time.monotonic() - due
        with lock:
            free.append(connection)
            took.append(spent)
            if answer.status != 202:
                refused.append(said[:200])

    begun = time.monotonic()
    for number, proof in enumerate(proofs):
        due = begun + number / SUBMIT_RATE
        time.sleep(max(0.0, due - time.monotonic()))
        thread = threading.Thread(target=one, args=(proof, due))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return took, refused


@contextlib.contextmanager
def nginx(scratch, archive):
    """nginx with sendfile on, serving the archive's folder."""
    folder = scratch / "nginx"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(f"""
{user}
worker_processes 2;
pid {folder}/pid;
error_log {folder}/error.log;
daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port}; root {archive.parent}; }}
}}
""")
    process = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Failed("nginx does not start") from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--exportctl", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--records", type=int, required=True)
    options = parser.parse_args()
    bench = Bench(options)
    home = pathlib.Path(options.scratch) / "home"
    try:
        run_id = bench.downloads(home)
        bench.reads(home, run_id)
        bench.submits(home)
    except Failed as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1
    print(report.table(bench.figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
