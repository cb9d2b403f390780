#!/usr/bin/env python3
"""Writes the golden files of this folder from docs/sealing.md and https://c2sp.org/age alone, with the
ciphers of the `cryptography` package. The tests compare what the crate writes with these files.

    pip install cryptography && python3 reference.py
"""

import json
from base64 import b64encode
from hashlib import sha256
from hmac import digest as hmac
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).parent
PATH = "payload/advisory/part-00000.jsonl.zst.enc"
DATA_KEY = bytes(range(100, 132))
KEK = bytes(range(200, 232))
TENANT, RUN = "acme", "0199f0c2-7a51-7c3e-9d7e-000000000001"


def hkdf(key, salt, info, length=32):
    return HKDF(SHA256(), length, salt, info).derive(key)


def content(size):
    return bytes(n * 7 % 251 for n in range(size))


def sealed(plain, chunk):
    # The tests' random bytes are 0, 1, 2, …
    salt, prefix = bytes(range(32)), bytes(range(32, 39))
    header = b"export-center/sealed/v1\n" + bytes([1]) + chunk.to_bytes(4, "big") + salt + prefix
    header += hkdf(DATA_KEY, salt, b"export-center/commitment/v1")
    key = AESGCM(hkdf(DATA_KEY, salt, b"export-center/file/v1\0" + PATH.encode()))
    out = header
    count = max(1, -(-len(plain) // chunk))
    for number in range(count):
        nonce = prefix + number.to_bytes(4, "big") + bytes([number == count - 1])
        part = plain[number * chunk : (number + 1) * chunk]
        out += key.encrypt(nonce, part, header + PATH.encode())
    return out


def bech32(prefix, data):
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    symbols = [int(bits[n : n + 5], 2) for n in range(0, len(bits), 5)]
    total = 1
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    for symbol in expanded + symbols + [0] * 6:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ symbol
        for bit, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            total ^= generator if top >> bit & 1 else 0
    symbols += [(total ^ 1) >> 5 * n & 31 for n in range(5, -1, -1)]
    return prefix + "1" + "".join(alphabet[symbol] for symbol in symbols)


def age(plain, secrets):
    """An age v1 file, from https://c2sp.org/age. It has a single chunk."""
    unpadded = lambda data: b64encode(data).rstrip(b"=")
    random = iter(range(256))
    take = lambda count: bytes(next(random) for _ in range(count))
    file_key = take(16)
    header = b"age-encryption.org/v1\n"
    for secret in secrets:
        recipient = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        ephemeral = X25519PrivateKey.from_private_bytes(take(32))
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
        key = hkdf(shared, share + recipient, b"age-encryption.org/v1/X25519")
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        header += b"-> X25519 " + unpadded(share) + b"\n" + unpadded(body) + b"\n"
    header += b"---"
    header += b" " + unpadded(hmac(hkdf(file_key, None, b"header"), header, sha256)) + b"\n"
    nonce = take(16)
    key = hkdf(file_key, nonce, b"payload")
    return header + nonce + ChaCha20Poly1305(key).encrypt(bytes(11) + b"\1", plain, None)


def identity(secret):
    public = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return f"# public key: {bech32('age', public)}\n{bech32('age-secret-key-', secret).upper()}\n"


def wrapped():
    context = f"export-center/wrapped-key/v1\0{TENANT}\0{RUN}".encode()
    nonce_key = hkdf(KEK, None, b"export-center/kek-nonce/v1")
    nonce = hmac(nonce_key, DATA_KEY + context, sha256)[:12]
    key = AESGCM(hkdf(KEK, None, b"export-center/kek-wrap/v1"))
    ciphertext = nonce + key.encrypt(nonce, DATA_KEY, context)
    return {
        "ciphertext": b64encode(ciphertext).decode(),
        "data_key_id": hkdf(DATA_KEY, None, b"export-center/data-key-id/v1", 16).hex(),
        "key_id": hkdf(KEK, None, b"export-center/kek-id/v1", 16).hex(),
        "provider": "key-file",
    }


def main():
    for name, size, chunk in [("empty", 0, 1 << 20), ("small", 1000, 1 << 20), ("chunks", 3 * 4096, 4096)]:
        (HERE / f"{name}.enc").write_bytes(sealed(content(size), chunk))
    secrets = [bytes(range(32)), bytes(range(64, 96))]
    (HERE / "identity.txt").write_text(identity(secrets[0]))
    (HERE / "small.age").write_bytes(age(content(1000), secrets))
    keys = {
        "context": {"run": RUN, "tenant": TENANT},
        "keys": [wrapped()],
        "schema": "export-center/data-keys/v1",
    }
    (HERE / "keys.json").write_text(json.dumps(keys, sort_keys=True, separators=(",", ":")))
    text = f"# key id: {wrapped()['key_id']}\n{bech32('export-center-kek-', KEK).upper()}\n"
    (HERE / "kek.txt").write_text(text)


main()
