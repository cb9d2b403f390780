"""Bad input and bad weather: what is down, missing, read-only, slow, doubled, poisoned or wrong."""

import json
import pathlib
import shutil
import socket
import sys
import threading
import time

import boto3
from local import World, free_port, until

RECORDS = 300


def world_with_profile(own=()):
    world = World(own)
    world.fill(RECORDS)
    world.profile("small", records_per_part=40)
    return world


def completed(world, run_id, seconds=120):
    run = world.ended(run_id, seconds)
    assert run["status"] == "completed", run
    return run


def database_down_at_start_and_mid_run():
    with world_with_profile(("mongodb",)) as world:
        run_id = world.submit("small")
        world.database_process.kill()
        worker = world.worker("worker").start()
        # It waits for the database, and says so.
        until("it is told", lambda: "cannot" in pathlib.Path(worker.log).read_text() or
              "ERR_STORAGE" in pathlib.Path(worker.log).read_text())  # fmt: skip
        worker.alive()
        world.database_process.start()
        completed(world, run_id)
        second = world.submit("small")
        until("it has begun", lambda: world.run(second)["status"] != "pending")
        world.database_process.kill()
        time.sleep(8)
        world.database_process.start()
        completed(world, second)
        worker.stop()
        # A command that cannot reach it says so within its patience, and not who it is by.
        world.database_process.kill()
        uri = f"mongodb://user:s3cret@127.0.0.1:{free_port()}/?directConnection=true"
        said = world.exportctl("runs", "list", "--tenant", "acme", ok=False, environment={"MONGODB_URI": uri})
        assert said["error_code"] == "ERR_STORAGE", said
        assert "s3cret" not in json.dumps(said), said


def bucket_missing_or_read_only():
    with world_with_profile() as world:
        worker = world.worker("worker", environment={"EXPORT_BUCKET": "no-such-bucket"}).start()
        run = world.ended(world.submit("small"))
        assert run["status"] == "failed" and "no-such-bucket" in run["failure"]["detail"], run
        worker.stop()
        # Credentials of a session that may only read, as MinIO's STS gives them.
        sts = boto3.client(
            "sts", endpoint_url=world.environment["S3_ENDPOINT"], region_name="us-east-1",
            aws_access_key_id=world.environment["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=world.environment["S3_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::*"]}]}  # fmt: skip
        given = sts.assume_role(RoleArn="arn:aws:iam::1:role/x", RoleSessionName="reader", Policy=json.dumps(policy))
        given = given["Credentials"]
        environment = {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"], "S3_ACCESS_KEY_ID": "", "S3_SECRET_ACCESS_KEY": "",
        }  # fmt: skip
        worker = world.worker("reader", environment=environment).start()
        run = world.ended(world.submit("small"))
        assert run["status"] == "failed" and run["failure"]["error_code"] == "ERR_READ_ONLY", run
        worker.kill()


def bucket_slow():
    """A store that answers late: runs take longer, and complete."""
    with world_with_profile() as world:
        host, port = world.environment["S3_ENDPOINT"].removeprefix("http://").split(":")
        listener = socket.create_server(("127.0.0.1", 0))

        def pump(source, sink, delay):
            try:
                while data := source.recv(65536):
                    time.sleep(delay)
                    sink.sendall(data)
            except OSError:
                pass
            finally:
                for end in (source, sink):
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                server = socket.create_connection((host, int(port)))
                threading.Thread(target=pump, args=(client, server, 0.05), daemon=True).start()
                threading.Thread(target=pump, args=(server, client, 0.2), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        worker = world.worker("worker", environment={"S3_ENDPOINT": proxy}).start()
        completed(world, world.submit("small"), 180)
        assert worker.stop() == 0
        listener.close()


def everything_twice_and_out_of_order():
    with world_with_profile() as world:
        database = world.database()
        phases = {"admit": "plan", "plan": "plan", "sweep": "plan", "start": "plan", "shard": "adapter",
                  "sign": "sign", "distribute": "distribute"}  # fmt: skip
        over = threading.Event()

        def double():
            """Sends a copy of every message that there is work for, newest first, again and again."""
            while not over.is_set():
                for document in reversed(list(database.export_work.find({}))):
                    work = document["row"]
                    message = {"tenant": work["tenant"], "work": work["id"]}
                    queue = world.queues[phases[work["id"]["step"]]]
                    world.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
                time.sleep(0.1)

        thread = threading.Thread(target=double)
        thread.start()
        try:
            workers = [world.worker(f"worker-{n}").start() for n in range(2)]
            runs = [completed(world, run) for run in [world.submit("small") for _ in range(4)]]
        finally:
            over.set()
            thread.join()
        assert len({run["content_digest"] for run in runs}) == 1
        for run in runs:
            manifests = [key for key in world.objects(run["run_id"]) if key.endswith("/export.json")]
            assert len(manifests) == 1, manifests
        for worker in workers:
            worker.stop()


def poison():
    with world_with_profile() as world:
        plan = world.queues["plan"]
        world.sqs.send_message(QueueUrl=plan, MessageBody="not \x1b[31m even JSON".replace("\x1b", ""))
        wanted = {"tenant": "acme", "work": {"step": "export", "profile": "later", "request": "r-1"}}
        world.sqs.send_message(QueueUrl=plan, MessageBody=json.dumps(wanted))
        worker = world.worker("worker").start()

        def dead():
            messages = world.exportctl("dlq", "list")["messages"]
            return messages if len(messages) == 2 else None

        messages = until("both are put aside", dead)
        reasons = {message["body"][:3]: message["reason"] for message in messages}
        assert "no message" in reasons["not"], reasons
        assert "later" in reasons['{"t'] and "ERR_UNKNOWN_PROFILE" in reasons['{"t'], reasons
        assert {message["phase"] for message in messages} == {"plan"}
        # Good messages behind them went on; and what was in the way can be mended.
        completed(world, world.submit("small"))
        world.profile("later", records_per_part=40)
        assert world.exportctl("dlq", "redrive")["sent"] == 1

        def asked():
            runs = world.exportctl("runs", "list")["runs"]
            return [run for run in runs if run["profile"] == "later"]

        run = until("the rule's run is there", asked)[0]
        completed(world, run["run_id"])
        # Once more is the same occasion, and no second run.
        world.sqs.send_message(QueueUrl=plan, MessageBody=json.dumps(wanted))
        completed(world, world.submit("small"))
        assert len(asked()) == 1
        left = world.exportctl("dlq", "list")["messages"]
        assert [message["body"][:3] for message in left] == ["not"], left
        worker.stop()


def clock_skew_of_ten_minutes():
    faketime = shutil.which("faketime")
    if faketime is None:
        print("skipped: a clock that is ten minutes off: there is no faketime")
        return
    for off in ("+10m", "-10m"):
        with world_with_profile() as world:
            right = world.worker("right").start()
            wrong = world.worker("wrong", prefix=(faketime, "-f", off)).start()
            runs = [completed(world, run, 240) for run in [world.submit("small") for _ in range(3)]]
            assert len({run["content_digest"] for run in runs}) == 1
            right.stop()
            # Alone it does them too.
            completed(world, world.submit("small"), 240)
            wrong.stop()


def key_disabled():
    with world_with_profile() as world:
        kms = boto3.client("kms", endpoint_url=world.aws_url)
        key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        alias = f"alias/{world.name}"
        kms.create_alias(AliasName=alias, TargetKeyId=key)
        signer = {"EXPORT_SIGNER": f"awskms:///{alias}"}
        worker = world.worker("worker", environment=signer).start()
        completed(world, world.submit("small"))
        kms.disable_key(KeyId=key)
        run = world.ended(world.submit("small"))
        assert run["status"] == "failed", run
        assert "disabled" in run["failure"]["detail"].lower() and alias in run["failure"]["detail"], run
        assert world.objects(run["run_id"]) == [] or until("swept", lambda: not world.objects(run["run_id"]))
        kms.enable_key(KeyId=key)
        completed(world, world.submit("small"))
        assert worker.stop() == 0
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def credentials_refused_mid_run():
    """The secret of the store's credentials is another one from now on: clear, and not told."""
    with world_with_profile() as world:
        worker = world.worker("worker", environment={"S3_SECRET_ACCESS_KEY": "s3cret-that-is-wrong"}).start()
        run = world.ended(world.submit("small"))
        assert run["status"] == "failed", run
        text = json.dumps(run) + pathlib.Path(worker.log).read_text()
        assert "s3cret" not in text
        assert world.name in run["failure"]["detail"], run
        worker.stop()


def schema_broken():
    """A document that somebody edited: named, and in nobody else's way."""
    with world_with_profile() as world:
        broken = world.submit("small")
        runs = world.database().export_runs
        found = runs.find_one({"run": broken})
        runs.update_one({"_id": found["_id"]}, {"$set": {"row": {"status": 5}}}, bypass_document_validation=True)
        said = world.exportctl("runs", "show", broken, ok=False)
        assert said["error_code"] == "ERR_HOME_DAMAGED" and "export_runs" in said["detail"], said
        worker = world.worker("worker").start()
        worker.alive()
        runs.replace_one({"_id": found["_id"]}, found)
        completed(world, broken)
        worker.stop()


def drains_when_stopped():
    """SIGTERM: what has begun is finished, nothing is lost, and another worker goes on."""
    with world_with_profile() as world:
        first = world.worker("first").start()
        runs = [world.submit("small") for _ in range(3)]
        until("it has begun", lambda: any(world.run(run)["parts"] for run in runs))
        assert first.stop() == 0
        second = world.worker("second").start()
        began = time.monotonic()
        for run in runs:
            completed(world, run)
        # Nothing had to wait for a lease or a hidden message to come back.
        assert time.monotonic() - began < 60
        second.stop()


TESTS = (
    database_down_at_start_and_mid_run, bucket_missing_or_read_only, bucket_slow,
    everything_twice_and_out_of_order, poison, clock_skew_of_ten_minutes, key_disabled,
    credentials_refused_mid_run, schema_broken, drains_when_stopped,
)  # fmt: skip


def main():
    wanted = sys.argv[1:]
    failed = 0
    for test in TESTS:
        if wanted and test.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            test()
            print(f"ok      {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception as error:  # noqa: BLE001  # Each is told; the others go on.
            failed += 1
            print(f"FAILED  {test.__name__}: {type(error).__name__}: {str(error)[:2000]}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
