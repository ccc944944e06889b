"""GET /v1/users/{user}/events: the mailbox in the order of its entries."""

import datetime
import secrets

import pytest

from support import text_message


def events(api, user, **params):
    reply = api.get(f"/v1/users/{user}/events", params=params)
    assert reply.status == 200, reply
    return reply.json


@pytest.fixture
def mail(api, ann, bob):
    """12 messages from ann to bob."""
    return [api.post("/v1/messages", text_message(ann, bob, str(i))).json for i in range(12)]


def test_event_list_of_a_new_user_is_empty(api, ann):
    assert events(api, ann) == {"items": [], "last_seq": 0, "skipped": 0}


def test_event_list_is_the_mailbox_oldest_first(api, ann, bob, mail):
    for owner in (ann, bob):
        got = events(api, owner)
        assert (got["last_seq"], got["skipped"]) == (12, 0)
        assert [event["seq"] for event in got["items"]] == list(range(1, 13))
        assert {event["kind"] for event in got["items"]} == {"message"}
        assert [event["message"] for event in got["items"]] == mail
        assert [event["at"] for event in got["items"]] == [one["sent_at"] for one in mail]


def test_event_list_goes_on_after_a_position(api, bob, mail):
    got = events(api, bob, after=9)
    assert [event["seq"] for event in got["items"]] == [10, 11, 12]
    assert (got["last_seq"], got["skipped"]) == (12, 0)
    assert events(api, bob, after=12) == {"items": [], "last_seq": 12, "skipped": 0}


def test_event_list_beyond_the_end_is_empty(api, bob, mail):
    got = events(api, bob, after=9007199254740991)
    assert (got["items"], got["last_seq"], got["skipped"]) == ([], 12, 0)


@pytest.mark.parametrize("limit", [1, 5, 12, 200])
def test_a_device_that_follows_the_positions_gets_everything_once(api, bob, mail, limit):
    seen = []
    after = 0
    while True:
        got = events(api, bob, after=after, limit=limit)
        seen += [event["message"] for event in got["items"]]
        if not got["items"]:
            break
        after = got["items"][-1]["seq"]
    assert seen == mail


def test_event_list_says_what_it_left_out(api, ann, bob):
    kept_not = text_message(ann, bob, "gone", options={"store_seconds": 0})
    for body in (kept_not, kept_not, text_message(ann, bob, "kept"), kept_not):
        assert api.post("/v1/messages", body).status == 201
    got = events(api, bob)
    assert [event["seq"] for event in got["items"]] == [3]
    assert (got["last_seq"], got["skipped"]) == (4, 2)
    got = events(api, bob, after=3)
    assert (got["items"], got["last_seq"], got["skipped"]) == ([], 4, 1)


def test_event_list_of_a_user_who_is_unknown(api):
    reply = api.get(f"/v1/users/stranger-{secrets.token_hex(4)}/events")
    assert (reply.status, reply.code) == (404, "user_unknown")


@pytest.mark.parametrize(
    "params, pointer",
    [
        ({"after": -1}, "/after"),
        ({"after": "x"}, "/after"),
        ({"after": "1.0"}, "/after"),
        ({"after": "9223372036854775808"}, "/after"),
        ({"limit": 0}, "/limit"),
        ({"limit": 201}, "/limit"),
        ({"before": 3}, "/before"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(api, ann, params, pointer):
    reply = api.get(f"/v1/users/{ann}/events", params=params)
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", [pointer])


def test_a_device_reads_its_own_events_and_no_other(api, ann, bob, mail):
    assert len(events(api.as_user(bob), bob)["items"]) == 12
    reply = api.as_user(bob).get(f"/v1/users/{ann}/events")
    assert (reply.status, reply.code) == (403, "forbidden")


def test_every_kind_of_entry_is_shown(api, ann, bob):
    sent = api.post("/v1/messages", text_message(bob, ann)).json
    api.put(f"/v1/users/{ann}/conversations/{bob}/read", {"up_to": sent["id"]})
    api.patch(f"/v1/messages/{sent['id']}", {"text": "new"})
    api.put(f"/v1/users/{ann}/friends/{bob}", {"remark": "Bob"})
    api.patch(f"/v1/users/{ann}/friends/{bob}", {"remark": "Bobby"})
    api.patch(f"/v1/users/{bob}", {"nick": "Robert"})
    api.patch(f"/v1/users/{ann}/conversations/{bob}", {"muted": True})
    api.put(f"/v1/users/{ann}/blocks/{bob}")
    api.delete(f"/v1/users/{ann}/blocks/{bob}")
    api.delete(f"/v1/users/{ann}/friends/{bob}")
    api.delete(f"/v1/users/{ann}/messages/{sent['id']}")
    got = events(api, ann)
    assert [event["kind"] for event in got["items"]] == [
        "read",
        "message_edited",
        "friend_added",
        "friend_changed",
        "profile",
        "conversation",
        "block_added",
        "block_removed",
        "friend_removed",
        "message_deleted",
    ]
    # The message itself was removed: it is counted as left out.
    assert (got["last_seq"], got["skipped"], got["items"][0]["seq"]) == (11, 1, 2)
    by_kind = {event["kind"]: event for event in got["items"]}
    assert {event["peer"] for event in got["items"]} == {bob}
    assert by_kind["friend_changed"]["details"]["remark"] == "Bobby"
    assert by_kind["message_edited"]["message_id"] == sent["id"]
    theirs = [event["kind"] for event in events(api, bob)["items"]]
    # A block is nobody's business but that of who has blocked.
    assert theirs[:3] == ["message", "peer_read", "message_edited"]
    assert not {"block_added", "block_removed", "conversation", "message_deleted"} & set(theirs)


def test_imported_messages_are_no_events(api, ann, bob):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    item = {"from": ann, "to": bob, "text": "old", "sent_at": then.isoformat()}
    assert api.post("/v1/messages/import", {"messages": [item]}).status == 200
    assert events(api, bob) == {"items": [], "last_seq": 1, "skipped": 1}
    sent = api.post("/v1/messages", text_message(ann, bob)).json
    got = events(api, bob)
    assert ([event["message"] for event in got["items"]], got["skipped"]) == ([sent], 1)
