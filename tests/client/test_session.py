"""Tokens, TLS, logins, and how sessions end."""

import datetime
import ipaddress
import secrets
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from between import Between

LEEWAY_SECONDS = 30  # for which duetd still takes a token that has expired


def test_a_session_without_a_good_token_waits_for_one(device, server, send, ann, bob):
    phone = device(bob, token=server.token(scope="user", sub=ann))
    phone.wait_for("connection", state="signed_out", why="The server refuses it.")
    assert phone.call("refusal")["reason"] == "the token belongs to another user"
    assert phone.find("connection", state="disconnected") is None
    phone.call("set_token", server.token(scope="user", sub=bob))
    phone.wait_refreshed()
    assert phone.call("refusal")["reason"] == ""
    phone.end()
    phone = device(bob, name="tablet", token="rubbish")
    phone.wait_for("connection", state="signed_out", why="The token is not accepted.")
    assert phone.ask("friends")["error"] == "The token is not accepted."
    send(ann, bob, "one")
    phone.call("set_token", server.token(scope="user", sub=bob))
    phone.wait_told(ann, ["one"])
    assert phone.ask("set_token", "")["error"] == "An argument is wrong."


def test_a_login_that_is_refused_is_not_tried_by_itself(device, api, server, between):
    later = f"later-{secrets.token_hex(4)}"
    phone = device(later, url=between.url)
    phone.wait_for("connection", state="signed_out", why="There is no such user or message.")
    time.sleep(1.5)  # the first pause between two tries is half a second at most
    assert len(between.seen) == 1
    assert api.put(f"/v1/users/{later}", {}).status == 201
    phone.call("set_token", server.token(scope="user", sub=later))
    phone.wait_refreshed()
    phone.end()

    phone = device(later, name="my/phone", store=":memory:")
    phone.wait_for("connection", state="signed_out", why="An argument is wrong.")
    reason = "the address has a slash or backslash inside a segment"
    assert phone.call("refusal")["reason"] == reason


def test_a_token_that_expires_ends_no_session_for_good(device, server, send, ann, bob):
    soon = server.token(scope="user", sub=bob, exp=int(time.time()) - LEEWAY_SECONDS + 4)
    phone = device(bob, token=soon).wait_refreshed()
    phone.wait_for("connection", state="signed_out", why="The token is not accepted.")
    waiting = phone.send(ann, "I am still here.")
    send(ann, bob, "Are you there?")
    phone.call("set_token", server.token(scope="user", sub=bob))
    phone.wait_told(ann, ["Are you there?"])
    phone.wait_for("event", name="sent", client_id=waiting)
    assert [item["on"] for item in phone.heard].count("refresh") == 1


def test_a_token_that_is_renewed_in_time_is_not_missed(device, server, send, ann, bob):
    soon = server.token(scope="user", sub=bob, exp=int(time.time()) - LEEWAY_SECONDS + 4)
    phone = device(bob, token=soon).wait_refreshed()
    phone.call("set_token", server.token(scope="user", sub=bob))
    phone.wait_for("connection", state="disconnected")
    send(ann, bob, "one")
    phone.wait_told(ann, ["one"])
    assert phone.find("connection", state="signed_out") is None


@pytest.fixture
def certificate(tmp_path):
    """Of 127.0.0.1, signed by itself: the file with it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "duet")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_servers_are_trusted_by_their_certificates(device, server, send, certificate, ann, bob):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    secure = Between(server, tls=tls)
    send(ann, bob, "one")
    stranger = device(bob, url=secure.url)
    stranger.wait_for("connection", state="disconnected", why="The server cannot be reached.")
    assert secure.seen == []
    stranger.end()
    friend = device(bob, url=secure.url, ca_file=certificate)
    friend.wait_told(ann, ["one"])
    friend.call("friends")
    friend.end()
    secure.close()


def test_a_server_whose_database_is_an_old_copy_is_followed(device, db, send, ann, bob):
    send(ann, bob, *(f"message {i}" for i in range(5)))
    phone = device(bob).wait_refreshed()
    phone.end()
    owner = db.execute("select user_no from duet.app_user where user_id = %s", [bob]).fetchone()
    db.execute("delete from duet.mailbox where owner = %s", owner)
    db.execute("update duet.mailbox_head set last_seq = 0 where owner = %s", owner)
    phone = device(bob).wait_refreshed()
    send(ann, bob, "after that")
    phone.wait_told(ann, ["after that"])


def test_a_kicked_device_is_told_and_stays_away(device, api, server, send, ann, bob):
    token = server.token(scope="user", sub=bob)
    phone = device(bob, token=token).wait_refreshed()
    tablet = device(bob, name="tablet", token=token).wait_refreshed()
    send(ann, bob, "one")
    phone.wait_told(ann, ["one"])
    assert api.post(f"/v1/users/{bob}/kick", {"device": "phone"}).status == 200
    phone.wait_for("kicked", reason="kicked")
    tablet.wait_for("event", name="kicked")
    assert phone.ask("friends")["error"] == "The session was ended from elsewhere."
    assert phone.texts(ann, limit=1) == ["one"]
    send(ann, bob, "two")
    tablet.wait_told(ann, ["one", "two"])
    assert phone.told_from(ann) == ["one"]
    phone.end()

    # Only with a token that was made after that does it come back; the kick is over then.
    phone = device(bob, token=token)
    phone.wait_for("connection", state="signed_out")
    phone.call("set_token", server.token(scope="user", sub=bob, iat=int(time.time()) + 2))
    phone.wait_told(ann, ["two"])
    phone.wait_refreshed()
    assert phone.find("kicked") is None


def test_one_session_of_many_is_ended_by_the_policy(device, api, ann):
    def sessions(policy):
        tag = api.get("/v1/settings").headers["ETag"]
        reply = api.patch("/v1/settings", {"sessions": policy}, headers={"If-Match": tag})
        assert reply.status == 200, reply

    sessions("one")
    try:
        phone = device(ann, name="phone").wait_refreshed()
        device(ann, name="tablet").wait_refreshed()
        phone.wait_for("kicked", reason="policy")
    finally:
        sessions("many")


def test_a_device_that_is_logged_out_elsewhere_is_told(device, api, bob):
    phone = device(bob).wait_refreshed()
    assert api.delete(f"/v1/users/{bob}/devices/phone").status == 204
    phone.wait_for("kicked", reason="logged_out")


def test_a_device_that_the_server_has_forgotten_logs_in_again(device, db, send, ann, bob):
    phone = device(bob).wait_refreshed()
    db.execute(
        "delete from duet.device using duet.app_user where user_no = owner and user_id = %s", (bob,)
    )
    send(ann, bob, "one")
    phone.wait_told(ann, ["one"])


def test_the_server_learns_how_far_a_device_is(device, server, send, ann, bob, between):
    phone = device(bob, url=between.url).wait_refreshed()
    send(ann, bob, "one", "two", "three")
    phone.wait_told(ann, ["one", "two", "three"])
    reported = lambda: [path for method, path in between.seen if path.endswith("/position")]
    server.wait_until(reported, what="a report")
