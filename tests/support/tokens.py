"""Keys for the servers under test, and tokens signed with them."""

import base64
import json
import os
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_pem(private_key):
    return (
        private_key.public_key()
        .public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        .decode()
    )


class Keys:
    """A key set: h1 (HS256, signs by default), e1 (ES256), r1 (RS256)."""

    def __init__(self):
        self.secret = os.urandom(32)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def document(self):
        return {
            "keys": [
                {"kid": "h1", "alg": "HS256", "secret": base64url(self.secret)},
                {"kid": "e1", "alg": "ES256", "public_key": public_pem(self.ec)},
                {"kid": "r1", "alg": "RS256", "public_key": public_pem(self.rsa)},
            ],
            "signing_kid": "h1",
        }

    def write(self, path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self.document(), file)

    def token(self, scope="admin", sub="backend", kid="h1", **claims):
        """A good token for an hour; a claim given as None is left out."""
        now = int(time.time())
        payload = {"sub": sub, "scope": scope, "iat": now, "exp": now + 3600, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        key, algorithm = {
            "h1": (self.secret, "HS256"),
            "e1": (self.ec, "ES256"),
            "r1": (self.rsa, "RS256"),
        }[kid]
        return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid})
