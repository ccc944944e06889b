"""POST /v1/messages/batch, POST /v1/messages/import, and ?validate_only=true on all that send."""

import datetime
import json
import secrets

import pytest

from support import text_message
from support.database import unchanged

DAY = datetime.timedelta(days=1)


def batch(sender, receivers, **more):
    return {"from": sender, "to": receivers, "text": "hi all", **more}


def at(moment):
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def past(sender, receiver, text="then", ago=DAY, **more):
    return {"from": sender, "to": receiver, "text": text, "sent_at": at(now() - ago), **more}


def texts(api, user, peer, **params):
    page = api.get(f"/v1/users/{user}/messages", params={"peer": peer, **params}).json
    return [item["elements"][0]["text"] for item in page["items"]]


# -- batches


def test_each_receiver_gets_the_message(api, user, ann):
    receivers = [user() for _ in range(5)]
    reply = api.post("/v1/messages/batch", batch(ann, receivers, custom_data="c"))
    assert reply.status == 200
    assert [one["to"] for one in reply.json["results"]] == receivers
    for one in reply.json["results"]:
        assert one["status"] == 201
        assert one["message"]["custom_data"] == "c"
        stored = api.get(f"/v1/messages/{one['message']['id']}").json
        assert stored == one["message"]
        assert texts(api, one["to"], ann) == ["hi all"]


def test_a_batch_may_have_500_receivers_and_no_more(api, user, ann):
    receivers = [user() for _ in range(500)]
    reply = api.post("/v1/messages/batch", batch(ann, receivers))
    assert {one["status"] for one in reply.json["results"]} == {201}
    reply = api.post("/v1/messages/batch", batch(ann, [f"u{n}" for n in range(501)]))
    assert (reply.status, reply.pointers) == (400, ["/to"])


def test_one_receiver_that_cannot_be_does_not_keep_the_others_from_it(api, ann, bob):
    reply = api.post("/v1/messages/batch", batch(ann, ["nobody-" + secrets.token_hex(4), bob]))
    unknown, known = reply.json["results"]
    assert (unknown["status"], unknown["problem"]["code"]) == (404, "user_unknown")
    assert "message" not in unknown and "problem" not in known
    assert known["status"] == 201
    assert texts(api, bob, ann) == ["hi all"]


def test_who_has_blocked_the_sender_refuses_alone(api, user, ann, bob):
    carol = user()
    assert api.put(f"/v1/users/{bob}/blocks/{ann}", {}).status == 201
    reply = api.as_user(ann).post("/v1/messages/batch", batch(ann, [bob, carol]))
    refused, sent = reply.json["results"]
    assert (refused["status"], refused["problem"]["code"]) == (403, "blocked_by_recipient")
    assert sent["status"] == 201


def test_a_sender_nobody_knows_is_the_error_of_the_whole(api, db, ann):
    with unchanged(db):
        reply = api.as_user("ghost").post("/v1/messages/batch", batch("ghost", [ann]))
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/from"])


def test_each_receiver_stands_there_once_and_the_sender_does_not(api, db, ann, bob):
    with unchanged(db):
        reply = api.post("/v1/messages/batch", batch(ann, [ann, "x" * 65]))
    assert (reply.status, reply.pointers) == (400, ["/to/0", "/to/1"])
    with unchanged(db):
        reply = api.post("/v1/messages/batch", batch(ann, [ann, ann]))
    assert (reply.status, reply.pointers) == (400, ["/to/0", "/to/1"])
    reply = api.post("/v1/messages/batch", batch(ann, ["", bob, ann, bob, "x" * 65]))
    results = reply.json["results"]
    assert [(one["to"], one["status"]) for one in results] == [
        ("", 400), (bob, 201), (ann, 400), (bob, 400), ("x" * 65, 400)]
    details = [one["problem"]["errors"] for one in results if "problem" in one]
    assert [[error["pointer"] for error in errors] for errors in details] == [["/to/0"], ["/to/2"], ["/to/3"], ["/to/4"]]
    assert len(texts(api, bob, ann)) == 1


def test_a_message_that_is_wrong_is_sent_to_nobody(api, db, ann, bob):
    with unchanged(db):
        reply = api.post("/v1/messages/batch", {**batch(ann, [bob, ann]), "elements": []})
    assert (reply.status, reply.pointers) == (400, ["/elements", "/to/1"])


def test_content_that_is_too_long_is_refused(api, db, ann, bob):
    with unchanged(db):
        reply = api.post("/v1/messages/batch", batch(ann, [bob], text="x" * 12288))
    assert (reply.status, reply.code, reply.pointers) == (413, "body_too_large", ["/text"])


def test_a_user_token_sends_a_batch_for_its_own_user_alone(api, db, ann, bob):
    assert api.as_user(ann).post("/v1/messages/batch", batch(ann, [bob])).status == 200
    with unchanged(db):
        reply = api.as_user(bob).post("/v1/messages/batch", batch(ann, [bob]))
    assert (reply.status, reply.code) == (403, "forbidden")


def test_a_batch_repeated_with_its_key_is_sent_once(api, db, user, ann, bob):
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    body = batch(ann, [bob, user()])
    first = api.post("/v1/messages/batch", body, headers=headers)
    with unchanged(db):
        again = api.post("/v1/messages/batch", body, headers=headers)
        other = api.post("/v1/messages/batch", batch(ann, [bob]), headers=headers)
    assert first.headers["Idempotency-Replayed"] is None
    assert (again.status, again.json) == (200, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_a_batch_repeated_with_its_client_id_is_sent_once(api, user, ann, bob):
    body = batch(ann, [bob, user()], client_id=secrets.token_hex(8))
    first = api.post("/v1/messages/batch", body).json["results"]
    again = api.post("/v1/messages/batch", {**body, "to": [*body["to"], user()]}).json["results"]
    assert [one["status"] for one in again] == [200, 200, 201]
    assert [one["message"] for one in again[:2]] == [one["message"] for one in first]


# -- imports


def test_imported_messages_have_their_own_times(api, ann, bob):
    items = [past(ann, bob, "one", 3 * DAY), past(bob, ann, "two", 2 * DAY, custom_data="c")]
    reply = api.post("/v1/messages/import", {"messages": items})
    assert [one["status"] for one in reply.json["results"]] == [201, 201]
    for item, one in zip(items, reply.json["results"]):
        stored = api.get(f"/v1/messages/{one['id']}").json
        assert (stored["from"], stored["to"], stored["sent_at"]) == (
            item["from"],
            item["to"],
            item["sent_at"],
        )
    for user, peer in ((ann, bob), (bob, ann)):
        assert texts(api, user, peer, order="oldest") == ["one", "two"]


def test_what_was_imported_stands_before_what_is_sent(api, ann, bob):
    api.post("/v1/messages", text_message(ann, bob, "now"))
    api.post("/v1/messages/import", {"messages": [past(ann, bob, "then", 2 * DAY)]})
    assert texts(api, bob, ann) == ["now", "then"]
    assert texts(api, bob, ann, order="oldest") == ["then", "now"]


@pytest.mark.parametrize(
    "ago, code",
    [(7 * DAY + datetime.timedelta(minutes=1), "too_old"), (-datetime.timedelta(minutes=5), "in_future")],
)
def test_an_item_of_another_time_is_refused_alone(api, ann, bob, ago, code):
    items = [past(ann, bob, "wrong", ago), past(ann, bob, "right")]
    wrong, right = api.post("/v1/messages/import", {"messages": items}).json["results"]
    assert (wrong["status"], wrong["problem"]["code"]) == (400, code)
    assert right["status"] == 201
    assert texts(api, bob, ann) == ["right"]


def test_an_item_of_an_unknown_user_is_refused_alone(api, ann, bob):
    items = [past("nobody-" + secrets.token_hex(4), bob), past(ann, bob, "right")]
    wrong, right = api.post("/v1/messages/import", {"messages": items}).json["results"]
    assert (wrong["status"], wrong["problem"]["code"], right["status"]) == (404, "user_unknown", 201)


def test_every_wrong_field_of_an_import_is_named(api, db, ann, bob):
    items = [
        past(ann, ann),
        {**past(ann, bob), "elements": [{"type": "text", "text": "x"}]},
        {"from": ann, "to": bob, "sent_at": "yesterday"},
    ]
    pointers = ["/messages/0/to", "/messages/1/text", "/messages/2/sent_at"]
    with unchanged(db):
        reply = api.post("/v1/messages/import", {"messages": items})
    assert (reply.status, reply.pointers) == (400, [*pointers, "/messages/2/elements"])
    results = api.post("/v1/messages/import", {"messages": [*items, past(ann, bob)]}).json["results"]
    assert [one["status"] for one in results] == [400, 400, 400, 201]
    assert [one["problem"]["errors"][0]["pointer"] for one in results[:3]] == pointers
    assert len(texts(api, bob, ann)) == 1


def test_an_import_repeated_with_its_key_tells_again_what_was_wrong(api, db, ann, bob):
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"messages": [past(ann, ann), past(ann, bob)]}
    first = api.post("/v1/messages/import", body, headers=headers)
    with unchanged(db):
        again = api.post("/v1/messages/import", body, headers=headers)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert [one["status"] for one in first.json["results"]] == [400, 201]


def test_an_imported_text_is_no_longer_than_one_that_is_sent(api, db, ann, bob):
    items = [past(ann, bob), past(ann, bob, "x" * 12288)]
    with unchanged(db):
        reply = api.post("/v1/messages/import", {"messages": items[1:]})
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert reply.pointers == ["/messages/0/text"]
    results = api.post("/v1/messages/import", {"messages": items}).json["results"]
    assert [one["status"] for one in results] == [201, 413]


def test_an_import_can_be_repeated(api, ann, bob):
    items = [past(ann, bob, str(n), client_id=secrets.token_hex(8)) for n in range(3)]
    first = api.post("/v1/messages/import", {"messages": items[:2]}).json["results"]
    again = api.post("/v1/messages/import", {"messages": items}).json["results"]
    assert [one["status"] for one in again] == [200, 200, 201]
    assert [one["id"] for one in again[:2]] == [one["id"] for one in first]
    assert texts(api, bob, ann, order="oldest") == ["0", "1", "2"]


def test_no_user_token_imports(api, db, ann, bob):
    with unchanged(db):
        reply = api.as_user(ann).post("/v1/messages/import", {"messages": [past(ann, bob)]})
    assert (reply.status, reply.code) == (403, "forbidden")


# -- rehearsals


def test_a_rehearsed_send_shows_the_message_and_stores_none(api, db, ann, bob):
    with unchanged(db):
        reply = api.post("/v1/messages?validate_only=true", text_message(ann, bob))
    assert (reply.status, reply.json["id"], reply.json["to"]) == (200, None, bob)


def test_a_rehearsed_send_is_refused_as_a_send_is(api, db, ann, bob):
    api.put(f"/v1/users/{bob}/blocks/{ann}", {})
    with unchanged(db):
        blocked = api.as_user(ann).post("/v1/messages?validate_only=true", text_message(ann, bob))
        unknown = api.post("/v1/messages?validate_only=true", text_message(ann, "ghost"))
        wrong = api.post("/v1/messages?validate_only=true", text_message(ann, ann))
    assert (blocked.status, blocked.code) == (403, "blocked_by_recipient")
    assert (unknown.status, unknown.pointers) == (404, ["/to"])
    assert (wrong.status, wrong.pointers) == (400, ["/to"])


def test_rehearsed_and_real_sends_do_not_disturb_each_other(api, ann, bob):
    for n in range(10):
        api.post("/v1/messages?validate_only=true", text_message(ann, bob, "not this"))
        api.post("/v1/messages", text_message(ann, bob, str(n)))
    assert texts(api, bob, ann, order="oldest") == [str(n) for n in range(10)]


def test_a_rehearsed_batch_and_import_say_what_would_become_of_each(api, db, ann, bob):
    with unchanged(db):
        sent = api.post("/v1/messages/batch?validate_only=true", batch(ann, [bob, "ghost"]))
        stored = api.post(
            "/v1/messages/import?validate_only=true",
            {"messages": [past(ann, bob), past(ann, bob, ago=8 * DAY)]},
        )
    assert [one["status"] for one in sent.json["results"]] == [201, 404]
    assert [one["status"] for one in stored.json["results"]] == [201, 400]
    for one in sent.json["results"] + stored.json["results"]:
        assert not {"message", "id"} & one.keys()


# -- the audit


def test_batches_and_imports_leave_a_trace_without_contents(api, db, ann, bob):
    secret = secrets.token_hex(8)
    api.post("/v1/messages/batch", batch(ann, [bob], text=secret))
    api.post("/v1/messages/import", {"messages": [past(ann, bob, secret)]})
    rows = db.execute(
        "select to_json(a)::text from duet.audit_entry a order by at desc limit 2"
    ).fetchall()
    assert [json.loads(row[0])["operation"] for row in rows] == ["message_import", "message_batch"]
    assert not any(secret in row[0] for row in rows)
