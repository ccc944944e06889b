"""GET /v1/users/{user}/messages: the roaming history."""

import datetime
import secrets

import pytest

from support import short, text_message
from support.client import quoted


@pytest.fixture
def talk(api, user):
    """ann with bob and eve in turn: 30 messages, some each way. Their texts are 0 to 29."""
    ann, bob, eve = user(), user(), user()
    pairs = [(ann, bob), (bob, ann), (ann, eve), (eve, ann), (ann, bob)] * 6
    sent = [
        api.post("/v1/messages", text_message(*pair, str(i))).json for i, pair in enumerate(pairs)
    ]
    return ann, bob, eve, sent


def page(api, user, **params):
    reply = api.get(f"/v1/users/{quoted(user)}/messages", params=params)
    assert reply.status == 200, reply
    return reply.json


def pages(api, user, limit, **params):
    """All items, by cursor."""
    items = []
    cursor = None
    while True:
        one = page(api, user, limit=limit, **params, **({"cursor": cursor} if cursor else {}))
        assert len(one["items"]) <= limit
        items += one["items"]
        cursor = one["next_cursor"]
        if cursor is None:
            return items
        assert len(one["items"]) == limit


def test_message_list_is_empty_for_a_new_user(api, ann):
    assert page(api, ann) == {"items": [], "next_cursor": None}


def test_message_list_shows_both_directions_newest_first(api, talk):
    ann, _, _, sent = talk
    assert page(api, ann) == {"items": sent[::-1], "next_cursor": None}
    assert page(api, ann, order="newest")["items"] == sent[::-1]
    assert page(api, ann, order="oldest")["items"] == sent


def test_message_list_with_one_peer(api, talk):
    ann, bob, eve, sent = talk
    with_bob = [message for message in sent if bob in (message["from"], message["to"])]
    assert page(api, ann, peer=bob, order="oldest")["items"] == with_bob
    assert page(api, bob, order="oldest")["items"] == with_bob
    assert page(api, bob, peer=eve)["items"] == []


def test_message_list_with_a_stranger_is_empty(api, talk):
    ann = talk[0]
    stranger = f"stranger-{secrets.token_hex(4)}"
    assert page(api, ann, peer=stranger) == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 7, 10, 30, 200])
def test_pages_join_without_gap_or_repeat(api, talk, order, limit):
    ann, bob, _, sent = talk
    expected = sent if order == "oldest" else sent[::-1]
    assert pages(api, ann, limit, order=order) == expected
    with_bob = [message for message in expected if bob in (message["from"], message["to"])]
    assert pages(api, ann, limit, order=order, peer=bob) == with_bob


def test_pages_hold_while_messages_arrive(api, talk):
    ann, bob, _, sent = talk
    first = page(api, ann, limit=10)
    later = api.post("/v1/messages", text_message(bob, ann, "later")).json
    second = page(api, ann, limit=10, cursor=first["next_cursor"])
    assert first["items"] + second["items"] == sent[::-1][:20]
    third = page(api, ann, limit=30, order="oldest")
    assert third["items"] == sent
    rest = page(api, ann, limit=30, order="oldest", cursor=third["next_cursor"])
    assert rest["items"] == [later]


def test_message_list_since_is_inclusive_and_until_is_not(api, talk):
    ann, _, _, sent = talk
    since, until = sent[10]["sent_at"], sent[20]["sent_at"]
    expected = [message for message in sent if since <= message["sent_at"] < until]
    got = page(api, ann, since=since, until=until, order="oldest")["items"]
    # Times are kept finer than the milliseconds that are shown.
    ids = [message["id"] for message in got]
    assert set(ids) <= {m["id"] for m in sent if since <= m["sent_at"] <= until}
    assert set(ids) >= {m["id"] for m in expected if m["sent_at"] > since}
    assert got == [message for message in sent if message["id"] in ids]


def test_message_list_takes_times_with_an_offset(api, talk):
    ann, _, _, sent = talk
    hour = datetime.timedelta(hours=1)
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=45))
    now = datetime.datetime.now(zone)
    before, after = (now - hour).isoformat(), (now + hour).isoformat()
    assert page(api, ann, since=before, until=after)["items"] == sent[::-1]
    assert page(api, ann, since=after)["items"] == []
    assert page(api, ann, until=before)["items"] == []


def test_message_list_of_a_user_who_is_unknown(api):
    reply = api.get(f"/v1/users/stranger-{secrets.token_hex(4)}/messages")
    assert (reply.status, reply.code) == (404, "user_unknown")


@pytest.mark.parametrize(
    "params, pointer",
    [
        ({"limit": 0}, "/limit"),
        ({"limit": 201}, "/limit"),
        ({"limit": "ten"}, "/limit"),
        ({"limit": "10 "}, "/limit"),
        ({"limit": "1e1"}, "/limit"),
        ({"limit": ""}, "/limit"),
        ({"limit": "99999999999999999999"}, "/limit"),
        ({"order": "random"}, "/order"),
        ({"order": ""}, "/order"),
        ({"since": "yesterday"}, "/since"),
        ({"since": "2026-02-30T00:00:00Z"}, "/since"),
        ({"until": "2026-01-01"}, "/until"),
        ({"until": "2026-01-01T00:00:00"}, "/until"),
        ({"peer": ""}, "/peer"),
        ({"peer": "x" * 65}, "/peer"),
        ({"peer": "a\tb"}, "/peer"),
        ({"peers": "bob"}, "/peers"),
        ({"Limit": 5}, "/Limit"),
    ],
    ids=short,
)
def test_a_wrong_parameter_is_refused_by_name(api, ann, params, pointer):
    reply = api.get(f"/v1/users/{ann}/messages", params=params)
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", [pointer])


def test_a_parameter_given_twice_is_refused(api, ann):
    reply = api.get(f"/v1/users/{ann}/messages?limit=1&limit=2")
    assert (reply.status, reply.code) == (400, "invalid_request")


@pytest.mark.parametrize(
    "cursor", ["x", "0", "-1", "AAAA", "1_1", "x" * 128, "%25", "null", "1.2.3"], ids=short
)
def test_a_cursor_that_was_never_given_is_refused(api, ann, cursor):
    reply = api.get(f"/v1/users/{ann}/messages?cursor={cursor}")
    assert (reply.status, reply.code) in (
        (400, "cursor_invalid"),
        (400, "invalid_request"),
    )


def test_a_cursor_of_another_user_shows_nothing_of_that_user(api, talk, user):
    ann, _, _, sent = talk
    other = user()
    cursor = page(api, ann, limit=3)["next_cursor"]
    reply = api.get(f"/v1/users/{other}/messages", params={"cursor": cursor})
    assert reply.status in (200, 400)
    assert not any(message["id"] in reply.text for message in sent)


def test_a_device_reads_its_own_history_and_no_other(api, talk):
    ann, bob, _, sent = talk
    device = api.as_user(ann)
    assert page(device, ann)["items"] == sent[::-1]
    reply = device.get(f"/v1/users/{bob}/messages")
    assert (reply.status, reply.code) == (403, "forbidden")
