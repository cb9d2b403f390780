"""The built functions as processes: what each does before its first event, and what it says when it
cannot. Their zips are in infra/build.
"""

import http.server
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time
import zipfile

PHASES = ("api", "plan", "adapter", "sign", "distribute")
SETTINGS = {
    "MONGODB_URI": "mongodb://127.0.0.1:1/?directConnection=true",
    "EXPORT_BUCKET": "none", "EXPORT_SIGNER": "awskms:///alias/none", "AWS_REGION": "eu-central-1",
    "EXPORT_QUEUE_PLAN": "http://127.0.0.1:1/plan", "EXPORT_QUEUE_ADAPTER": "http://127.0.0.1:1/adapter",
    "EXPORT_QUEUE_SIGN": "http://127.0.0.1:1/sign", "EXPORT_QUEUE_DISTRIBUTE": "http://127.0.0.1:1/distribute",
    "EXPORT_PUBLIC_URL": "https://export.test", "EXPORT_JWKS": "https://authority.test/jwks.json",
    "EXPORT_ISSUER": "https://authority.test", "EXPORT_AUDIENCE": "export",
}  # fmt: skip
# What Lambda takes in one call ("Lambda quotas", Deployment package).
LARGEST = 50 << 20


class Runtime(http.server.ThreadingHTTPServer):
    """The Runtime API, as far as it matters before the first event."""

    def __init__(self):
        self.asked, self.polled, self.refused = threading.Event(), None, None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802
                outer.polled = time.monotonic()
                outer.asked.set()
                time.sleep(30)

            def do_POST(self):  # noqa: N802
                length = int(self.headers["Content-Length"])
                outer.refused = (self.path, json.loads(self.rfile.read(length)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                outer.asked.set()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, daemon=True).start()


def start(bootstrap, settings):
    runtime = Runtime()
    environment = {
        "PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s", "AWS_LAMBDA_LOG_GROUP_NAME": "g",
    } | settings  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen([bootstrap], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert runtime.asked.wait(20), "it neither polls nor says why not"
    return runtime, process, began


def main():
    with tempfile.TemporaryDirectory() as folder:
        for phase in PHASES:
            archive = pathlib.Path("infra/build") / f"{phase}.zip"
            size = archive.stat().st_size
            assert size <= LARGEST, f"{archive} has {size} bytes"
            bootstrap = pathlib.Path(folder) / phase
            with zipfile.ZipFile(archive) as zipped:
                assert zipped.namelist() == ["bootstrap"]
                bootstrap.write_bytes(zipped.read("bootstrap"))
            bootstrap.chmod(0o755)
            took = []
            for _ in range(7):
                runtime, process, began = start(bootstrap, SETTINGS)
                assert runtime.polled, runtime.refused
                took.append(1000 * (runtime.polled - began))
                process.kill()
                process.communicate()
                runtime.shutdown()
            print(f"{phase:10} {size / 1e6:.1f} MB, from start to first poll {statistics.median(took):.1f} ms")
            # A missing setting is one clear error, told to the service and in the log; never a hang.
            for missing in ("EXPORT_BUCKET", "MONGODB_URI") + (("EXPORT_ISSUER",) if phase == "api" else ()):
                settings = {name: value for name, value in SETTINGS.items() if name != missing}
                runtime, process, _ = start(bootstrap, settings)
                path, said = runtime.refused
                log = process.communicate(timeout=20)[0].decode()
                assert path.endswith("/runtime/init/error"), path
                assert missing in said["errorMessage"] and "ERR_CONFIGURATION" in said["errorMessage"], said
                assert missing in log and process.returncode == 2, (process.returncode, log)
                runtime.shutdown()


if __name__ == "__main__":
    main()
