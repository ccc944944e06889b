"""GET /v1/users/{user}/events: the mailbox in the order of its entries."""

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
