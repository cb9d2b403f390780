"""Processes of a stack that a test starts, kills and asks: databases, queues, workers.

What a test does not start itself is at the addresses in the environment, as `localstack/start.sh`
writes them. Every test has a database, a bucket and queues of its own.
"""

import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
import pymongo
from botocore.config import Config

# botocore has a name of its own for it.
os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])

PHASES = ("plan", "adapter", "sign", "distribute")
EXPORTCTL = os.environ["EXPORTCTL"]
PATIENCE = 120
LEASE_SECONDS = 10


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, condition, seconds=PATIENCE):
    """Waits until `condition()` gives something, which it gives back."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: not {what}")
        time.sleep(0.05)


class Process:
    """A process that can be killed and started again as it was."""

    def __init__(self, name, command, log, ready=lambda: True, environment=None, folder=None):
        self.name, self.command, self.log, self.ready = name, command, log, ready
        self.environment, self.folder = environment or dict(os.environ), folder
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=self.environment, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        until(f"{self.name} is ready (see {self.log})", lambda: self.alive() and self.ready(), 90)
        return self

    def alive(self):
        if self.process.poll() is not None:
            tail = pathlib.Path(self.log).read_text(errors="replace")[-600:]
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {tail}")
        return True

    def kill(self):
        """SIGKILL, as of a machine that loses power."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=60):
        """SIGTERM, and its end awaited; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def answers(url):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


class World:
    """A database, a bucket, queues and a home with a key, and processes that work on them."""

    def __init__(self, own=()):
        """`own`: the parts, of "mongodb" and "queue", that this test has processes of its own of."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="export-stack-test."))
        self.processes = []
        self.name = f"t{secrets.token_hex(5)}"
        self.mongodb_uri = os.environ["MONGODB_URI"]
        self.aws_url = os.environ["AWS_ENDPOINT_URL"]
        self.database_process = self.queue_process = None
        if "mongodb" in own:
            self.start_mongodb()
        if "queue" in own:
            self.start_localstack()
        self.s3 = boto3.client(
            "s3", endpoint_url=os.environ["S3_ENDPOINT"],
            aws_access_key_id=os.environ["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=os.environ["S3_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}), region_name="us-east-1",
        )  # fmt: skip
        self.s3.create_bucket(Bucket=self.name)
        self.make_queues()
        self.environment = {
            **os.environ,
            "EXPORT_HOME": str(self.folder / "home"),
            "EXPORT_TENANT": "acme",
            "MONGODB_URI": self.mongodb_uri,
            "EXPORT_DATABASE": self.name,
            "EXPORT_BUCKET": self.name,
            "EXPORT_LEDGER": "mongodb",
            "EXPORT_LEASE_SECONDS": str(LEASE_SECONDS),
            "AWS_ENDPOINT_URL": self.aws_url,
            "EXPORT_LOG": "json",
            "RUST_LOG": "warn,export=info,export_adapter=info,export_plan=info",
        } | {f"EXPORT_QUEUE_{phase.upper()}": url for phase, url in self.queues.items()}
        for unwanted in ("EXPORT_SIGNER", "EXPORT_SERVER", "EXPORT_MONGODB_SECRET", "COSIGN_PASSWORD"):
            self.environment.pop(unwanted, None)

    def start_mongodb(self):
        port = free_port()
        data = self.folder / "mongodb"
        data.mkdir()
        command = [os.environ["SECANTUSD"], "--port", str(port), "--storage-path", str(data), "--sync-on-commit",
                   "--cache-size", "256M", "--log-file-max", "16MB"]  # fmt: skip
        self.database_process = self.keep("mongodb", command, lambda: accepts(port)).start()
        self.mongodb_uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"

    def start_localstack(self):
        port = free_port()
        data = self.folder / "localstack"
        data.mkdir()
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(data), "TMPDIR": str(data), "LANG": "C.UTF-8",
            "GATEWAY_LISTEN": f"127.0.0.1:{port}", "LOCALSTACK_HOST": f"127.0.0.1:{port}",
            "SERVICES": "sqs", "DNS_ADDRESS": "0", "SQS_ENDPOINT_STRATEGY": "path",
            "EAGER_SERVICE_LOADING": "0", "DISABLE_EVENTS": "1", "SKIP_SSL_CERT_DOWNLOAD": "1",
        }  # fmt: skip
        self.aws_url = f"http://127.0.0.1:{port}"
        self.queue_process = self.keep(
            "localstack", [sys.executable, "-P", "-m", "localstack.runtime.main"],
            lambda: answers(f"{self.aws_url}/_localstack/health"), environment, data,
        ).start()  # fmt: skip

    def make_queues(self):
        """The queues, each with its dead letters. Made anew with the same names they have the same URLs."""
        sqs = self.sqs = boto3.client("sqs", endpoint_url=self.aws_url)
        self.queues = {}
        for phase in PHASES:
            dead = sqs.create_queue(QueueName=f"{self.name}-{phase}-dead")["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
            made = sqs.create_queue(
                QueueName=f"{self.name}-{phase}", Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "60"}
            )
            self.queues[phase] = made["QueueUrl"]

    def keep(self, name, command, ready=lambda: True, environment=None, folder=None):
        process = Process(name, command, self.folder / f"{name}.log", ready, environment, folder)
        self.processes.append(process)
        return process

    def exportctl(self, *arguments, ok=True, environment=None):
        """Runs a command with --json; gives what it printed."""
        done = subprocess.run(
            [EXPORTCTL, "--json", *arguments], env={**self.environment, **(environment or {})},
            capture_output=True, text=True, cwd=self.folder,
        )  # fmt: skip
        if ok and done.returncode != 0:
            raise AssertionError(f"exportctl {' '.join(arguments)}: {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def fill(self, records, seed=7):
        self.exportctl("stack", "migrate")
        self.exportctl("ledger", "generate", "--records", str(records), "--seed", str(seed))

    def profile(self, name, kind="json:raw", **config):
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({"name": name, "kind": kind, "config": config}))
        self.exportctl("profile", "create", str(path))

    def worker(self, name, *arguments, environment=None, prefix=()):
        command = [*prefix, EXPORTCTL, "serve", "--role", "worker", "--workers", "1", *arguments]
        return self.keep(name, command, environment={**self.environment, **(environment or {})}, folder=self.folder)

    def submit(self, profile):
        return self.exportctl("run", profile, "--detach")["run_id"]

    def run(self, run_id):
        return self.exportctl("runs", "show", run_id)

    def database(self):
        return pymongo.MongoClient(self.mongodb_uri)[self.name]

    def ended(self, run_id, seconds=PATIENCE):
        """Waits for the end of a run; gives it."""

        def end():
            run = self.run(run_id)
            return run if run["status"] in ("completed", "failed", "aborted", "undelivered") else None

        return until(f"run {run_id} has ended", end, seconds)

    def objects(self, run_id):
        found = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=f"acme/{run_id}/"):
            found += [item["Key"] for item in page.get("Contents", [])]
        return sorted(found)

    def uploads(self):
        return self.s3.list_multipart_uploads(Bucket=self.name).get("Uploads", [])

    def close(self):
        for process in reversed(self.processes):
            if process.process and process.process.poll() is None:
                process.kill()
        if os.environ.get("KEEP") == "1":
            print(f"kept: {self.folder}")
            return
        try:
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name):
                for item in page.get("Contents", []):
                    self.s3.delete_object(Bucket=self.name, Key=item["Key"])
            self.s3.delete_bucket(Bucket=self.name)
            if self.database_process is None:
                pymongo.MongoClient(self.mongodb_uri).drop_database(self.name)
            if self.queue_process is None:
                for url in self.queues.values():
                    self.sqs.delete_queue(QueueUrl=url)
                    self.sqs.delete_queue(QueueUrl=f"{url}-dead")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
