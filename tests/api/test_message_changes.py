"""PATCH and DELETE /v1/messages/{id}, its deliveries, and DELETE /v1/users/{user}/messages/{id}: what becomes
of a message after it was sent."""

import concurrent.futures

import pytest

from support import short, text_message
from support.database import unchanged
from support.mailbox import history, news

TEXT = [{"type": "text", "text": "new"}]


@pytest.fixture
def sent(api, ann, bob):
    """From ann to bob."""
    return api.post("/v1/messages", text_message(ann, bob, "old", custom_data="c")).json


@pytest.fixture
def late(db):
    """Makes users late from now on: late() sets recall_seconds to 0."""
    before = db.execute("select recall_seconds from duet.setting").fetchone()[0]
    yield lambda: db.execute("update duet.setting set recall_seconds = 0")
    db.execute("update duet.setting set recall_seconds = %s", [before])


# -- editing


def test_an_edited_message_is_new_for_both(api, ann, bob, sent):
    reply = api.patch(f"/v1/messages/{sent['id']}", {"text": "new"})
    assert reply.status == 200
    assert reply.json == {**sent, "elements": TEXT, "edited_at": reply.json["edited_at"]}
    assert reply.json["edited_at"] >= sent["sent_at"]
    assert api.get(f"/v1/messages/{sent['id']}").json == reply.json
    for user in (ann, bob):
        assert history(api, user) == [reply.json]
        (item,) = news(api, user)
        assert (item["kind"], item["message"]) == ("message_edited", reply.json)
        assert (item["seq"], "message_id" in item) == (2, False)


def test_elements_and_custom_data_change_each_by_itself(api, sent):
    path = f"/v1/messages/{sent['id']}"
    location = [{"type": "location", "latitude": 53.8, "longitude": -1.55}]
    assert api.patch(path, {"elements": location}).json["elements"] == location
    changed = api.patch(path, {"custom_data": "d"}).json
    assert (changed["elements"], changed["custom_data"]) == (location, "d")
    assert api.patch(path, {"custom_data": None}).json["custom_data"] is None
    assert api.get(path).json["elements"] == location


def test_the_same_edit_again_changes_nothing(api, db, ann, sent):
    path = f"/v1/messages/{sent['id']}"
    first = api.patch(path, {"text": "new"})
    with unchanged(db):
        again = api.patch(path, {"text": "new"})
    assert again.json == first.json
    assert len(news(api, ann)) == 1


@pytest.mark.parametrize(
    "body, pointers",
    [
        ({}, []),
        ({"text": None}, []),
        ({"text": ""}, ["/text"]),
        ({"text": "a", "elements": TEXT}, ["/text"]),
        ({"elements": []}, ["/elements"]),
        ({"elements": [{"type": "text"}]}, ["/elements/0/text"]),
        ({"elements": [{"type": "song"}]}, ["/elements/0/type"]),
        ({"custom_data": "x" * 4097}, ["/custom_data"]),
        ({"to": "bob"}, ["/to"]),
        ({"state": "recalled"}, ["/state"]),
    ],
    ids=short,
)
def test_a_wrong_edit_is_refused_by_name(api, db, sent, body, pointers):
    with unchanged(db):
        reply = api.patch(f"/v1/messages/{sent['id']}", body)
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", pointers)


def test_an_edit_that_is_too_long_is_refused(api, db, sent):
    with unchanged(db):
        for body in ({"text": "x" * 12288}, {"elements": [{"type": "text", "text": '"' * 7000}]}):
            reply = api.patch(f"/v1/messages/{sent['id']}", body)
            assert (reply.status, reply.code) == (413, "body_too_large")
            assert reply.pointers == [f"/{name}" for name in body]


# -- recalling


def test_a_recalled_message_says_nothing_to_anybody(api, ann, bob, sent):
    reply = api.delete(f"/v1/messages/{sent['id']}")
    assert reply.status == 200
    assert reply.json == {**sent, "elements": [], "custom_data": None, "state": "recalled"}
    for user in (ann, bob):
        assert history(api, user) == [reply.json]
        (item,) = news(api, user)
        assert (item["kind"], item["message"]) == ("message_recalled", reply.json)
        first = api.get(f"/v1/users/{user}/events").json["items"][0]
        assert (first["kind"], first["message"]) == ("message", reply.json)


def test_a_message_can_be_recalled_twice_and_not_edited_then(api, db, sent):
    path = f"/v1/messages/{sent['id']}"
    first = api.delete(path)
    with unchanged(db):
        assert api.delete(path).json == first.json
        reply = api.patch(path, {"text": "new"})
    assert (reply.status, reply.code) == (409, "message_recalled")


def test_a_retry_of_a_recalled_message_does_not_bring_it_back(api, ann, bob):
    body = text_message(ann, bob, client_id="one")
    sent = api.post("/v1/messages", body).json
    api.delete(f"/v1/messages/{sent['id']}")
    again = api.post("/v1/messages", body)
    assert (again.status, again.json["id"], again.json["state"]) == (200, sent["id"], "recalled")


def test_of_edits_and_a_recall_at_once_the_recall_wins(api, ann, bob, sent):
    path = f"/v1/messages/{sent['id']}"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        edits = [pool.submit(api.patch, path, {"text": str(i)}) for i in range(12)]
        recalls = [pool.submit(api.delete, path) for _ in range(2)]
        statuses = {one.result().status for one in edits}
    assert statuses <= {200, 409}
    assert all(one.result().json["state"] == "recalled" for one in recalls)
    assert api.get(path).json["elements"] == []
    for user in (ann, bob):
        kinds = [item["kind"] for item in news(api, user)]
        assert kinds.count("message_recalled") == 1
        assert kinds[-1] == "message_recalled"


# -- who may


@pytest.mark.parametrize("change", ["edit", "recall"])
def test_a_device_changes_what_its_user_has_sent_for_a_while(api, db, user, ann, bob, late, change):
    sent = api.post("/v1/messages", text_message(ann, bob)).json
    path = f"/v1/messages/{sent['id']}"

    def do(caller):
        return caller.patch(path, {"text": "new"}) if change == "edit" else caller.delete(path)

    strangers = [user(), "user-nobody"]
    with unchanged(db):
        refused = do(api.as_user(bob))
        assert (refused.status, refused.code) == (403, "forbidden")
        for stranger in strangers:
            refused = do(api.as_user(stranger))
            assert (refused.status, refused.code) == (404, "message_unknown")
    late()
    with unchanged(db):
        refused = do(api.as_user(ann))
    assert (refused.status, refused.code) == (409, f"{change}_too_late")
    assert do(api).status == 200


@pytest.mark.parametrize("change", ["edit", "recall"])
def test_a_device_may_change_in_time(api, ann, sent, change):
    device = api.as_user(ann)
    path = f"/v1/messages/{sent['id']}"
    reply = device.patch(path, {"text": "new"}) if change == "edit" else device.delete(path)
    assert reply.status == 200


def test_messages_of_an_unknown_id_cannot_be_changed(api, db, sent):
    wrong = sent["id"][:-1] + ("A" if sent["id"][-1] != "A" else "E")
    with unchanged(db):
        for unknown in (wrong, "AQIBAQHOubjG2ZyYA0HreSU", "x"):
            for reply in (
                api.patch(f"/v1/messages/{unknown}", {"text": "new"}),
                api.delete(f"/v1/messages/{unknown}"),
                api.get(f"/v1/messages/{unknown}/deliveries"),
            ):
                assert (reply.status, reply.code) == (404, "message_unknown")


def test_a_device_reads_single_messages_of_its_own_user(api, user, ann, bob, sent):
    path = f"/v1/messages/{sent['id']}"
    assert api.as_user(ann).get(path).json == sent
    assert api.as_user(bob).get(path).json == sent
    reply = api.as_user(user()).get(path)
    assert (reply.status, reply.code) == (404, "message_unknown")


# -- removing from one side


def test_a_removed_message_is_gone_from_one_side(api, ann, bob, sent):
    other = api.post("/v1/messages", text_message(bob, ann)).json
    path = f"/v1/users/{bob}/messages/{sent['id']}"
    assert api.as_user(bob).delete(path).status == 204
    assert history(api, bob) == [other]
    assert history(api, ann) == [other, sent]
    assert api.get(f"/v1/messages/{sent['id']}").json == sent
    assert api.as_user(bob).get(f"/v1/messages/{sent['id']}").status == 404
    items = api.get(f"/v1/users/{bob}/events").json["items"]
    assert [item["kind"] for item in items] == ["message", "message_deleted"]
    assert (items[1]["message_id"], items[1]["peer"]) == (sent["id"], ann)
    assert news(api, ann) == []


def test_a_message_can_be_removed_twice(api, db, bob, sent):
    path = f"/v1/users/{bob}/messages/{sent['id']}"
    assert api.delete(path).status == 204
    with unchanged(db):
        assert api.delete(path).status == 204


def test_a_message_removed_by_both_is_unknown(api, ann, bob, sent):
    for user in (ann, bob):
        assert api.delete(f"/v1/users/{user}/messages/{sent['id']}").status == 204
    for reply in (api.get(f"/v1/messages/{sent['id']}"), api.delete(f"/v1/messages/{sent['id']}")):
        assert (reply.status, reply.code) == (404, "message_unknown")


def test_who_has_removed_a_message_learns_nothing_more_of_it(api, ann, bob, sent):
    api.delete(f"/v1/users/{bob}/messages/{sent['id']}")
    assert api.delete(f"/v1/messages/{sent['id']}").json["state"] == "recalled"
    assert [item["kind"] for item in news(api, bob)] == ["message_deleted"]
    assert [item["kind"] for item in news(api, ann)] == ["message_recalled"]


def test_an_edit_of_a_message_that_was_removed_later_names_it(api, bob, sent):
    api.patch(f"/v1/messages/{sent['id']}", {"text": "new"})
    api.delete(f"/v1/users/{bob}/messages/{sent['id']}")
    edited = news(api, bob)[0]
    assert (edited["kind"], edited["message_id"]) == ("message_edited", sent["id"])
    assert "message" not in edited


def test_messages_of_others_cannot_be_removed(api, db, user, ann, bob, sent):
    stranger = user()
    with unchanged(db):
        reply = api.delete(f"/v1/users/{stranger}/messages/{sent['id']}")
        assert (reply.status, reply.code) == (404, "message_unknown")
        reply = api.delete(f"/v1/users/user-nobody/messages/{sent['id']}")
        assert (reply.status, reply.code) == (404, "user_unknown")
        reply = api.as_user(ann).delete(f"/v1/users/{bob}/messages/{sent['id']}")
        assert (reply.status, reply.code) == (403, "forbidden")


# -- deliveries


def test_deliveries_say_whether_a_message_is_read(api, ann, bob, sent):
    path = f"/v1/messages/{sent['id']}/deliveries"
    expected = {"to": bob, "stored_at": sent["sent_at"], "read": False, "devices": []}
    assert api.get(path).json == expected
    api.put(f"/v1/users/{bob}/conversations/{ann}/read", {"up_to": sent["id"]})
    assert api.get(path).json == {**expected, "read": True}


def test_only_its_sender_is_told_of_deliveries(api, user, ann, bob, sent):
    path = f"/v1/messages/{sent['id']}/deliveries"
    assert api.as_user(ann).get(path).status == 200
    reply = api.as_user(bob).get(path)
    assert (reply.status, reply.code) == (403, "forbidden")
    reply = api.as_user(user()).get(path)
    assert (reply.status, reply.code) == (404, "message_unknown")


# -- notifications


@pytest.fixture
def notified(api, server, user, ann, bob):
    """A notification from somebody to ann and bob; its sender and path."""
    sender = user()
    body = {"from": sender, "to": {"users": [ann, bob]}, "text": "old", "custom_data": "c"}
    made = api.post("/v1/notifications", body)
    assert made.status == 202, made
    path = f"/v1/notifications/{made.json['id']}"
    server.wait_until(lambda: api.get(path).json["state"] == "done", what="the delivery")
    return sender, path


def test_one_copy_of_a_notification_can_be_changed(api, ann, bob, notified):
    (anns,), (bobs,) = history(api, ann), history(api, bob)
    edited = api.patch(f"/v1/messages/{anns['id']}", {"text": "new"}).json
    assert (edited["elements"], edited["custom_data"]) == (TEXT, "c")
    assert history(api, ann) == [edited]
    assert history(api, bob) == [bobs]
    assert api.delete(f"/v1/messages/{bobs['id']}").json["state"] == "recalled"
    assert (history(api, bob)[0]["elements"], history(api, ann)) == ([], [edited])
    assert [item["kind"] for item in news(api, ann)] == ["message_edited"]
    assert [item["kind"] for item in news(api, bob)] == ["message_recalled"]


def test_a_recalled_notification_is_not_unread(api, ann, notified):
    sender, path = notified
    expected = {"total": 1, "items": [{"peer": sender, "unread": 1}]}
    assert api.get(f"/v1/users/{ann}/unread").json == expected
    assert api.post(f"{path}/recall").status == 200
    assert api.get(f"/v1/users/{ann}/unread").json == {"total": 0, "items": []}
    (one,) = api.get(f"/v1/users/{ann}/conversations").json["items"]
    assert (one["unread"], one["last_message"]["state"]) == (0, "recalled")
