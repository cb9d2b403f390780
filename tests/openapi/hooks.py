"""Schemathesis as a client of the API: each request carries an access token and a proof of its own.

The token is the dev authority's, for a key that is made here (RFC 9449).
"""

import base64
import hashlib
import json
import os
import time
import uuid

import requests
import schemathesis
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SERVER = os.environ["EXPORT_SERVER"]


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Proofs(requests.auth.AuthBase):
    """Signs requests as they are sent: with the method and the URL that go over the wire."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        point = self.key.public_key().public_numbers()
        x, y = (base64url(n.to_bytes(32, "big")) for n in (point.x, point.y))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        url = f"{SERVER}/dev-authority/token"
        answer = requests.post(
            url,
            data={"grant_type": "client_credentials", "tenant": "demo", "subject": "fuzzer"},
            headers={"DPoP": self.proof("POST", url)},
            timeout=10,
        )
        answer.raise_for_status()
        self.token = answer.json()["access_token"]

    def proof(self, method: str, url: str, token: str | None = None) -> str:
        claims = {
            "jti": str(uuid.uuid4()),
            "htm": method,
            "htu": url.split("?")[0].split("#")[0],
            "iat": int(time.time()),
        }
        if token is not None:
            claims["ath"] = base64url(hashlib.sha256(token.encode()).digest())
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        der = self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        signature = b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(der))
        return f"{signed}.{base64url(signature)}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"DPoP {self.token}"
        request.headers["DPoP"] = self.proof(request.method, request.url, self.token)
        return request


def call(method: str, path: str, document=None):
    url = f"{SERVER}/api/export{path}"
    answer = requests.request(method, url, json=document, auth=proofs, timeout=30)
    answer.raise_for_status()
    return answer.json()


def things() -> dict:
    """Something of each kind that paths name, so that what lies behind them is reached too."""
    run = call("POST", "/runs", {"profile": "json:raw"})["run_id"]
    call("POST", "/profiles", {"name": "fuzzed", "kind": "json:raw"})
    schedule = {"name": "fuzzed", "profile": "json:raw", "when": "rate(6 hours)"}
    schedule = call("POST", "/schedules", schedule)["id"]
    after = 0
    while True:
        # The service waits for the next event, so that this does not have to.
        url = f"{SERVER}/api/export/runs/{run}/events?after={after}&wait=20"
        page = requests.get(url, headers={"Accept": "application/json"}, auth=proofs, timeout=30).json()
        after = page["after"]
        if page["ended"]:
            break
    return {"runs": run, "profiles": "fuzzed", "schedules": schedule}


proofs = Proofs()
known = things()


def chosen(value) -> bool:
    """Three of four, the same ones in every run."""
    return hashlib.sha256(repr(value).encode()).digest()[0] % 4 != 0


@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["auth"] = proofs


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and "id" in path_parameters and chosen(path_parameters):
        kind = context.operation.path.split("/")[3]
        path_parameters["id"] = known[kind]
    if path_parameters and "path" in path_parameters and chosen(path_parameters):
        path_parameters["path"] = "export.json.sig"
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and "profile" in body and chosen(body):
        body["profile"] = "json:raw"
    return body
