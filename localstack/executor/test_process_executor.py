# Copyright 2026 The Export Center authors.
# SPDX-License-Identifier: Apache-2.0
"""The executor with a stand-in for `bootstrap`. Run it with the Python of LocalStack's environment:

    PYTHONPATH=localstack/executor PYTHON -m unittest discover -s localstack/executor
"""

import json
import os
import stat
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException

from process_executor import ProcessExecutor

# Does what its event says; what it knows of its invocation is its answer.
STAND_IN = r"""#!{python}
import http.client, json, os, sys, time
if os.environ.get("ON_START") == "exit":
    print("cannot start", flush=True)
    sys.exit(7)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, **options):
    api.request(method, "/2018-06-01/runtime/" + path, body, **options)
    answer = api.getresponse()
    return answer, answer.read()
if os.environ.get("ON_START") == "error":
    call("POST", "init/error", json.dumps({{"errorType": "Config", "errorMessage": "no bucket"}}))
    sys.exit(1)
while True:
    head, event = call("GET", "invocation/next")
    name = head.headers["Lambda-Runtime-Aws-Request-Id"]
    do = json.loads(event)
    print("working on", do.get("do"), flush=True)
    if do.get("do") == "sleep":
        time.sleep(do["seconds"])
    if do.get("do") == "exit":
        os._exit(3)
    if do.get("do") == "error":
        call("POST", f"invocation/{{name}}/error", json.dumps({{"errorType": "E", "errorMessage": "m"}}))
        continue
    if do.get("do") == "large":
        call("POST", f"invocation/{{name}}/response", b"x" * (6 * 1024 * 1024 + 1))
        continue
    answer = {{"pid": os.getpid(), "deadline": head.headers["Lambda-Runtime-Deadline-Ms"],
        "arn": head.headers["Lambda-Runtime-Invoked-Function-Arn"], "env": dict(os.environ)}}
    if do.get("do") == "stale":
        answer["stale"] = call("POST", "invocation/another/response", "1")[0].status
    body = json.dumps(answer).encode()
    call("POST", f"invocation/{{name}}/response", iter([body[:9], body[9:]]), encode_chunked=True,
        headers={{"Transfer-Encoding": "chunked"}})
"""


class Code:
    def __init__(self, folder):
        self.folder = folder

    def get_unzipped_code_location(self):
        return self.folder

    def prepare_for_execution(self):
        pass


class ProcessExecutorTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="process-executor-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        os.environ["EXPORT_FUNCTION_LOGS"] = str(self.folder / "logs")
        os.environ["SECRET_OF_LOCALSTACK"] = "never"
        (self.folder / "bootstrap").write_text(STAND_IN.format(python=sys.executable))
        self.count = 0

    def version(self, timeout=5, runtime="provided.al2023"):
        config = SimpleNamespace(code=Code(self.folder), timeout=timeout, runtime=runtime)
        return SimpleNamespace(config=config, id=SimpleNamespace(function_name="stand-in"))

    def executor(self, timeout=5, **env):
        version = self.version(timeout)
        ProcessExecutor.prepare_version(version)
        self.count += 1
        executor = ProcessExecutor(f"id{self.count}", version)
        self.addCleanup(executor.stop)
        executor.start({"AWS_REGION": "eu-central-1", "MEMORY": 128} | env)
        return executor

    def invoke(self, executor, **event):
        self.count += 1
        return executor.invoke(
            {
                "invoke-id": f"request-{self.count}",
                "invoked-function-arn": "arn:aws:lambda:stand-in",
                "payload": json.dumps(event),
                "trace-id": "Root=1",
            }
        )

    def test_is_found_by_its_entry_point(self):
        found = entry_points(group="localstack.lambda.runtime_executor", name="process")
        self.assertIs(list(found)[0].load()().load(), ProcessExecutor)

    def test_hands_over_an_invocation_and_its_deadline(self):
        executor = self.executor(timeout=5)
        before = time.time()
        result = self.invoke(executor)
        self.assertFalse(result.is_error)
        answer = json.loads(result.payload)
        self.assertEqual(answer["arn"], "arn:aws:lambda:stand-in")
        self.assertAlmostEqual(int(answer["deadline"]) / 1000, before + 5, delta=1)
        self.assertIn("working on", result.logs)
        again = self.invoke(executor)
        self.assertEqual(json.loads(again.payload)["pid"], answer["pid"], "the process is kept")
        self.assertEqual(again.logs.count("working on"), 1, "only its own lines")

    def test_gives_the_functions_environment_only(self):
        env = json.loads(self.invoke(self.executor()).payload)["env"]
        self.assertEqual((env["AWS_REGION"], env["MEMORY"]), ("eu-central-1", "128"))
        self.assertNotIn("SECRET_OF_LOCALSTACK", env)
        self.assertNotIn("PYTHONPATH", env)

    def test_a_failure_is_an_error_and_the_process_stays(self):
        executor = self.executor()
        pid = executor.process.process.pid
        result = self.invoke(executor, do="error")
        self.assertTrue(result.is_error)
        self.assertEqual(json.loads(result.payload)["errorType"], "E")
        self.assertEqual(json.loads(self.invoke(executor).payload)["pid"], pid)

    def test_a_process_that_dies_is_an_error_and_is_replaced(self):
        executor = self.executor()
        result = self.invoke(executor, do="exit")
        self.assertTrue(result.is_error)
        self.assertEqual(json.loads(result.payload)["errorType"], "Runtime.ExitError")
        self.assertIn("exit status 3", json.loads(result.payload)["errorMessage"])
        self.assertFalse(self.invoke(executor).is_error)

    def test_a_process_that_dies_between_invocations_is_replaced(self):
        executor = self.executor()
        os.kill(executor.process.process.pid, 9)
        executor.process.process.wait()
        self.assertIn("pid", json.loads(self.invoke_until_replaced(executor).payload))

    def invoke_until_replaced(self, executor):
        # The first may meet the process just before its end is noticed, as on Lambda.
        for _ in range(2):
            result = self.invoke(executor)
            if not result.is_error:
                return result
        self.fail("the process was not replaced")

    def test_a_timeout_kills_the_process(self):
        executor = self.executor(timeout=1)
        old = executor.process.process
        result = self.invoke(executor, do="sleep", seconds=60)
        self.assertTrue(result.is_error)
        self.assertIn("timed out after 1.00 seconds", json.loads(result.payload)["errorMessage"])
        self.assertEqual(old.wait(10), -9)
        self.assertFalse(self.invoke(executor).is_error)

    def test_stopping_ends_what_is_being_done(self):
        executor = self.executor(timeout=60)
        with ThreadPoolExecutor() as pool:
            doing = pool.submit(self.invoke, executor, do="sleep", seconds=60)
            while not executor.process.current:
                time.sleep(0.01)
            executor.stop()
            self.assertTrue(doing.result(10).is_error)
        self.assertEqual(executor.process.process.wait(10), -9)

    def test_what_does_not_start_says_why(self):
        with self.assertRaises(StatusErrorException) as raised:
            self.executor(ON_START="exit")
        self.assertIn("exit status 7", json.loads(raised.exception.payload)["errorMessage"])
        with self.assertRaises(StatusErrorException) as raised:
            self.executor(ON_START="error")
        self.assertEqual(json.loads(raised.exception.payload)["errorMessage"], "no bucket")

    def test_answers_to_others_and_large_ones_are_refused(self):
        executor = self.executor()
        self.assertEqual(json.loads(self.invoke(executor, do="stale").payload)["stale"], 400)
        result = self.invoke(executor, do="large")
        self.assertTrue(result.is_error)
        self.assertEqual(json.loads(result.payload)["errorType"], "Function.ResponseSizeTooLarge")

    def test_environments_work_at_once(self):
        executors = [self.executor() for _ in range(3)]
        started = time.monotonic()
        with ThreadPoolExecutor() as pool:
            results = list(pool.map(lambda e: self.invoke(e, do="sleep", seconds=0.5), executors))
        self.assertLess(time.monotonic() - started, 1.5, "one after the other takes longer")
        self.assertEqual(len({json.loads(r.payload)["pid"] for r in results}), 3)

    def test_other_runtimes_and_code_without_bootstrap_are_refused(self):
        with self.assertRaises(LambdaRuntimeException):
            ProcessExecutor.prepare_version(self.version(runtime="python3.12"))
        (self.folder / "bootstrap").unlink()
        with self.assertRaises(LambdaRuntimeException):
            ProcessExecutor.prepare_version(self.version())

    def test_nothing_is_left_running(self):
        executor = self.executor()
        executor.stop()
        names = [t.name for t in threading.enumerate() if "serve_forever" in t.name]
        executor.process.process.wait(10)
        for _ in range(100):
            names = [t for t in threading.enumerate() if "serve_forever" in t.name or "watch" in t.name]
            if not names:
                break
            time.sleep(0.05)
        self.assertEqual(names, [])


if __name__ == "__main__":
    unittest.main()
