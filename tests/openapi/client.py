"""A client of the API: each request carries an access token and a proof of its own (RFC 9449).

The token is the dev authority's, for a key that is made here.
"""

import base64
import hashlib
import json
import os
import time
import uuid

import requests
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


proofs = Proofs()
