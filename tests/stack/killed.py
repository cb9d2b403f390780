"""Workers, the database or the queue are killed (SIGKILL) at random moments while runs go on.

    killed.py workers|database|queue [--kills N] [--seed N]

Every run then ends as `completed` with the digest that an undisturbed run has, or as `failed` with a
reason; it has one manifest; nothing is left in the bucket that no row points at; no message is dead.
"""

import argparse
import random
import shutil
import time

from local import World, until

RECORDS = 900
# Several shards, each of some parts.
RECORDS_PER_PART = 40
RUNNING = 3
FAKETIME = shutil.which("faketime")


def referenced(database, run_id):
    """The keys of all objects that the rows of a run point at, wherever in a row they stand."""
    found = set()

    def walk(value):
        if isinstance(value, dict):
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        elif isinstance(value, str) and value.startswith(f"acme/{run_id}/"):
            found.add(value)

    for collection in ("export_runs", "export_inputs", "export_distributions"):
        for document in database[collection].find({"tenant": "acme", "run": run_id}):
            walk(document["row"])
    return found


def disturb(world, what, workers, chance):
    """Kills something and starts it again."""
    if what == "workers":
        victim = chance.choice(workers)
        victim.kill()
        time.sleep(chance.uniform(0, 0.3))
        victim.start()
    elif what == "database":
        world.database_process.kill()
        time.sleep(chance.uniform(0, 0.3))
        world.database_process.start()
    else:
        world.queue_process.kill()
        time.sleep(chance.uniform(0, 0.3))
        world.queue_process.start()
        # What was in it is gone, and so are the queues.
        world.make_queues()


def check(world, run_id, expected):
    run = world.ended(run_id, 180)
    if run["status"] == "failed":
        failure = run["failure"]
        assert failure["error_code"].startswith("ERR_") and failure["detail"], run
        return f"failed: {failure['error_code']}: {failure['detail']}"
    assert run["status"] == "completed", run
    assert run["content_digest"] == expected, run
    return "completed"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("what", choices=("workers", "database", "queue"))
    arguments.add_argument("--kills", type=int, default=30)
    arguments.add_argument("--seed", type=int, default=20261126)
    arguments = arguments.parse_args()
    chance = random.Random(f"{arguments.what}-{arguments.seed}")
    own = {"workers": (), "database": ("mongodb",), "queue": ("queue",)}[arguments.what]
    with World(own) as world:
        world.fill(RECORDS)
        world.profile("small", records_per_part=RECORDS_PER_PART)
        workers = [world.worker(f"worker-{n}").start() for n in range(3)]
        undisturbed = world.ended(world.submit("small"))
        assert undisturbed["status"] == "completed", undisturbed
        expected = undisturbed["content_digest"]

        runs, kills = [undisturbed["run_id"]], 0
        going = []
        while kills < arguments.kills:
            going = [run for run in going if world.run(run)["finished_at"] is None]
            while len(going) < RUNNING:
                going.append(submitted := world.submit("small"))
                runs.append(submitted)
            time.sleep(chance.uniform(0.1, 1.5))
            disturb(world, arguments.what, workers, chance)
            kills += 1
        outcomes = [check(world, run, expected) for run in runs]
        completed = outcomes.count("completed")
        assert completed > len(runs) / 2, outcomes

        database = world.database()

        def swept():
            """Nobody does anything any more; what is left is the late sweep of each run."""
            work = list(database.export_work.find({}))
            return all(document["_id"].endswith(":sweep") for document in work)

        until("every step is done", swept)
        # What a writer began whose lease was another's already is the late sweep's, a quarter of an hour
        # after a run's end: somebody whose clock is past that does it now.
        if FAKETIME is None:
            print("skipped: the late sweep of runs whose parts were killed: there is no faketime")
        else:
            late = world.worker("late", prefix=(FAKETIME, "-f", "+20m")).start()
            until("every late sweep is done", lambda: database.export_work.count_documents({}) == 0, 120)
            late.stop()
        for run_id, outcome in zip(runs, outcomes):
            objects, wanted = set(world.objects(run_id)), referenced(database, run_id)
            if outcome == "completed":
                manifests = [key for key in objects if key.endswith("/export.json")]
                assert len(manifests) == 1, manifests
                assert objects == wanted, (objects - wanted, wanted - objects)
            else:
                assert not objects, objects
        assert FAKETIME is None or world.uploads() == [], world.uploads()
        dead = world.exportctl("dlq", "list")["messages"]
        assert dead == [], dead
        for worker in workers:
            status = worker.stop()
            assert status == 0, f"{worker.name} ended with {status}"
    print(f"{kills} kills of {arguments.what} (seed {arguments.seed}): {len(runs)} runs, {completed} completed with one "
          f"digest, {len(runs) - completed} failed with a reason; nothing stray, no dead letter")  # fmt: skip
    for outcome in sorted(set(outcomes) - {"completed"}):
        print(f"  {outcome}")


if __name__ == "__main__":
    main()
