"""Mirrors, and bundles that are sealed on the stack under a key of KMS: the same content as on a home,
and opened by whoever may use the key, or by the file of a key that it was wrapped anew for.
"""

import json
import os
import subprocess
import tarfile

import boto3

from local import World

RECORDS = 600


def opened(world, bundle, *identities, environment=None):
    named = [argument for identity in identities for argument in ("--identity", identity)]
    key = world.folder / "home" / "keys" / "signing.pub"
    return world.exportctl("verify", "--deep", "--key", str(key), *named, str(bundle), environment=environment)


def main():
    with World() as world:
        kms = boto3.client("kms", endpoint_url=world.aws_url)
        key = kms.create_key(KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
        alias = f"alias/{world.name}"
        kms.create_alias(AliasName=alias, TargetKeyId=key)
        name = f"awskms:///{alias}"
        home = {variable: "" for variable in world.environment if variable.startswith("EXPORT_QUEUE_")}
        home |= {"MONGODB_URI": "", "EXPORT_BUCKET": "", "EXPORT_LEDGER": "", "EXPORT_HOME": str(world.folder / "alone")}
        sealing = {"EXPORT_SEALING": json.dumps({"acme": {"keys": [name]}})}

        records = world.folder / "records"
        records.mkdir()
        world.exportctl("ledger", "generate", "--records", str(RECORDS), "--seed", "3", environment=home)
        plain = world.exportctl("run", "json:raw", "--out", str(world.folder / "plain.tar"), environment=home)
        unpacked = world.folder / "unpacked"
        world.exportctl("unpack", str(world.folder / "plain.tar"), "--to", str(unpacked), environment=home)
        parts = sorted(unpacked.rglob("part-*.jsonl.zst"))
        lines = [subprocess.run(["zstd", "-dc", part], capture_output=True, check=True).stdout for part in parts]
        half = b"".join(lines).splitlines()
        (records / "first.jsonl").write_bytes(b"\n".join(half[: RECORDS // 2]) + b"\n")
        (records / "rest.jsonl").write_bytes(b"\n".join(half[RECORDS // 2 :]) + b"\n")

        world.exportctl("stack", "migrate")
        world.exportctl("ledger", "import", str(records / "first.jsonl"))
        worker = world.worker("worker", environment=sealing).start()

        # A complete mirror, a delta of it, and a complete one again: the delta leads to the same tree.
        full = world.ended(world.submit("mirror:full"))
        assert full["status"] == "completed", full
        world.exportctl("ledger", "import", str(records / "rest.jsonl"))
        base = full["run_id"]
        delta = world.exportctl("run", "mirror:delta", "--base", base, "--detach")
        delta = world.ended(delta["run_id"])
        assert delta["status"] == "completed", delta
        again = world.ended(world.submit("mirror:full"))
        assert again["status"] == "completed", again
        alone = world.exportctl("run", "mirror:full", environment=home)
        assert again["content_digest"] == alone["content_digest"], (again, alone)
        site = world.folder / "site"
        pinned = str(world.folder / "home" / "keys" / "signing.pub")
        for run in (full, delta):
            bundle = world.folder / f"{run['run_id']}.tar"
            world.exportctl("runs", "download", run["run_id"], "--out", str(bundle))
            world.exportctl("mirror", "apply", str(bundle), "--to", str(site), "--key", pinned)
        digest = world.exportctl("mirror", "status", "--dir", str(site))
        whole = world.folder / "whole.tar"
        world.exportctl("runs", "download", again["run_id"], "--out", str(whole))
        with tarfile.open(whole) as archive:
            manifest = json.load(archive.extractfile("export.json"))
        assert manifest["tree_digest"] in json.dumps(digest), (manifest["tree_digest"], digest)

        # Sealed by the services, under a key that only KMS has.
        secret = world.folder / "sealed.json"
        secret.write_text(json.dumps({"name": "sealed", "kind": "json:raw",
                                      "config": {"encryption": {"mode": "aes-gcm", "key": name}}}))  # fmt: skip
        refused = world.exportctl("profile", "create", str(secret), ok=False)
        assert "ERR_RECIPIENT_NOT_LISTED" in json.dumps(refused), refused
        world.exportctl("profile", "create", str(secret), environment=sealing)
        submitted = world.exportctl("run", "sealed", "--detach", environment=sealing)
        run = world.ended(submitted["run_id"])
        assert run["status"] == "completed", run
        assert run["content_digest"] == plain["content_digest"], (run, plain)
        bundle = world.folder / "sealed.tar"
        world.exportctl("runs", "download", run["run_id"], "--out", str(bundle))
        report = opened(world, bundle)["report"]
        assert report["summary"]["content_digest"] is None and not report["opened"], report
        report = opened(world, bundle, name)["report"]
        assert report["opened"] and report["summary"]["content_digest"] == plain["content_digest"], report

        # For a site without KMS.
        made = world.exportctl("seal", "keygen", "site", environment=home)
        rotated = world.folder / "rotated.json"
        world.exportctl("seal", "rewrap", str(bundle), "--identity", name, "--to-key", made["file"], "--out", str(rotated))
        nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
        report = opened(world, bundle, made["file"], str(rotated), environment=nowhere)["report"]
        assert report["opened"], report
        assert worker.stop() == 0
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        print(f"mirrors and sealed bundles on the stack: {plain['content_digest']}, {manifest['tree_digest']}")


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    main()
