"""UserSigs, made as SDKs make them and independently of the server."""

import base64
import hashlib
import hmac
import json
import time
import zlib

APP_ID = 1400000001
KEY = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


def usersig(identifier, app_id=APP_ID, key=KEY, made_at=None, expires_in=3600):
    made_at = int(time.time()) if made_at is None else made_at
    text = (
        f"TLS.identifier:{identifier}\nTLS.sdkappid:{app_id}\n"
        f"TLS.time:{made_at}\nTLS.expire:{expires_in}\n"
    )
    mac = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    document = {
        "TLS.ver": "2.0",
        "TLS.identifier": identifier,
        "TLS.sdkappid": app_id,
        "TLS.time": made_at,
        "TLS.expire": expires_in,
        "TLS.sig": base64.b64encode(mac).decode(),
    }
    return packed(json.dumps(document).encode())


def packed(data):
    text = base64.b64encode(zlib.compress(data)).decode()
    return text.replace("+", "*").replace("/", "-").replace("=", "_")
