"""The same evidence, exported on a home, by workers on the stack, and (where they are deployed) by the
functions: one content, whatever the order of importing and the number of workers.
"""

import os
import random
import subprocess

from local import World, until

RECORDS = 1500


def main():
    with World() as world:
        home = {name: "" for name in world.environment if name.startswith("EXPORT_QUEUE_")}
        home |= {"MONGODB_URI": "", "EXPORT_BUCKET": "", "EXPORT_LEDGER": "", "EXPORT_HOME": str(world.folder / "alone")}
        config = {"records_per_part": 100}

        lines = []
        made = world.folder / "made"
        made.mkdir()
        world.exportctl("ledger", "generate", "--records", str(RECORDS), "--seed", "11", environment=home)
        world.profile_file = world.folder / "cut.json"
        world.profile_file.write_text('{"name":"cut","kind":"json:raw","config":{"records_per_part":100}}')
        world.exportctl("profile", "create", str(world.profile_file), environment=home)
        alone = world.exportctl("run", "cut", "--out", str(world.folder / "alone.tar"), environment=home)
        assert alone["status"] == "completed", alone
        scan = {"kind": "trivy:db", "records_per_part": 100}
        scan_file = world.folder / "scan.json"
        scan_file.write_text('{"name":"scan","kind":"trivy:db","config":{"records_per_part":100}}')
        world.exportctl("profile", "create", str(scan_file), environment=home)
        scanned = world.exportctl("run", "scan", "--workers", "2", environment=home)
        assert scanned["status"] == "completed", scanned

        # The evidence that is imported elsewhere is the one that came out here, in another order.
        unpacked = world.folder / "unpacked"
        world.exportctl("unpack", str(world.folder / "alone.tar"), "--to", str(unpacked), environment=home)
        for part in sorted(unpacked.rglob("part-*.jsonl.zst")):
            text = subprocess.run(["zstd", "-dc", part], capture_output=True, check=True).stdout
            lines += text.splitlines()
        random.Random(5).shuffle(lines)
        shuffled = made / "records.jsonl"
        shuffled.write_bytes(b"\n".join(lines) + b"\n")

        world.exportctl("stack", "migrate")
        world.exportctl("ledger", "import", str(shuffled))
        world.profile("cut", **config)
        world.profile("scan", **scan)
        databases = {"on a home": scanned["content_digest"]}
        contents = {"on a home": alone["content_digest"]}
        for count in (1, 3):
            workers = [world.worker(f"worker-{count}-{n}").start() for n in range(count)]
            run = world.ended(world.submit("cut"))
            assert run["status"] == "completed", run
            contents[f"{count} worker(s) on the stack"] = run["content_digest"]
            merged = world.ended(world.submit("scan"))
            assert merged["status"] == "completed", merged
            databases[f"{count} worker(s) on the stack"] = merged["content_digest"]
            if count == 3:
                # What was sealed there verifies here.
                bundle = world.folder / "stack.tar"
                world.exportctl("runs", "download", run["run_id"], "--out", str(bundle))
                key = world.folder / "home" / "keys" / "signing.pub"
                world.exportctl("verify", "--deep", "--key", str(key), str(bundle), environment=home)
            for worker in workers:
                assert worker.stop() == 0, worker.name

        api = os.environ.get("EXPORT_API_URL")
        if api:
            tenant = {"EXPORT_TENANT": world.name, "EXPORT_CREDENTIALS": str(world.folder / "credentials.json")}
            # The functions have a ledger of their own database, and this test a tenant of its own in it:
            # the same documents under another tenant are other records, so the home is asked again.
            documents = world.folder / "documents"
            documents.mkdir()
            for number in range(200):
                text = '{"id":"T-%05d","modified":"2026-01-02T03:04:05Z","summary":"made up","affected":[]}' % number
                (documents / f"{number}.json").write_text(text)
            times = {"SOURCE_DATE_EPOCH": "1791936000"}
            world.exportctl("ledger", "import", "--format", "osv", "--tenant", world.name, str(documents),
                            environment=home | times)  # fmt: skip
            world.exportctl("ledger", "import", "--format", "osv", "--tenant", world.name, str(documents),
                            environment={"EXPORT_DATABASE": "export_center"} | times)  # fmt: skip
            here = world.exportctl("run", "json:raw", "--tenant", world.name, environment=home)
            server = {"EXPORT_SERVER": api} | tenant
            world.exportctl("login", "--token-endpoint", os.environ["EXPORT_TOKEN_ENDPOINT"], environment=server)
            there = world.exportctl("run", "json:raw", "--out", str(world.folder / "functions.tar"), environment=server)
            assert there["status"] == "completed", there
            assert there["content_digest"] == here["content_digest"], (there, here)
            print(f"functions and a home: {there['content_digest']}")

            # A batch with a message that is none: it is put aside with its reason, the others go on.
            queues = {name: os.environ[name] for name in world.environment if name.startswith("EXPORT_QUEUE_")}
            poison = f"poison of {world.name}"
            world.sqs.send_message(QueueUrl=queues["EXPORT_QUEUE_PLAN"], MessageBody=poison)

            def aside():
                letters = world.exportctl("dlq", "list", "--phase", "plan", environment=queues)["messages"]
                return [letter for letter in letters if letter["body"] == poison]

            letter = until("the function has put it aside", aside)[0]
            assert "no message" in letter["reason"], letter
            again = world.exportctl("run", "json:raw", environment=server)
            assert again["content_digest"] == here["content_digest"], again
        else:
            print("skipped: the same content from the functions: none are deployed (make stack)")
    print("\n".join(f"{how:28} {digest}" for how, digest in contents.items()))
    assert len(set(contents.values())) == 1, contents
    print("\n".join(f"trivy:db {how:28} {digest}" for how, digest in databases.items()))
    assert len(set(databases.values())) == 1, databases


if __name__ == "__main__":
    main()
