"""GET /v1/users/{user}/messages: the roaming history."""

import concurrent.futures
import datetime
import secrets
import threading

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


# -- by days


def days_ago(days):
    """A time of that day (of UTC), near its noon."""
    noon = datetime.datetime.now(datetime.timezone.utc).replace(hour=12, minute=0, second=0)
    return (noon - datetime.timedelta(days=days)).isoformat()


def bring(api, sender, receiver, days, text):
    item = {"from": sender, "to": receiver, "text": text, "sent_at": days_ago(days)}
    reply = api.post("/v1/messages/import", {"messages": [item]})
    assert [one["status"] for one in reply.json["results"]] == [201], reply


def texts(items):
    return [item["elements"][0]["text"] for item in items]


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_what_is_imported_lies_on_its_own_day(api, ann, bob, user, limit):
    eve = user()
    api.post("/v1/messages", text_message(ann, bob, "today"))
    bring(api, bob, ann, 2, "two")
    bring(api, eve, ann, 5, "five")
    bring(api, ann, bob, 3, "three")
    bring(api, ann, bob, 2, "two again")
    api.post("/v1/messages", text_message(bob, ann, "now"))
    expected = ["five", "three", "two", "two again", "today", "now"]
    assert texts(pages(api, ann, limit, order="oldest")) == expected
    assert texts(pages(api, ann, limit)) == expected[::-1]
    assert texts(pages(api, ann, limit, order="oldest", peer=bob)) == expected[1:]
    assert texts(pages(api, ann, limit, order="newest", peer=eve)) == ["five"]
    since, until = days_ago(3).replace("T12", "T00"), days_ago(1)
    some = pages(api, ann, limit, order="oldest", since=since, until=until)
    assert texts(some) == expected[1:4]


@pytest.mark.parametrize("with_peer", [False, True])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_walks_meet_everything_once_while_messages_and_imports_arrive(
    api, ann, bob, order, with_peer
):
    for n in range(12):
        bring(api, ann, bob, n % 4 + 1, f"old {n}")
        api.post("/v1/messages", text_message(bob, ann, f"new {n}"))
    there = set(texts(pages(api, ann, 200)))
    stop = threading.Event()

    def arrive(one):
        n = 0
        while not stop.is_set():
            one(n)
            n += 1

    params = {"order": order, **({"peer": bob} if with_peer else {})}
    arrivals = [
        lambda n: api.post("/v1/messages", text_message(ann, bob, f"sent {n}")),
        lambda n: api.post("/v1/messages", text_message(bob, ann, f"got {n}")),
        lambda n: bring(api, bob, ann, n % 5 + 1, f"brought {n}"),
    ]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        running = [pool.submit(arrive, one) for one in arrivals]
        try:
            for limit in (1, 3, 7):
                walk = []
                cursor = None
                # Bounded: in the order oldest first there is always more to come.
                while not there <= set(texts(walk)) and len(walk) < 2000:
                    more = {"cursor": cursor} if cursor else {}
                    one = page(api, ann, limit=limit, **params, **more)
                    walk += one["items"]
                    cursor = one["next_cursor"]
                    if cursor is None:
                        break
                assert there <= set(texts(walk))
                ids = [message["id"] for message in walk]
                assert len(ids) == len(set(ids))
                days = [message["sent_at"][:10] for message in walk]
                assert days == sorted(days, reverse=order == "newest")
        finally:
            stop.set()
        for one in running:
            one.result()


def test_history_goes_on_before_a_message(api, ann, bob):
    ids = [api.post("/v1/messages", text_message(ann, bob, str(i))).json["id"] for i in range(4)]
    for user in (ann, bob):
        older = api.get(f"/v1/users/{user}/messages", params={"before": ids[2]}).json["items"]
        assert [one["id"] for one in older] == [ids[1], ids[0]]
        newer = api.get(f"/v1/users/{user}/messages", params={"before": ids[2], "order": "oldest"}).json["items"]
        assert [one["id"] for one in newer] == [ids[3]]


def test_a_message_of_others_is_none_to_go_on_before(api, ann, bob, user):
    sent = api.post("/v1/messages", text_message(ann, bob)).json["id"]
    assert api.get(f"/v1/users/{user()}/messages", params={"before": sent}).code == "message_unknown"


def test_a_message_is_found_by_the_key_that_the_history_tells(api, ann, bob, user):
    sent = api.post("/v1/messages", text_message(ann, bob, client_id="12_34")).json
    (told,) = api.get(f"/v1/users/{ann}/messages", params={"verbose": "true"}).json["items"]
    assert told["key"].startswith("12_34_") and told["read"] is False
    for pair in ((ann, bob), (bob, ann)):
        path = f"/v1/users/{pair[0]}/conversations/{pair[1]}/messages/{told['key']}"
        assert api.get(path).json["id"] == sent["id"]
    assert api.as_user(ann).get(f"/v1/users/{ann}/conversations/{bob}/messages/{told['key']}").status == 200
    for other in (f"/v1/users/{ann}/conversations/{user()}/messages/{told['key']}",
                  f"/v1/users/{ann}/conversations/{bob}/messages/12_35_{told['key'].rpartition('_')[2]}",
                  f"/v1/users/{ann}/conversations/{bob}/messages/nonsense"):
        assert api.get(other).code == "message_unknown"
