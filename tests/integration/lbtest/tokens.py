# SPDX-License-Identifier: MIT
"""JSON Web Tokens as an identity provider signs them, with a shared secret or by RSA."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(header, claims):
    return b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())


def claims(sub, lasts_s=600, **more):
    return {"sub": sub, "exp": int(time.time()) + lasts_s, **more}


class Secret:
    """Signs by HS256."""

    def __init__(self, secret=b"the secret of the shop, 32 bytes"):
        self.secret = secret

    def token(self, sub, header=None, **more):
        text = unsigned({"alg": "HS256", **(header or {})}, claims(sub, **more))
        return text + "." + b64(hmac.digest(self.secret, text.encode(), hashlib.sha256))


class RsaKey:
    """Signs by RS256, with openssl(1)."""

    def __init__(self, directory, kid):
        self.kid = kid
        self.file = directory / f"{kid}.key"
        subprocess.run(["openssl", "genrsa", "-out", self.file, "2048"], check=True, capture_output=True)

    def jwk(self):
        modulus = subprocess.run(["openssl", "rsa", "-in", self.file, "-noout", "-modulus"], check=True,
                                 capture_output=True, text=True).stdout
        number = bytes.fromhex(re.search("Modulus=(.*)", modulus)[1])
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": b64(number), "e": "AQAB"}

    def public_pem(self):
        return subprocess.run(["openssl", "rsa", "-in", self.file, "-pubout"], check=True,
                              capture_output=True).stdout

    def token(self, sub, **more):
        text = unsigned({"alg": "RS256", "kid": self.kid}, claims(sub, **more))
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.file], input=text.encode(),
                                check=True, capture_output=True).stdout
        return text + "." + b64(signed)
