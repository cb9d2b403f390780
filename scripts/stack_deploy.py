"""Deploys the template to a local stack; called by stack-deploy.sh, with LocalStack's Python.

What `aws cloudformation deploy` does, but it looks for the end more than twice a minute. Before that,
what the template expects to be there: the secret with the MongoDB URI, a bucket for code, and the
payload bucket in an S3 that is not LocalStack's.
"""

import argparse
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

STACK = "export-center"
SECRET = "export-center/mongodb"
CODE_BUCKET = "export-center-code"
PAYLOAD_BUCKET = "export-center-payloads"
# Parameters that are handed on from the environment, where they are set.
GIVEN = {"EXPORT_JWKS": "Jwks", "EXPORT_ISSUER": "Issuer", "EXPORT_AUDIENCE": "Audience",
         "EXPORT_LEDGER": "Ledger", "EXPORT_POLICY": "Policy", "EXPORT_DATABASE": "Database",
         "RUST_LOG": "LogLevel", "EXPORT_ARCHITECTURE": "Architecture", "EXPORT_SCHEDULE": "ScheduleExpression",
         "EXPORT_SCHEDULE_TENANT": "ScheduleTenant", "EXPORT_SCHEDULE_PROFILE": "ScheduleProfile"}  # fmt: skip
# Outputs, as the functions' environment and the command line name them.
TOLD = {"ApiUrl": "EXPORT_API_URL", "Bucket": "EXPORT_BUCKET", "Signer": "EXPORT_SIGNER",
        "PlanQueueUrl": "EXPORT_QUEUE_PLAN", "AdapterQueueUrl": "EXPORT_QUEUE_ADAPTER",
        "SignQueueUrl": "EXPORT_QUEUE_SIGN", "DistributeQueueUrl": "EXPORT_QUEUE_DISTRIBUTE"}  # fmt: skip
LONGEST = 300


def client(service, **options):
    return boto3.client(service, config=Config(s3={"addressing_style": "path"}), **options)


def put_secret(uri):
    """The secret with the MongoDB URI; gives its ARN."""
    secrets = client("secretsmanager")
    try:
        return secrets.create_secret(Name=SECRET, SecretString=uri)["ARN"]
    except secrets.exceptions.ResourceExistsException:
        return secrets.put_secret_value(SecretId=SECRET, SecretString=uri)["ARN"]


def make_bucket(s3, name):
    try:
        s3.create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name},
        )
    except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        pass


def payload_store():
    """The parameters of an S3 for payloads that is not LocalStack's, after making the bucket."""
    endpoint = os.environ["S3_ENDPOINT"]
    if endpoint == os.environ["AWS_ENDPOINT_URL"]:
        return {}
    key, secret = os.environ["S3_ACCESS_KEY_ID"], os.environ["S3_SECRET_ACCESS_KEY"]
    s3 = client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret)
    make_bucket(s3, PAYLOAD_BUCKET)
    return {"S3Endpoint": endpoint, "S3AccessKeyId": key, "S3SecretAccessKey": secret}


def package(template):
    """The template with the addresses of the code, which it uploads."""
    make_bucket(client("s3"), CODE_BUCKET)
    with tempfile.NamedTemporaryFile("r", suffix=".yaml") as out:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "awscli", "cloudformation", "package", "--template-file", template,
             "--s3-bucket", CODE_BUCKET, "--output-template-file", out.name],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            sys.exit(f"error: the code cannot be uploaded: {done.stderr.strip()}")
        return out.read()


def status(cloudformation, arn):
    try:
        return cloudformation.describe_stacks(StackName=arn)["Stacks"][0]
    except ClientError:
        return None


def finished(ask):
    """Waits until what `ask` gives is no longer in progress."""
    until = time.monotonic() + LONGEST
    while "IN_PROGRESS" in (state := ask()) or "PENDING" in state:
        if time.monotonic() > until:
            sys.exit(f"error: the deployment is still {state} after {LONGEST} seconds")
        time.sleep(0.1)
    return state


def deploy(template, parameters):
    """Creates or changes the stack; gives its outputs."""
    cf = client("cloudformation")
    old = status(cf, STACK)
    if old and ("FAILED" in old["StackStatus"] or "ROLLBACK" in old["StackStatus"]):
        # LocalStack leaves what a failed deployment has made, and meets it again.
        sys.exit(f"error: the last deployment ended as {old['StackStatus']}; restart LocalStack"
                 " (localstack/stop.sh, localstack/start.sh)")  # fmt: skip
    # More than 51,200 bytes are taken from a bucket only.
    key = f"{hashlib.sha256(template.encode()).hexdigest()}.template"
    client("s3").put_object(Bucket=CODE_BUCKET, Key=key, Body=template.encode())
    address = f"{os.environ['AWS_ENDPOINT_URL']}/{CODE_BUCKET}/{key}"
    kind = "UPDATE" if old and old["StackStatus"] not in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS") else "CREATE"
    made = cf.create_change_set(
        StackName=STACK, ChangeSetName=f"change-{time.time_ns()}", ChangeSetType=kind, TemplateURL=address,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )  # fmt: skip
    described = lambda: cf.describe_change_set(ChangeSetName=made["Id"])  # noqa: E731
    if finished(lambda: described()["Status"]) == "FAILED":
        reason = described().get("StatusReason", "")
        if "didn't contain changes" not in reason and "No updates" not in reason:
            sys.exit(f"error: the template is refused: {reason}")
        print("nothing has changed")
    else:
        cf.execute_change_set(ChangeSetName=made["Id"])
        state = finished(lambda: status(cf, made["StackId"])["StackStatus"])
        if state not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            for event in cf.describe_stack_events(StackName=made["StackId"])["StackEvents"]:
                if "FAILED" in event["ResourceStatus"]:
                    print(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason')}", file=sys.stderr)
            sys.exit(f"error: the deployment ended as {state}")
    return {o["OutputKey"]: o["OutputValue"] for o in status(cf, made["StackId"])["Outputs"]}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--template", required=True)
    arguments.add_argument("--out", required=True, help="file for the addresses, to be sourced")
    arguments = arguments.parse_args()
    parameters = {
        "MongoSecretArn": put_secret(os.environ["MONGODB_URI"]),
        "BucketName": PAYLOAD_BUCKET,
        "EndpointUrl": os.environ["AWS_ENDPOINT_URL"],
    }
    parameters |= payload_store()
    parameters |= {name: os.environ[v] for v, name in GIVEN.items() if os.environ.get(v)}
    outputs = deploy(package(arguments.template), parameters)
    with open(arguments.out + ".new", "w") as out:
        for output, name in TOLD.items():
            out.write(f"export {name}={shlex.quote(outputs[output])}\n")
    os.replace(arguments.out + ".new", arguments.out)
    print(f"API: {outputs['ApiUrl']}")


if __name__ == "__main__":
    main()
