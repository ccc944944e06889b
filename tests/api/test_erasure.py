"""DELETE /v1/users/{user} and GET /v1/erasures/{id}."""

import secrets

import psycopg
import pytest

from support.database import unchanged
from support.mailbox import news


def send(api, sender, receiver, text="hi", **more):
    reply = api.post("/v1/messages", {"from": sender, "to": receiver, "text": text, **more})
    assert reply.status == 201, reply
    return reply.json


def test_user_delete_removes_all_and_answers_with_a_receipt(api, ann, bob):
    for _ in range(3):
        send(api, ann, bob)
    api.put(f"/v1/users/{ann}/tags/beta")
    reply = api.delete(f"/v1/users/{ann}")
    assert reply.status == 200
    receipt = reply.json
    assert receipt["user"] == ann
    assert receipt["finished_at"] >= receipt["started_at"]
    counted = {table: n for table, n in receipt["removed"].items() if n}
    assert counted == {"app_user": 1, "mailbox_head": 1, "mailbox": 3, "contact": 1, "user_tag": 1}
    assert api.get(f"/v1/erasures/{receipt['id']}").json == receipt


def test_a_deleted_user_is_unknown_to_every_call(api, ann, bob):
    own = api.as_user(ann)
    api.delete(f"/v1/users/{ann}")
    for caller in (api, own):
        for reply in (
            caller.get(f"/v1/users/{ann}"),
            caller.patch(f"/v1/users/{ann}", {"nick": "Ghost"}),
            caller.get(f"/v1/users/{ann}/messages"),
            caller.get(f"/v1/users/{ann}/events"),
            caller.post("/v1/messages", {"from": ann, "to": bob, "text": "boo"}),
        ):
            assert (reply.status, reply.code) == (404, "user_unknown")
    reply = api.post("/v1/messages", {"from": bob, "to": ann, "text": "hi"})
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/to"])
    assert api.get("/v1/users", params={"prefix": ann}).json["items"] == []


def test_friends_learn_whom_they_have_lost(api, ann, bob, user):
    api.put(f"/v1/users/{ann}/friends/{bob}", {})
    stranger = user()
    send(api, ann, stranger)
    assert api.delete(f"/v1/users/{ann}").json["finished_at"] is not None
    told = news(api, bob)[-1]
    assert (told["kind"], told["details"]) == ("friend_removed", {"deleted_user": ann})
    assert "peer" not in told
    assert news(api, stranger) == []


def test_others_keep_their_messages_without_the_deleted_users_name(api, ann, bob):
    first, second = send(api, ann, bob, "from ann"), send(api, bob, ann, "from bob")
    assert first["sender_profile"] == {"nick": "Ann", "avatar_url": "", "deleted": False}
    api.delete(f"/v1/users/{ann}")
    gone = {
        **first,
        "from": None,
        "sender_profile": {"nick": "", "avatar_url": "", "deleted": True},
    }
    left = {**second, "to": None}
    assert api.get(f"/v1/users/{bob}/messages").json["items"] == [left, gone]
    events = api.get(f"/v1/users/{bob}/events").json["items"]
    assert [event["message"] for event in events] == [gone, left]
    for message in (gone, left):
        assert api.get(f"/v1/messages/{message['id']}").json == message


def test_a_user_made_again_inherits_nothing(api, ann, bob):
    old = send(api, ann, bob, client_id="c")
    send(api, bob, ann)
    api.patch(f"/v1/users/{ann}/mute", {"until": "2099-01-01T00:00:00Z"})
    api.put(f"/v1/users/{ann}/tags/beta")
    api.delete(f"/v1/users/{ann}")
    made = api.put(f"/v1/users/{ann}", {"nick": "New"})
    assert (made.status, made.json["muted_until"]) == (201, None)
    assert api.get(f"/v1/users/{ann}/messages").json["items"] == []
    assert api.get(f"/v1/users/{ann}/events").json["last_seq"] == 0
    assert api.get(f"/v1/users/{ann}/tags").json["items"] == []
    assert api.get(f"/v1/messages/{old['id']}").json["from"] is None
    assert send(api, ann, bob, client_id="c")["id"] != old["id"]
    assert send(api, bob, ann)["to"] == ann


def test_user_delete_again_answers_with_the_same_receipt(api, ann):
    first = api.delete(f"/v1/users/{ann}")
    again = api.delete(f"/v1/users/{ann}")
    assert (again.status, again.json) == (200, first.json)
    api.put(f"/v1/users/{ann}", {})
    assert api.delete(f"/v1/users/{ann}").json["id"] != first.json["id"]


def test_user_delete_knows_no_stranger(api, db):
    with unchanged(db):
        reply = api.delete(f"/v1/users/nobody-{secrets.token_hex(4)}")
    assert (reply.status, reply.code) == (404, "user_unknown")


def test_user_delete_is_for_back_ends(api, ann, db):
    with unchanged(db):
        assert api.as_user(ann).delete(f"/v1/users/{ann}").code == "forbidden"


@pytest.mark.parametrize("name", ["0", "999999999", "x", "1x", "9" * 32])
def test_an_unknown_receipt_is_404(api, name):
    reply = api.get(f"/v1/erasures/{name}")
    assert (reply.status, reply.code) == (404, "erasure_unknown")


def test_receipts_are_for_back_ends(api, ann, bob):
    receipt = api.delete(f"/v1/users/{bob}").json
    assert api.as_user(ann).get(f"/v1/erasures/{receipt['id']}").code == "forbidden"


def test_what_the_request_had_no_time_for_is_removed_by_the_job(api, ann, bob, cluster, db):
    for _ in range(3):
        send(api, ann, bob)
    (receipt,) = db.execute("select id from duet.user_delete(%s)", (ann,)).fetchone()
    begun = api.get(f"/v1/erasures/{receipt}").json
    assert (begun["removed"], begun["finished_at"]) == ({"app_user": 1, "mailbox_head": 1}, None)
    with psycopg.connect(cluster.url("duet_owner"), autocommit=True) as owner:
        ended = begun
        while ended["finished_at"] is None:  # it is skipped where pg_cron is at it
            owner.execute("call duet.job_work('erasure_continue')")
            ended = api.get(f"/v1/erasures/{receipt}").json
    assert (ended["removed"]["mailbox"], ended["finished_at"] is None) == (3, False)


def test_deleting_again_goes_on_with_what_is_left(api, ann, bob, db):
    send(api, ann, bob)
    (receipt,) = db.execute("select id from duet.user_delete(%s)", (ann,)).fetchone()
    reply = api.delete(f"/v1/users/{ann}").json
    assert (reply["id"], reply["removed"]["mailbox"]) == (receipt, 1)
    assert reply["finished_at"] is not None


def test_a_large_mailbox_is_removed_in_pieces(api, ann, bob, db):
    send(api, ann, bob)
    db.execute(
        "insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing)"
        " select o.user_no, i, now(), p.user_no, 0, 0, 16, 0, false"
        " from duet.app_user o, duet.app_user p, generate_series(2, 50000) i"
        " where o.user_id = %s and p.user_id = %s",
        (ann, bob),
    )
    reply = api.delete(f"/v1/users/{ann}").json
    assert (reply["removed"]["mailbox"], reply["finished_at"] is None) == (50000, False)


def test_a_retry_with_the_key_of_a_message_to_one_who_is_gone(api, ann, bob):
    body, key = {"from": ann, "to": bob, "text": "hi"}, {"Idempotency-Key": secrets.token_hex(8)}
    first = api.post("/v1/messages", body, headers=key)
    api.delete(f"/v1/users/{bob}")
    reply = api.post("/v1/messages", body, headers=key)
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/to"])
    api.put(f"/v1/users/{bob}", {})
    reply = api.post("/v1/messages", body, headers=key)
    assert reply.status == 201
    assert reply.json["id"] != first.json["id"]
    assert api.post("/v1/messages", body, headers=key).json["id"] == reply.json["id"]
    other = {**body, "text": "something else"}
    assert api.post("/v1/messages", other, headers=key).code == "idempotency_key_reused"


def test_friends_blocks_and_requests_of_a_deleted_user_are_gone_on_both_sides(api, user):
    ann, bob, cid, dan = (user(nick=nick) for nick in ("Ann", "Bob", "Cid", "Dan"))
    api.put(f"/v1/users/{ann}/friends/{bob}", {})
    api.put(f"/v1/users/{cid}/blocks/{ann}")
    api.patch(f"/v1/users/{dan}", {"friend_policy": "approval"})
    assert api.post(f"/v1/users/{ann}/friend-requests", {"to": dan}).status < 300
    receipt = api.delete(f"/v1/users/{ann}").json
    assert receipt["removed"]["friend_request"] == 2
    for address in (f"{bob}/friends", f"{cid}/blocks", f"{dan}/friend-requests"):
        assert api.get(f"/v1/users/{address}").json["items"] == []
    api.put(f"/v1/users/{ann}", {})
    assert api.get(f"/v1/users/{ann}/friends").json["items"] == []
    assert api.get(f"/v1/users/{bob}/friends/{ann}").status == 404
