"""Forged, stale and odd tokens against the server: each gets the same 401 and writes nothing.

What concerns the token's text alone is tested more closely, and with a clock of its own, in
src/http/token_test.c; here stands what a client can try."""

import hashlib
import hmac
import json
import secrets
import signal
import socket
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from support.database import unchanged
from support.server import run_duetd
from support.tokens import Keys, base64url, public_pem

HOUR = 3600


def public_der(private_key):
    return private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def hs256(secret):
    return lambda text: hmac.digest(secret, text, hashlib.sha256)


def rs(private_key, digest):
    return lambda text: private_key.sign(text, padding.PKCS1v15(), digest)


def es(private_key, digest, size):
    def sign(text):
        r, s = utils.decode_dss_signature(private_key.sign(text, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def nobody(_text):
    return b""


class Forger:
    """Puts tokens together by hand; what a test does not change is right."""

    def __init__(self, keys):
        self.keys = keys
        self.h1 = hs256(keys.secret)
        self.r1 = rs(keys.rsa, hashes.SHA256())
        self.e1 = es(keys.ec, hashes.SHA256(), 32)

    @staticmethod
    def header(alg="HS256", kid="h1", **more):
        return {"alg": alg, "kid": kid, "typ": "JWT", **more}

    @staticmethod
    def claims(**changed):
        now = int(time.time())
        claims = {"sub": "backend", "scope": "admin", "iat": now, "exp": now + HOUR, **changed}
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, header=None, claims=None, sign=None):
        """`header` and `claims` as dictionaries, or as the JSON text itself."""

        def encoded(part, default):
            part = default() if part is None else part
            text = part if isinstance(part, str) else json.dumps(part)
            return base64url(text.encode())

        text = encoded(header, self.header) + "." + encoded(claims, self.claims)
        return text + "." + base64url((sign or self.h1)(text.encode()))

    def with_claims(self, **changed):
        return self.token(claims=self.claims(**changed))

    def with_member(self, text):
        """Good claims with one more member in front, which may be a duplicate."""
        return self.token(claims="{" + text + "," + json.dumps(self.claims())[1:])

    def with_header(self, sign=None, **changed):
        header = {**self.header(), **changed}
        header = {name: value for name, value in header.items() if value is not ...}
        return self.token(header=header, sign=sign)

    def of_key(self, kid):
        alg, sign = {
            "h1": ("HS256", self.h1),
            "r1": ("RS256", self.r1),
            "e1": ("ES256", self.e1),
        }[kid]
        return self.token(header=self.header(alg=alg, kid=kid), sign=sign)

    def spoiled(self, kid, text, from_end=0, instead_of=0):
        """A good token with `text` put in, `from_end` characters before its end."""
        token = self.of_key(kid)
        place = len(token) - from_end
        return token[:place] + text + token[place + instead_of :]

    def flipped(self, kid, place, bit):
        """A good token with one of the six bits of a character turned over."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        token = self.of_key(kid)
        place %= len(token)
        changed = alphabet[alphabet.index(token[place]) ^ (1 << bit)]
        return token[:place] + changed + token[place + 1 :]


def now(seconds=0):
    return int(time.time()) + seconds


HEADERS = {
    "alg none": lambda f: f.with_header(alg="none", sign=nobody),
    "alg NoNe": lambda f: f.with_header(alg="NoNe", sign=nobody),
    "alg NONE": lambda f: f.with_header(alg="NONE", sign=nobody),
    "alg none and no kid": lambda f: f.with_header(alg="none", kid=..., sign=nobody),
    "alg none with a signature": lambda f: f.with_header(alg="none"),
    "an empty signature": lambda f: f.with_header(sign=nobody),
    "no alg": lambda f: f.with_header(alg=...),
    "alg is a number": lambda f: f.with_header(alg=256),
    "alg is null": lambda f: f.with_header(alg=None),
    "alg is an array": lambda f: f.with_header(alg=["HS256"]),
    "hs256 in lower case": lambda f: f.with_header(alg="hs256"),
    "HS384": lambda f: f.with_header(
        alg="HS384", sign=lambda text: hmac.digest(f.keys.secret, text, "sha384")
    ),
    "alg twice": lambda f: f.token('{"alg":"none","alg":"HS256","kid":"h1"}'),
    "alg twice, once escaped": lambda f: f.token('{"\\u0061lg":"none","alg":"HS256","kid":"h1"}'),
    "kid twice": lambda f: f.token('{"alg":"HS256","kid":"e1","kid":"h1"}'),
    "crit": lambda f: f.with_header(crit=["exp"]),
    "crit b64": lambda f: f.with_header(crit=["b64"], b64=False),
    "b64 false": lambda f: f.with_header(b64=False),
    "an embedded jwk": lambda f: f.with_header(
        jwk={"kty": "oct", "k": base64url(b"x" * 32)}, sign=hs256(b"x" * 32)
    ),
    "kid is a path": lambda f: f.with_header(kid="../../../dev/null", sign=hs256(b"")),
    "kid is SQL": lambda f: f.with_header(kid="h1' or '1'='1"),
    "kid is empty": lambda f: f.with_header(kid=""),
    "kid of 2000 bytes": lambda f: f.with_header(kid="h" * 2000),
    "kid with a NUL": lambda f: f.with_header(kid="h1\0"),
    "kid of another key": lambda f: f.with_header(kid="r1"),
    "kid of nobody": lambda f: f.with_header(kid="h9"),
    "kid of nobody, empty secret": lambda f: f.with_header(kid="h9", sign=hs256(b"")),
    "kid is null": lambda f: f.with_header(kid=None),
    "no kid": lambda f: f.with_header(kid=...),
    "typ at+jwt": lambda f: f.with_header(typ="at+jwt"),
    "the header is an array": lambda f: f.token('["HS256","h1"]'),
    "the header is a string": lambda f: f.token('"HS256"'),
}

SIGNATURES = {
    "another secret": lambda f: f.token(sign=hs256(b"x" * 32)),
    "no secret": lambda f: f.token(sign=hs256(b"")),
    "the RSA key's PEM as secret": lambda f: f.with_header(
        kid="r1", sign=hs256(public_pem(f.keys.rsa).encode())
    ),
    "the RSA key's PEM without newline": lambda f: f.with_header(
        kid="r1", sign=hs256(public_pem(f.keys.rsa).strip().encode())
    ),
    "the RSA key's DER as secret": lambda f: f.with_header(
        kid="r1", sign=hs256(public_der(f.keys.rsa))
    ),
    "the EC key's PEM as secret": lambda f: f.with_header(
        kid="e1", sign=hs256(public_pem(f.keys.ec).encode())
    ),
    "the EC key's PEM without newline": lambda f: f.with_header(
        kid="e1", sign=hs256(public_pem(f.keys.ec).strip().encode())
    ),
    "the EC key's DER as secret": lambda f: f.with_header(
        kid="e1", sign=hs256(public_der(f.keys.ec))
    ),
    "an HMAC that is called RS256": lambda f: f.with_header(
        alg="RS256", kid="r1", sign=hs256(public_pem(f.keys.rsa).encode())
    ),
    "RS512 for an RS256 key": lambda f: f.with_header(
        alg="RS512", kid="r1", sign=rs(f.keys.rsa, hashes.SHA512())
    ),
    "RS256 by another key": lambda f: f.with_header(
        alg="RS256", kid="r1", sign=rs(rsa.generate_private_key(65537, 2048), hashes.SHA256())
    ),
    "ES256 by another key": lambda f: f.with_header(
        alg="ES256",
        kid="e1",
        sign=es(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), 32),
    ),
    "ES256 by a P-384 key": lambda f: f.with_header(
        alg="ES256",
        kid="e1",
        sign=es(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256(), 48),
    ),
    "an ES256 signature in DER": lambda f: f.with_header(
        alg="ES256",
        kid="e1",
        sign=lambda text: f.keys.ec.sign(text, ec.ECDSA(hashes.SHA256())),
    ),
    "an ES256 signature of zeros": lambda f: f.with_header(
        alg="ES256", kid="e1", sign=lambda text: bytes(64)
    ),
    "the first bit turned over (HS256)": lambda f: f.flipped("h1", -43, 5),
    "the last bits turned over (HS256)": lambda f: f.flipped("h1", -1, 5),
    "the unused bits turned over (HS256)": lambda f: f.flipped("h1", -1, 0),
    "a bit turned over (RS256)": lambda f: f.flipped("r1", -171, 3),
    "the unused bits turned over (RS256)": lambda f: f.flipped("r1", -1, 0),
    "a bit turned over (ES256)": lambda f: f.flipped("e1", -43, 3),
    "the unused bits turned over (ES256)": lambda f: f.flipped("e1", -1, 0),
    "a fourth part": lambda f: f.of_key("h1") + ".AAAA",
    "a point behind": lambda f: f.of_key("h1") + ".",
    "two parts": lambda f: f.of_key("h1").rpartition(".")[0],
    "= behind": lambda f: f.spoiled("h1", "="),
    "~!* behind (RS256)": lambda f: f.spoiled("r1", "~!*"),
    "=== behind (RS256)": lambda f: f.spoiled("r1", "==="),
    "~!* inside (RS256)": lambda f: f.spoiled("r1", "~!*", from_end=100),
    "a space inside (RS256)": lambda f: f.spoiled("r1", " ", from_end=100),
    "~!* inside (ES256)": lambda f: f.spoiled("e1", "~!*", from_end=20),
    "a space inside (ES256)": lambda f: f.spoiled("e1", " ", from_end=20),
    "== behind (ES256)": lambda f: f.spoiled("e1", "=="),
    "plain base64's +": lambda f: f.spoiled("h1", "+", from_end=20, instead_of=1),
    "plain base64's /": lambda f: f.spoiled("h1", "/", from_end=20, instead_of=1),
    "a signature cut in half": lambda f: f.spoiled("r1", "", from_end=171, instead_of=171),
    "rubbish": lambda f: "rubbish",
    "points": lambda f: "." * 40,
    "bytes above ASCII": lambda f: "\xff" * 40,
}

CLAIMS = {
    "sub twice": lambda f: f.with_member('"sub":"admin"'),
    "exp twice": lambda f: f.with_member('"exp":4000000000'),
    "aud twice": lambda f: f.with_member('"aud":"x","aud":"duet"'),
    "scope twice, once escaped": lambda f: f.with_member('"s\\u0063ope":"admin"'),
    "no exp": lambda f: f.with_claims(exp=...),
    "exp is a string": lambda f: f.with_claims(exp=str(now(HOUR))),
    "exp is a real": lambda f: f.with_claims(exp=now(HOUR) + 0.5),
    "exp is negative": lambda f: f.with_claims(exp=-1),
    "exp is null": lambda f: f.with_claims(exp=None),
    "exp is 10^18": lambda f: f.with_claims(exp=10**18),
    "exp overflows": lambda f: f.with_claims(exp=2**64 + 1),
    "expired, more than the leeway ago": lambda f: f.with_claims(exp=now(-31)),
    "nbf in the future": lambda f: f.with_claims(nbf=now(60)),
    "nbf is a string": lambda f: f.with_claims(nbf="1"),
    "iat in the future": lambda f: f.with_claims(iat=now(60)),
    "iat is a string": lambda f: f.with_claims(iat="1"),
    "an audience where none is ours": lambda f: f.with_claims(aud="duet"),
    "an array of audiences": lambda f: f.with_claims(aud=["duet"]),
    "no sub": lambda f: f.with_claims(sub=...),
    "an empty sub": lambda f: f.with_claims(sub=""),
    "sub with a NUL": lambda f: f.with_claims(sub="back\0end"),
    "sub with a line end": lambda f: f.with_claims(sub="back\nend"),
    "sub of 65 bytes": lambda f: f.with_claims(sub="b" * 65),
    "sub is a number": lambda f: f.with_claims(sub=7),
    "no scope": lambda f: f.with_claims(scope=...),
    "an empty scope": lambda f: f.with_claims(scope=""),
    "scope is an array": lambda f: f.with_claims(scope=["admin"]),
    "a scope and something more": lambda f: f.with_claims(scope="admin:readx"),
    "a part of a scope": lambda f: f.with_claims(scope="adm"),
    "a scope in upper case": lambda f: f.with_claims(scope="Admin"),
    "a scope twice": lambda f: f.with_claims(scope="admin admin"),
    "an unknown scope beside": lambda f: f.with_claims(scope="admin root"),
    "two spaces": lambda f: f.with_claims(scope="admin  users:read"),
    "user and admin": lambda f: f.with_claims(scope="user admin"),
    "the payload is an array": lambda f: f.token(claims=[f.claims()]),
    "the payload is a string": lambda f: f.token(claims='"admin"'),
    "something behind the payload": lambda f: f.token(claims=json.dumps(f.claims()) + "{}"),
    "nested 2900 deep": lambda f: f.token(claims="[" * 2900),
    "nested 2900 deep, not signed": lambda f: f.token(claims="[" * 2900, sign=nobody),
    "nested 500 deep in good claims": lambda f: f.with_member('"a":' + "[" * 500 + "]" * 500),
    "longer than 4096 bytes": lambda f: f.with_claims(fill="x" * 3500),
}

ATTACKS = {**HEADERS, **SIGNATURES, **CLAIMS}


@pytest.fixture(scope="session")
def forger(keys):
    return Forger(keys)


def problem(reply):
    """A problem document without what differs from request to request."""
    assert reply.headers["Content-Type"].startswith("application/problem+json"), reply
    document = reply.json
    document.pop("request_id")
    return document


def put_stranger(api, token, **more):
    """A write that an administrator's token would do."""
    return api.put(f"/v1/users/stranger-{secrets.token_hex(6)}", {}, token=token, **more)


@pytest.mark.parametrize("kid", ["h1", "r1", "e1"])
def test_what_the_forger_leaves_alone_is_good(api, forger, kid):
    assert put_stranger(api, forger.of_key(kid)).status == 201


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_wrong_token_is_refused_and_writes_nothing(api, server, forger, db, attack):
    token = ATTACKS[attack](forger)
    lines = len(server.log)
    with unchanged(db):
        reply = put_stranger(api, token)
    assert (reply.status, reply.code) == (401, "unauthenticated")
    # The client learns the same whatever was wrong; the log has the reason, and not the token.
    assert problem(reply) == problem(put_stranger(api, "no-token-at-all-of-any-kind"))
    assert server.wait_for_log("token_refused", after=lines)["reason"]
    assert token not in "\n".join(server.stderr)


@pytest.mark.parametrize("member", ["jku", "x5u"])
def test_a_token_makes_the_server_fetch_nothing(api, forger, member):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        assert put_stranger(api, forger.with_header(**{member: address})).status == 401
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "changed",
    [{"exp": -20}, {"nbf": 20}, {"iat": 20}, {"exp": 10, "nbf": -10, "iat": -10}],
    ids=str,
)
def test_clocks_may_differ_by_half_a_minute(api, forger, changed):
    times = {name: now(seconds) for name, seconds in changed.items()}
    assert put_stranger(api, forger.with_claims(**times)).status == 201


def test_a_token_is_refused_once_it_has_expired_though_it_was_good(api, forger):
    token = forger.with_claims(exp=now(-28))
    assert put_stranger(api, token).status == 201
    end = time.monotonic() + 10
    while put_stranger(api, token).status == 201:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert put_stranger(api, token).status == 401


def test_a_token_of_64_kilobytes_is_refused(server, forger, db):
    # The library below answers by itself, so no problem document is asked for.
    token = forger.with_claims(fill="x" * 48000)
    with unchanged(db), socket.create_connection((server.host, server.port), 10) as client:
        request = f"GET /v1/users/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        try:
            client.sendall(request.encode())
            answer = client.recv(4096)
        except ConnectionResetError:
            answer = b""
    assert answer == b"" or answer.split()[1] in (b"400", b"401", b"413", b"431"), answer


@pytest.mark.parametrize("good_first", [True, False])
def test_two_authorizations_are_refused(server, forger, db, good_first):
    name = f"stranger-{secrets.token_hex(6)}"
    tokens = [forger.of_key("h1"), "rubbish"]
    lines = "".join(
        f"Authorization: Bearer {token}\r\n" for token in (tokens if good_first else tokens[::-1])
    )
    with unchanged(db), socket.create_connection((server.host, server.port), 10) as client:
        client.sendall(
            f"PUT /v1/users/{name} HTTP/1.1\r\nHost: x\r\n{lines}"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".encode()
        )
        answer = client.recv(4096)
    assert answer.split()[1] in (b"400", b"401"), answer


@pytest.mark.parametrize("between", ["  ", "\t", " \t", ""], ids=repr)
def test_one_space_stands_before_the_token(api, forger, db, between):
    headers = {"Authorization": f"Bearer{between}{forger.of_key('h1')}"}
    with unchanged(db):
        assert put_stranger(api, None, headers=headers).status == 401


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "bearer"])
def test_a_token_in_the_query_is_refused(api, forger, db, name):
    token = forger.of_key("h1")
    with unchanged(db):
        reply = put_stranger(api, None, params={name: token})
    assert reply.status == 401


@pytest.mark.parametrize("sub", ["{}x", "{}\u200b", "\u0430{}", " {}"], ids=ascii)
def test_a_subject_that_looks_alike_is_another(api, forger, ann, sub):
    for name in (sub.format(ann), ann.upper()):
        token = forger.with_claims(sub=name, scope="user")
        assert api.get(f"/v1/users/{ann}/messages", token=token).status == 403


# ---- issuer and audience ----


@pytest.fixture(scope="module")
def narrow_settings():
    return {"DUET_ISSUER": "https://id.example/", "DUET_AUDIENCE": "duet"}


def test_issuer_and_audience_must_be_ours_where_they_are_set(
    start_server, client_of, forger, narrow_settings
):
    api = client_of(start_server(narrow_settings))
    ours = {"iss": "https://id.example/", "aud": "duet"}
    for good in (ours, {**ours, "aud": ["other", "duet"]}):
        assert put_stranger(api, forger.with_claims(**good)).status == 201, good
    for wrong in (
        {},
        {"aud": "duet"},
        {"iss": "https://id.example/"},
        {**ours, "iss": "https://id.example"},
        {**ours, "iss": "https://id.example/more"},
        {**ours, "iss": ["https://id.example/"]},
        {**ours, "aud": "due"},
        {**ours, "aud": "duet2"},
        {**ours, "aud": []},
        {**ours, "aud": ["other"]},
        {**ours, "aud": ["duet", 7]},
        {**ours, "aud": None},
        {**ours, "aud": "DUET"},
    ):
        assert put_stranger(api, forger.with_claims(**wrong)).status == 401, wrong


def test_duetd_token_signs_what_the_server_takes(start_server, client_of, narrow_settings):
    server = start_server(narrow_settings)
    done = run_duetd(
        "token",
        "--subject",
        "b\u00e4r",
        "--scope",
        "users:read users:write",
        "--expires-in",
        "60",
        DUET_KEYS_FILE=server.keys_file,
        **narrow_settings,
    )
    assert done.returncode == 0, done.stderr
    assert put_stranger(client_of(server), done.stdout.strip()).status == 201


# ---- keys that change ----


@pytest.fixture
def own_keys(tmp_path):
    """A key set of this test, and the file that it is written to."""
    one = Keys()
    path = tmp_path / "keys.json"
    one.write(path)
    return one, path


def reload(server, event):
    lines = len(server.log)
    server.signal(signal.SIGHUP)
    return server.wait_for_log(event, after=lines)


def test_keys_are_rotated_without_a_stop(start_server, client_of, own_keys):
    old, path = own_keys
    new = Keys()
    server = start_server(keys=old, keys_file=path)
    api = client_of(server)
    of_old = old.token()
    of_new = Forger(new).token(header=Forger.header(kid="h2"))
    assert put_stranger(api, of_old).status == 201
    assert put_stranger(api, of_new).status == 401

    both = old.document()
    both["keys"].append({"kid": "h2", "alg": "HS256", "secret": base64url(new.secret)})
    path.write_text(json.dumps(both))
    reload(server, "keys_reloaded")
    assert put_stranger(api, of_old).status == 201
    assert put_stranger(api, of_new).status == 201  # the refusal before is not remembered

    only_new = {"keys": both["keys"][-1:]}
    path.write_text(json.dumps(only_new))
    reload(server, "keys_reloaded")
    assert put_stranger(api, of_old).status == 401  # though it was good a moment ago
    assert put_stranger(api, of_new).status == 201


BAD_FILES = {
    "no JSON": lambda document: "{",
    "empty": lambda document: "",
    "no keys": lambda document: '{"keys": []}',
    "cut off": lambda document: json.dumps(document)[:-9],
    "a short secret": lambda document: json.dumps(
        {"keys": [{"kid": "h1", "alg": "HS256", "secret": base64url(b"x" * 31)}]}
    ),
    "a small RSA key": lambda document: json.dumps(
        {
            "keys": [
                {
                    "kid": "r1",
                    "alg": "RS256",
                    "public_key": public_pem(rsa.generate_private_key(65537, 1024)),
                }
            ]
        }
    ),
    "P-384 for ES256": lambda document: json.dumps(
        {
            "keys": [
                {
                    "kid": "e1",
                    "alg": "ES256",
                    "public_key": public_pem(ec.generate_private_key(ec.SECP384R1())),
                }
            ]
        }
    ),
    "a name twice": lambda document: json.dumps({"keys": document["keys"] * 2}),
    "an unknown algorithm": lambda document: json.dumps(
        {"keys": [{"kid": "n", "alg": "none", "secret": base64url(b"x" * 32)}]}
    ),
}


def test_a_bad_key_file_leaves_the_old_keys(start_server, client_of, own_keys):
    keys, path = own_keys
    server = start_server(keys=keys, keys_file=path)
    api = client_of(server)
    for name, write in BAD_FILES.items():
        path.write_text(write(keys.document()))
        why = reload(server, "keys_not_reloaded")["why"]
        assert str(path) in why, name
        for kid in ("h1", "r1", "e1"):
            assert put_stranger(api, keys.token(kid=kid)).status == 201, name
    path.unlink()
    reload(server, "keys_not_reloaded")
    assert put_stranger(api, keys.token()).status == 201
    assert base64url(keys.secret) not in "\n".join(server.stderr)


@pytest.mark.parametrize("name", BAD_FILES)
def test_the_server_does_not_start_with_a_bad_key_file(cluster, own_keys, name):
    keys, path = own_keys
    path.write_text(BAD_FILES[name](keys.document()))
    done = run_duetd(
        "serve",
        DUET_LISTEN="127.0.0.1:0",
        DUET_DATABASE_URL=cluster.url("duet_server"),
        DUET_KEYS_FILE=path,
    )
    assert done.returncode != 0
    assert str(path) in done.stderr
