"""/v1/notifications: one message to many users."""

import datetime
import json
import secrets
import time

import pytest

from support import short
from support.database import unchanged

PATH = "/v1/notifications"
LATER = "2099-01-01T00:00:00Z"
TEXT = [{"type": "text", "text": "Tea!"}]


@pytest.fixture
def send(api):
    """Makes a notification; the reply's JSON. To no time: it waits, unless the test says otherwise."""

    def make(to, **more):
        body = {"to": to, "send_at": LATER, **more}
        if not {"text", "elements", "payload"} & body.keys():
            body["text"] = "Tea!"
        reply = api.post(PATH, body)
        assert reply.status == 202, reply
        return reply.json

    return make


@pytest.fixture
def state_of(api):
    return lambda made: api.get(f"{PATH}/{made['id']}").json["state"]


@pytest.fixture
def finished(api, server):
    """Waits until a notification has come to its end; what it is then."""

    def wait(made, *states):
        states = states or ("done",)
        path = f"{PATH}/{made['id']}"
        server.wait_until(
            lambda: api.get(path).json["state"] in states, timeout=60, what=f"one of {states}"
        )
        return api.get(path).json

    return wait


@pytest.fixture
def tag(db):
    """Gives users a tag that nobody else has."""

    def give(*users, name=None):
        name = name or f"tag-{secrets.token_hex(4)}"
        for user in users:
            db.execute(
                "insert into duet.user_tag (owner, tag, created_at)"
                " select user_no, %s, now() from duet.app_user where user_id = %s",
                (name, user),
            )
        return name

    return give


def inbox(api, user):
    return api.get(f"/v1/users/{user}/messages").json["items"]


def in_seconds(seconds):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=seconds)).isoformat()


def counts(one):
    return [one[name] for name in ("total", "delivered", "failed")]


# -- delivery


def test_the_smallest_call_reaches_everybody(api, ann, bob, finished):
    reply = api.post(PATH, {"to": {"all": True}, "text": "Tea!"})
    assert reply.status == 202
    assert reply.json["state"] == "running"
    assert reply.json["total"] >= 2
    done = finished(reply.json)
    assert done["delivered"] + done["failed"] == done["total"] >= 2
    assert done["finished_at"] >= done["started_at"] >= done["created_at"]
    for user in (ann, bob):
        (message,) = inbox(api, user)
        assert (message["from"], message["to"], message["kind"]) == ("administrator", user, "system")
        assert (message["elements"], message["state"]) == (TEXT, "sent")
        assert message["sent_by"] == "backend"


def test_users_listed_get_it_and_no_other(api, user, send, finished):
    boss, ann, bob, eve = user(nick="Boss"), user(), user(), user()
    made = send({"users": [ann, bob, ann, boss]}, **{"from": boss}, custom_data="x", send_at=None)
    assert counts(finished(made)) == [2, 2, 0]
    assert [len(inbox(api, name)) for name in (ann, bob, eve, boss)] == [1, 1, 0, 0]
    (message,) = inbox(api, ann)
    assert (message["from"], message["custom_data"]) == (boss, "x")
    assert message["sender_profile"]["nick"] == "Boss"


def test_it_is_an_entry_for_devices_and_a_message_by_its_id(api, ann, send, finished):
    finished(send({"users": [ann]}, send_at=None, elements=TEXT))
    (message,) = inbox(api, ann)
    assert api.get(f"/v1/messages/{message['id']}").json == message
    (event,) = api.as_user(ann).get(f"/v1/users/{ann}/events").json["items"]
    assert (event["seq"], event["kind"], event["message"]) == (1, "message", message)


def test_tags_choose_the_audience(api, user, send, finished, tag):
    ann, bob, eve = user(), user(), user()
    red, big, new = tag(ann, bob), tag(bob, eve), tag(eve)
    for to, expected in [
        ({"tags_any": [red]}, [1, 1, 0]),
        ({"tags_any": [red, big]}, [2, 2, 1]),
        ({"tags_all": [red, big]}, [2, 3, 1]),
        ({"tags_all": [big], "tags_any": [new, red]}, [2, 4, 2]),
    ]:
        made = send(to, send_at=None)
        finished(made)
        assert made["to"] == {name: sorted(tags) for name, tags in to.items()}
        assert [len(inbox(api, name)) for name in (ann, bob, eve)] == expected, to


def test_an_export_holds_its_body(api, ann, send, finished):
    finished(send({"users": [ann]}, send_at=None, custom_data="x"))
    lines = api.get(f"/v1/users/{ann}/export").text.splitlines()
    (entry,) = [one for one in map(json.loads, lines) if one["type"] == "entry"]
    assert (entry["message"]["elements"], entry["message"]["custom_data"]) == (TEXT, "x")


def test_a_payload_is_one_custom_element(api, ann, send, finished):
    made = send({"users": [ann]}, payload='{"a":1}', kind="custom_system", send_at=None)
    finished(made)
    (message,) = inbox(api, ann)
    assert message["kind"] == made["kind"] == "custom_system"
    assert message["elements"] == [{"type": "custom", "data": '{"a":1}'}]


def test_the_body_is_stored_once(user, send, finished, db):
    names = [user() for _ in range(5)]
    made = send({"users": names}, text="x" * 1000, send_at=None)
    finished(made)
    rows = db.execute(
        "select elements, custom_data, push from duet.mailbox where target_seq = %s", (made["id"],)
    ).fetchall()
    assert rows == [(None, None, None)] * 5


def test_a_stored_message_may_live_for_less(api, user, send, finished):
    ann = user()
    finished(send({"users": [ann]}, options={"store_seconds": 0}, send_at=None))
    assert inbox(api, ann) == []


def test_messages_and_notifications_share_a_mailbox(api, ann, bob, send, finished):
    api.post("/v1/messages", {"from": bob, "to": ann, "text": "1"})
    finished(send({"users": [ann]}, **{"from": bob}, text="2", send_at=None))
    api.post("/v1/messages", {"from": ann, "to": bob, "text": "3"})
    texts = [one["elements"][0]["text"] for one in inbox(api, ann)]
    assert texts == ["3", "2", "1"]
    with_bob = api.get(f"/v1/users/{ann}/messages?peer={bob}").json["items"]
    assert [one["kind"] for one in with_bob] == ["chat", "system", "chat"]


# -- rehearsal and retries


def test_validate_only_tells_the_audience_and_does_nothing(api, user, db, tag):
    names = [user() for _ in range(12)]
    name = tag(*names)
    api.post(PATH + "?validate_only=true", {"to": {"tags_any": [name]}, "text": "a"})  # administrator
    with unchanged(db):
        reply = api.post(
            PATH, {"to": {"tags_any": [name]}, "text": "Tea!"}, params={"validate_only": "true"}
        )
    assert (reply.status, reply.json["id"], reply.json["total"]) == (200, None, 12)
    assert reply.json["sample"] == names[:10]


def test_a_repeated_request_makes_one_notification(api, ann, finished):
    key = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"to": {"users": [ann]}, "text": "once"}
    first = api.post(PATH, body, headers=key)
    again = api.post(PATH, body, headers=key)
    assert (first.status, again.status, again.json["id"]) == (202, 200, first.json["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    finished(first.json)
    assert len(inbox(api, ann)) == 1
    other = api.post(PATH, {**body, "text": "twice"}, headers=key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_a_rehearsal_uses_up_no_key(api, ann):
    key = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"to": {"users": [ann]}, "text": "once", "send_at": LATER}
    rehearsed = api.post(PATH, body, headers=key, params={"validate_only": "true"})
    real = api.post(PATH, body, headers=key)
    assert (rehearsed.status, rehearsed.json["id"]) == (200, None)
    assert (real.status, real.json["state"]) == (202, "waiting")


# -- time


def test_it_waits_for_its_time(api, ann, send, state_of, finished):
    made = send({"users": [ann]}, send_at=in_seconds(1.5))
    assert made["state"] == state_of(made) == "waiting"
    done = finished(made)
    assert done["started_at"] >= done["send_at"] == made["send_at"]
    assert len(inbox(api, ann)) == 1


def test_a_rate_is_kept_to(user, send, finished):
    names = [user() for _ in range(6)]
    begun = time.monotonic()
    done = finished(send({"users": names}, rate_per_second=5, send_at=None))
    assert time.monotonic() - begun > 0.9
    assert counts(done) == [6, 6, 0]


def test_what_expires_is_not_delivered_any_more(api, user, send, finished):
    names = [user() for _ in range(5)]
    made = send({"users": names}, rate_per_second=1, expires_in_seconds=2, send_at=None)
    over = finished(made, "expired")
    assert 1 <= over["delivered"] <= 3
    assert sum(len(inbox(api, name)) for name in names) == over["delivered"]


# -- pause, resume, cancel, recall


def test_a_job_can_be_paused_and_resumed(api, user, send, server, finished):
    names = [user() for _ in range(4)]
    made = send({"users": names}, rate_per_second=1, send_at=None)
    path = f"{PATH}/{made['id']}"
    server.wait_until(lambda: api.get(path).json["delivered"] > 0, what="a delivery")
    for _ in range(2):
        assert api.post(f"{path}/pause").json["state"] == "paused"
    before = api.get(path).json["delivered"]
    # One that is as slow has its first delivery, and a second later its last.
    finished(send({"users": names[:2]}, rate_per_second=1, send_at=None))
    assert api.get(path).json["delivered"] == before < 4
    for _ in range(2):
        assert api.post(f"{path}/resume").json["state"] == "running"
    assert counts(finished(made)) == [4, 4, 0]
    assert [len(inbox(api, name)) for name in names] == [2, 2, 1, 1]
    for verb in ("pause", "resume"):
        reply = api.post(f"{path}/{verb}")
        assert (reply.status, reply.code) == (409, "notification_finished")


def test_what_waits_stays_waiting_after_a_pause(api, ann, send):
    path = f"{PATH}/{send({'users': [ann]})['id']}"
    assert api.post(f"{path}/pause").json["state"] == "paused"
    assert api.post(f"{path}/resume").json["state"] == "waiting"


def test_a_pause_that_is_repeated_with_its_key_undoes_no_resume(api, ann, send):
    made = send({"users": [ann]})
    path, headers = f"{PATH}/{made['id']}", {"Idempotency-Key": f"pause-{made['id']}"}
    first = api.post(f"{path}/pause", headers=headers)
    api.post(f"{path}/resume")
    again = api.post(f"{path}/pause", headers=headers)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert api.get(path).json["state"] == "waiting"


def test_a_cancelled_job_delivers_no_more(api, user, send, server, finished):
    names = [user() for _ in range(4)]
    made = send({"users": names}, rate_per_second=1, send_at=None)
    path = f"{PATH}/{made['id']}"
    server.wait_until(lambda: api.get(path).json["delivered"] > 0, what="a delivery")
    for _ in range(2):
        assert api.delete(path).json["state"] == "cancelled"
    delivered = api.get(path).json["delivered"]
    finished(send({"users": [user(), user()]}, rate_per_second=1, send_at=None))  # takes a second
    assert sum(len(inbox(api, name)) for name in names) == delivered < 4


def test_what_is_done_cannot_be_cancelled(api, ann, send, finished):
    made = send({"users": [ann]}, send_at=None)
    finished(made)
    reply = api.delete(f"{PATH}/{made['id']}")
    assert (reply.status, reply.code) == (409, "notification_finished")


def test_a_recall_shows_at_once_and_devices_learn_of_it(api, user, send, server, finished, db):
    ann, bob = user(), user()
    made = send({"users": [ann, bob]}, send_at=None)
    finished(made)
    path = f"{PATH}/{made['id']}"
    assert api.post(f"{path}/recall").json["state"] == "recalled"
    assert [inbox(api, name)[0]["state"] for name in (ann, bob)] == ["recalled"] * 2
    server.wait_until(lambda: api.get(path).json["recalled"] == 2, what="the end of the recall")
    assert api.post(f"{path}/recall").json["recalled"] == 2
    told = db.execute(
        "select m.seq, m.target_seq from duet.mailbox m join duet.app_user u on u.user_no = m.owner"
        " where u.user_id in (%s, %s) and m.kind = 17",
        (ann, bob),
    ).fetchall()
    assert told == [(2, 1), (2, 1)]


# -- users who come and go


def test_users_made_later_are_served_only_if_asked_for(api, user, send, server):
    closed = send({"all": True}, text="closed", send_at=None)
    open_ = send({"all": True}, text="open", include_new_users_until=in_seconds(600), send_at=None)
    server.wait_until(
        lambda: api.get(f"{PATH}/{closed['id']}").json["state"] == "done",
        timeout=60,
        what="the first",
    )
    late = [user(), user()]

    def texts(name):
        return [one["elements"][0]["text"] for one in inbox(api, name)]

    server.wait_until(lambda: all(texts(name) for name in late), timeout=60, what="the delivery to new users")
    assert [texts(name) for name in late] == [["open"], ["open"]]
    assert api.delete(f"{PATH}/{open_['id']}").json["state"] == "cancelled"


# -- refusals


@pytest.mark.parametrize(
    "body, pointers",
    [
        ({"text": "x"}, ["/to"]),
        ({"to": {}, "text": "x"}, ["/to"]),
        ({"to": {"all": False}, "text": "x"}, ["/to"]),
        ({"to": {"all": True, "users": ["a"]}, "text": "x"}, ["/to"]),
        ({"to": {"all": True, "tags_any": ["a"]}, "text": "x"}, ["/to"]),
        ({"to": {"users": []}, "text": "x"}, ["/to/users"]),
        ({"to": {"users": ["a"] * 1001}, "text": "x"}, ["/to/users"]),
        ({"to": {"users": ["a" * 65]}, "text": "x"}, ["/to/users/0"]),
        ({"to": {"tags_any": []}, "text": "x"}, ["/to/tags_any"]),
        ({"to": {"tags_all": ["t"] * 17}, "text": "x"}, ["/to/tags_all"]),
        ({"to": {"some": True}, "text": "x"}, ["/to/some"]),
        ({"to": {"all": True}}, ["/elements"]),
        ({"to": {"all": True}, "text": "x", "payload": "y"}, ["/elements"]),
        ({"to": {"all": True}, "text": "x", "elements": TEXT}, ["/elements"]),
        ({"to": {"all": True}, "text": "x", "kind": "chat"}, ["/kind"]),
        ({"to": {"all": True}, "text": "x", "rate_per_second": 0}, ["/rate_per_second"]),
        ({"to": {"all": True}, "text": "x", "rate_per_second": 100001}, ["/rate_per_second"]),
        ({"to": {"all": True}, "text": "x", "expires_in_seconds": 0}, ["/expires_in_seconds"]),
        ({"to": {"all": True}, "text": "x", "send_at": "tomorrow"}, ["/send_at"]),
        (
            {"to": {"users": ["a"]}, "text": "x", "include_new_users_until": LATER},
            ["/include_new_users_until"],
        ),
        ({"to": {"all": True}, "text": "x", "created_by": "me"}, ["/created_by"]),
    ],
    ids=short,
)
def test_what_is_wrong_is_named(api, db, body, pointers):
    with unchanged(db):
        reply = api.post(PATH, body)
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", pointers)


def test_a_body_that_is_too_long_is_refused(api, ann):
    elements = [{"type": "text", "text": "x" * 8000}] * 2
    long = {"elements": elements, "text": "x" * 12262, "payload": "x" * 12260}
    for name, value in long.items():
        reply = api.post(PATH, {"to": {"users": [ann]}, name: value})
        assert (reply.status, reply.code) == (413, "body_too_large")
        assert reply.pointers == [f"/{name}"]


def test_who_was_deleted_is_not_named_any_more(api, user, send):
    ann, bob = user(), user()
    path = f"{PATH}/{send({'users': [ann, bob]})['id']}"
    assert api.get(path).json["to"] == {"users": [ann, bob]}
    assert api.delete(f"/v1/users/{ann}").status == 200
    assert api.get(path).json["to"] == {"users": [bob]}


def test_users_who_are_not_there_are_named(api, ann):
    reply = api.post(PATH, {"to": {"users": [ann, "nobody-at-all"]}, "text": "x"})
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/to/users/1"])
    reply = api.post(PATH, {"from": "nobody-at-all", "to": {"users": [ann]}, "text": "x"})
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/from"])


@pytest.mark.parametrize("name", ["0", "x", "999999999999999999", "-1"])
def test_a_notification_that_is_not_there_is_unknown(api, name):
    path = f"{PATH}/{name}"
    replies = [api.get(path), api.delete(path)]
    replies += [api.post(f"{path}/{verb}") for verb in ("pause", "resume", "recall")]
    assert {(one.status, one.code) for one in replies} == {(404, "notification_unknown")}


# -- the list


def test_the_list_goes_by_pages_newest_first(api, ann, send):
    made = [send({"users": [ann]})["id"] for _ in range(3)]
    first = api.get(PATH, params={"limit": 2}).json
    assert [one["id"] for one in first["items"]] == made[:0:-1]
    second = api.get(PATH, params={"limit": 1, "cursor": first["next_cursor"]}).json
    assert [one["id"] for one in second["items"]] == made[:1]
    reply = api.get(PATH, params={"cursor": "x"})
    assert (reply.status, reply.code) == (400, "cursor_invalid")


# -- several servers


def test_two_servers_serve_everybody_once(start_server, client_of, user, send, finished, db):
    start_server()
    names = [user() for _ in range(400)]
    made = [send({"users": names}, rate_per_second=400, send_at=None) for _ in range(3)]
    for one in made:
        assert counts(finished(one)) == [400, 400, 0]
    rows = db.execute(
        "select count(*), count(distinct (owner, target_seq)) from duet.mailbox"
        " where kind = 2 and target_seq = any (%s)",
        ([int(one["id"]) for one in made],),
    ).fetchone()
    assert rows == (1200, 1200)
