"""What the template promises and no linter knows. One line a check; called by check.sh."""

import re
import sys

import yaml

PHASES = ("Plan", "Adapter", "Sign", "Distribute")


class Loader(yaml.SafeLoader):
    """Reads `!Tag value` as {"Tag": value}."""


def tagged(loader, tag, node):
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    return {tag: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", tagged)


def statements(resources):
    """Every statement of a role's or a managed policy's documents, with the resource's name."""
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        documents = [p["PolicyDocument"] for p in properties.get("Policies", [])]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        for document in documents:
            for statement in document["Statement"]:
                # Those under a condition are the second of three.
                yield name, statement.get("If", [None, statement])[1]


def listed(value):
    return value if isinstance(value, list) else [value]


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    resources = yaml.load(text, Loader)["Resources"]
    of_type = lambda kind: {n: r["Properties"] for n, r in resources.items() if r["Type"] == kind}  # noqa: E731
    functions, queues = of_type("AWS::Serverless::Function"), of_type("AWS::SQS::Queue")
    mappings, roles = of_type("AWS::Lambda::EventSourceMapping"), of_type("AWS::IAM::Role")
    failed = False

    def check(what, *wrong):
        nonlocal failed
        wrong = [w for w in wrong if w]
        failed |= bool(wrong)
        print(f"FAILED: {what}: {', '.join(wrong)}" if wrong else f"ok: {what}")

    check(
        "five functions, four queues, four dead letter queues, four mappings",
        len(functions) != 5 and f"{len(functions)} functions",
        set(queues) != {f"{p}{q}" for p in PHASES for q in ("Queue", "DeadLetters")} and "queues",
        set(mappings) != {f"{p}Mapping" for p in PHASES} and "mappings",
    )
    check(
        "visibility is at least six times the function's timeout",
        *(
            f"{p}Queue" if queues[f"{p}Queue"]["VisibilityTimeout"] < 6 * functions[f"{p}Function"]["Timeout"] else None
            for p in PHASES
        ),
    )
    check(
        "each queue has dead letters of its own, after 10 receives",
        *(
            None
            if queues[f"{p}Queue"]["RedrivePolicy"]
            == {"deadLetterTargetArn": {"GetAtt": f"{p}DeadLetters.Arn"}, "maxReceiveCount": 10}
            else f"{p}Queue"
            for p in PHASES
        ),
    )
    check("queues are encrypted", *(n for n, q in queues.items() if "KmsMasterKeyId" not in q))
    check(
        "mappings belong to their queue and function, and report what failed of a batch",
        *(
            None
            if m["EventSourceArn"] == {"GetAtt": n.replace("Mapping", "Queue.Arn")}
            and m["FunctionName"] == {"Ref": n.replace("Mapping", "Function")}
            and m["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            and m["ScalingConfig"]
            else n
            for n, m in mappings.items()
        ),
    )
    check(
        "each function has its own role, log group and code",
        *(
            None
            if f["Role"] == {"GetAtt": n.replace("Function", "Role.Arn")}
            and f["LoggingConfig"] == {"LogGroup": {"Ref": n.replace("Function", "Logs")}}
            and f["CodeUri"] == f"build/{n.replace('Function', '').lower()}.zip"
            else n
            for n, f in functions.items()
        ),
        set(roles) != {n.replace("Function", "Role") for n in functions} and "roles",
    )

    commented = len(re.findall(r'# any-resource: .*\n\s*Resource: "\*"', text))
    broad = [f"{n} {s['Sid']}" for n, s in statements(resources) if "*" in listed(s["Resource"])]
    check("no role reaches any resource, but where a comment says why", len(broad) > commented and ", ".join(broad))
    check(
        "no role has all actions of a service",
        *(f"{n} {a}" for n, s in statements(resources) for a in listed(s["Action"]) if a.endswith("*")),
    )
    signers = {n for n, s in statements(resources) if "kms:Sign" in listed(s["Action"])}
    check("only sign may sign", signers != {"SignRole"} and ", ".join(sorted(signers)))
    check(
        "each role takes from its own queue only",
        *(
            None if listed(s["Resource"]) == [{"GetAtt": n.replace("Role", "Queue.Arn")}] else n
            for n, s in statements(resources)
            if "sqs:ReceiveMessage" in listed(s["Action"])
        ),
    )
    alarms = of_type("AWS::CloudWatch::Alarm")
    watched = {str(a.get("Dimensions")) for a in alarms.values()}
    check(
        "an alarm watches each dead letter queue",
        *(n for n in queues if n.endswith("DeadLetters") and not any(f"'{n}.QueueName'" in w for w in watched)),
    )
    bucket = resources["PayloadBucket"]["Properties"]
    check(
        "payloads are versioned, encrypted, private, and abandoned uploads end",
        bucket["VersioningConfiguration"] != {"Status": "Enabled"} and "versions",
        "aws:kms" not in str(bucket["BucketEncryption"]) and "encryption",
        set(bucket["PublicAccessBlockConfiguration"].values()) != {True} and "public access",
        "AbortIncompleteMultipartUpload" not in str(bucket["LifecycleConfiguration"]) and "abandoned uploads",
    )
    check(
        "logs are kept for a time, not forever",
        *(n for n, g in of_type("AWS::Logs::LogGroup").items() if "RetentionInDays" not in g),
    )
    sys.exit(failed)


if __name__ == "__main__":
    main()
