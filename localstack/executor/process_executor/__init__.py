# Copyright 2026 The Export Center authors.
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in
# compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0. Unless required by applicable law or agreed to in
# writing, software distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific
# language governing permissions and limitations under the License.
"""Runs Lambda functions of LocalStack 4.8.1 as processes of this machine, where there is no Docker.

One executor is one execution environment, with a `bootstrap` process of its own. LocalStack takes care of everything else: event-source mappings,
concurrency, API Gateway. There is no sandbox: a function may do what LocalStack's user may.
"""

import os
import shutil
import stat
import tempfile
import time
from concurrent.futures import TimeoutError as NotInTime
from pathlib import Path

from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import (
    LambdaRuntimeException,
    RuntimeExecutor,
)

from process_executor.bootstrap import Bootstrap, error

# What of a function's output is handed on with an invocation's result; files have all of it.
LOG_TAIL = 256 * 1024
# For how long a process may take to ask for its first invocation.
STARTUP_SECONDS = 10


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Chosen by LAMBDA_RUNTIME_EXECUTOR=process."""

    name = "process"

    def load(self, *args, **kwargs):
        return ProcessExecutor


class ProcessExecutor(RuntimeExecutor):
    """One execution environment. LocalStack sends it one invocation at a time."""

    def __init__(self, id, function_version):
        super().__init__(id, function_version)
        self.code = Path(function_version.config.code.get_unzipped_code_location())
        logs = os.environ.get("EXPORT_FUNCTION_LOGS") or tempfile.gettempdir()
        self.log = Path(logs, function_version.id.function_name, f"{id}.log")
        self.log_seen = 0
        self.env = {}
        self.process = None
        self.stopped = False

    def start(self, env_vars):
        # Nothing of LocalStack's own environment, and a /tmp of the environment's own.
        self.scratch = tempfile.mkdtemp(prefix=f"environment-{self.id}-")
        self.env = {name: str(value) for name, value in env_vars.items()} | {
            "LAMBDA_TASK_ROOT": str(self.code),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": self.scratch,
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        failure = self.launch()
        if failure:
            raise StatusErrorException("the function did not start", payload=failure)

    def launch(self):
        """Starts a process. Gives what went wrong, as an error document."""
        self.process = Bootstrap(self.code, self.env, self.log)
        if self.stopped:
            self.process.kill()
        try:
            return self.process.ready.result(STARTUP_SECONDS)
        except NotInTime:
            self.process.kill()
            return error("Sandbox.Timedout", f"the function did not start within {STARTUP_SECONDS} seconds")

    def invoke(self, payload):
        # A process that ended is replaced for the next invocation, as Lambda does.
        failure = None if self.process.runs else self.launch()
        if failure:
            return self.result(payload, failure, True)
        timeout = self.function_version.config.timeout
        answer = self.process.hand_over(payload, deadline=time.time() + timeout)
        try:
            body, is_error = answer.result(timeout)
        except NotInTime:
            self.process.kill()
            message = f"{payload['invoke-id']} Task timed out after {timeout:.2f} seconds"
            body, is_error = error("Sandbox.Timedout", message), True
        return self.result(payload, body, is_error)

    def result(self, payload, body, is_error):
        return InvocationResult(payload["invoke-id"], body, is_error, logs=self.new_logs())

    def stop(self):
        self.stopped = True
        if self.process:
            self.process.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def new_logs(self):
        """What was logged since the last time."""
        with open(self.log, "rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self.log_seen, size - LOG_TAIL))
            self.log_seen = size
            return log.read(LOG_TAIL).decode(errors="replace")

    def get_logs(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return "http://127.0.0.1"

    @classmethod
    def prepare_version(cls, function_version):
        runtime = function_version.config.runtime
        if not (runtime or "").startswith("provided"):
            raise LambdaRuntimeException(f"only functions with a bootstrap run as processes, not {runtime}")
        code = function_version.config.code
        code.prepare_for_execution()
        bootstrap = Path(code.get_unzipped_code_location(), "bootstrap")
        if not bootstrap.exists():
            raise LambdaRuntimeException(f"the code of {function_version.id.function_name} has no bootstrap")
        bootstrap.chmod(bootstrap.stat().st_mode | stat.S_IXUSR)

    @classmethod
    def cleanup_version(cls, function_version):
        """Nothing: the next version has the same code where only its configuration is another."""

