# Copyright 2026 The Export Center authors.
# SPDX-License-Identifier: Apache-2.0
"""A `bootstrap` process, and the Lambda Runtime API ("Using the Lambda runtime API for custom
runtimes" in AWS's documentation) that is served to it on a loopback port of its own.

A port of its own, so that what a dead process has asked for is never given to it in place of the
next one.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, InvalidStateError
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "/2018-06-01/runtime/"
# What Lambda takes as an answer that is not streamed.
LARGEST_ANSWER = 6 * 1024 * 1024


def error(kind, message):
    """An error document, as Lambda's clients get it."""
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def settle(future, result):
    """Gives a future its result unless it has one: an answer may race with the end of a process."""
    try:
        future.set_result(result)
    except InvalidStateError:
        pass


class Bootstrap:
    """`ready` becomes none when the process asks for its first invocation, else an error document."""

    def __init__(self, code, env, log):
        self.ready = Future()
        self.runs = True
        self.current = None
        self.changed = threading.Condition()
        self.server = Server(("127.0.0.1", 0), RuntimeApi)
        self.server.bootstrap = self
        env = env | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}"}
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            with open(log, "ab") as out:
                self.process = subprocess.Popen(
                    [str(code / "bootstrap")], cwd=code, env=env, start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                )  # fmt: skip
        except OSError as e:
            self.end(error("Runtime.InvalidEntrypoint", f"the bootstrap cannot be run: {e.strerror}"))
        else:
            threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        status = self.process.wait()
        how = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        self.end(error("Runtime.ExitError", f"Runtime exited with error: {how}"))

    def end(self, why):
        """Tells whoever waits for the process that nothing more comes of it."""
        settle(self.ready, why)
        with self.changed:
            self.runs = False
            if self.current:
                settle(self.current[1], (why, True))
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def kill(self):
        """Ends the process and its children."""
        with self.changed:
            if self.runs:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.runs = False

    def hand_over(self, payload, deadline):
        """Gives the process an invocation; the future is its answer, and whether that is an error."""
        answer = Future()
        with self.changed:
            if self.runs:
                self.current = (payload, answer, int(deadline * 1000))
                self.changed.notify_all()
            else:
                settle(answer, (error("Runtime.ExitError", "the process has ended"), True))
        return answer


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # A process that dies resets its connections, and `watch` tells of it.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class RuntimeApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes; with Nagle's algorithm the second waits for an acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self):
        bootstrap = self.server.bootstrap
        if self.path != VERSION + "invocation/next":
            self.answer(404, error("NotFound", f"there is no {self.path}"))
            return
        settle(bootstrap.ready, None)
        with bootstrap.changed:
            bootstrap.changed.wait_for(lambda: bootstrap.current or not bootstrap.runs)
            if not bootstrap.runs:
                self.close_connection = True
                return
            payload, _, deadline = bootstrap.current
        self.answer(
            200,
            payload["payload"].encode(),
            {
                "Lambda-Runtime-Aws-Request-Id": payload["invoke-id"],
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": payload["invoked-function-arn"],
                "Lambda-Runtime-Trace-Id": payload["trace-id"],
            },
        )

    def do_POST(self):
        bootstrap = self.server.bootstrap
        body = self.body()
        if self.path == VERSION + "init/error":
            settle(bootstrap.ready, body)
            self.answer(202, b'{"status":"OK"}')
            return
        name, _, what = self.path.removeprefix(VERSION + "invocation/").partition("/")
        with bootstrap.changed:
            current = bootstrap.current
            if what not in ("response", "error") or not current or current[0]["invoke-id"] != name:
                self.answer(400, error("InvalidRequestID", f"{name} is not being worked on"))
                return
            bootstrap.current = None
        if len(body) > LARGEST_ANSWER:
            body = error("Function.ResponseSizeTooLarge", f"a response of {len(body)} bytes is too large")
            settle(current[1], (body, True))
            self.answer(413, body)
            return
        settle(current[1], (body, what == "error"))
        self.answer(202, b'{"status":"OK"}')

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # Trailers.
        return b"".join(chunks)

    def answer(self, status, body, headers=None):
        self.send_response_only(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing: LocalStack's log has the invocations."""
