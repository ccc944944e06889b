"""POST /v1/users/{user}/tokens."""

import datetime
import json
import secrets

import pytest

from support.database import unchanged
from support.tokens import Keys


def in_seconds(expires_at):
    """How long from now a time of a reply is."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return (datetime.datetime.fromisoformat(expires_at.replace("Z", "+00:00")) - now).total_seconds()


def test_user_token_make_gives_a_token_of_this_user(api, ann, bob):
    reply = api.post(f"/v1/users/{ann}/tokens", {"expires_in_seconds": 3600})
    assert reply.status == 201
    assert 3590 < in_seconds(reply.json["expires_at"]) <= 3600
    assert reply.headers["Cache-Control"] == "no-store"
    own = api.with_token(reply.json["token"])
    assert own.get(f"/v1/users/{ann}").json["nick"] == "Ann"
    assert own.post("/v1/messages", {"from": ann, "to": bob, "text": "hi"}).status == 201
    assert own.get(f"/v1/users/{bob}").code == "forbidden"
    assert own.post(f"/v1/users/{ann}/tokens", {}).code == "forbidden"


@pytest.mark.parametrize("seconds", [60, 86400, 2592000])
def test_a_token_lasts_as_long_as_was_asked_for(api, ann, seconds):
    reply = api.post(f"/v1/users/{ann}/tokens", {"expires_in_seconds": seconds})
    assert seconds - 10 < in_seconds(reply.json["expires_at"]) <= seconds


def test_a_token_lasts_a_day_where_nothing_is_said(api, ann):
    reply = api.post(f"/v1/users/{ann}/tokens", {})
    assert 86390 < in_seconds(reply.json["expires_at"]) <= 86400


@pytest.mark.parametrize("seconds", [59, 0, -1, 2592001, "60", 60.5])
def test_user_token_make_refuses_other_times(api, ann, seconds):
    reply = api.post(f"/v1/users/{ann}/tokens", {"expires_in_seconds": seconds})
    assert (reply.status, reply.pointers) == (400, ["/expires_in_seconds"])


@pytest.mark.parametrize("device", ["my/phone", "my\\phone", "..", ""])
def test_user_token_make_knows_no_device_that_could_not_log_in(api, ann, device):
    reply = api.post(f"/v1/users/{ann}/tokens", {"device": device})
    assert (reply.status, reply.pointers) == (400, ["/device"])


def test_user_token_make_knows_no_stranger(api):
    reply = api.post(f"/v1/users/nobody-{secrets.token_hex(4)}/tokens", {})
    assert (reply.status, reply.code) == (404, "user_unknown")


def test_user_token_make_keeps_no_token(api, ann, db):
    with unchanged(db):
        api.post(f"/v1/users/{ann}/tokens", {})


def test_a_token_has_the_issuer_and_audience_that_the_server_asks_for(start_server, client_of, ann):
    api = client_of(start_server(DUET_ISSUER="https://id.example/", DUET_AUDIENCE="duet"))
    token = api.post(f"/v1/users/{ann}/tokens", {}).json["token"]
    assert api.with_token(token).get(f"/v1/users/{ann}").status == 200


def test_without_a_key_to_sign_with_no_token_is_made(start_server, client_of, ann, tmp_path):
    keys = Keys()
    path = tmp_path / "keys.json"
    document = keys.document()
    keys.write(path)
    document["keys"] = [key for key in document["keys"] if key["alg"] != "HS256"]
    del document["signing_kid"]
    path.write_text(json.dumps(document))
    server = start_server(keys=keys, keys_file=path)
    api = client_of(server).with_token(server.token(kid="e1"))
    reply = api.post(f"/v1/users/{ann}/tokens", {})
    assert (reply.status, reply.code) == (409, "signing_key_missing")
    assert server.wait_for_log("token_not_signed")
