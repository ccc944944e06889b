"""/v1/users/{user}/friend-requests."""

import secrets

import pytest

from support.database import unchanged
from support.mailbox import relation


@pytest.fixture
def shy(user):
    return user(nick="Shy", friend_policy="approval")


def ask(api, user, to, **body):
    return api.post(f"/v1/users/{user}/friend-requests", {"to": to, **body})


def accept(api, user, peer):
    return api.post(f"/v1/users/{user}/friend-requests/{peer}/accept")


def reject(api, user, peer):
    return api.post(f"/v1/users/{user}/friend-requests/{peer}/reject")


def pending(api, user, direction="incoming"):
    reply = api.get(f"/v1/users/{user}/friend-requests", params={"direction": direction})
    return reply.json["items"]


def expire(db, user, peer):
    db.execute(
        "update duet.friend_request set expires_at = now() where (owner, peer) in"
        " (select o.user_no, p.user_no from duet.app_user o, duet.app_user p"
        " where (o.user_id, p.user_id) in ((%(u)s, %(p)s), (%(p)s, %(u)s)))",
        {"u": user, "p": peer},
    )


# -- asking


def test_who_takes_anyone_is_a_friend_at_once(api, ann, bob):
    for _ in range(2):
        reply = ask(api.as_user(ann), ann, bob, text="hi", remark="Bobby")
        assert (reply.status, reply.json["state"], reply.json["text"]) == (200, "accepted", None)
    friend = api.get(f"/v1/users/{ann}/friends/{bob}").json
    assert (friend["mutual"], friend["remark"]) == (True, "Bobby")
    assert pending(api, bob) == []


def test_who_wants_to_be_asked_is_asked(api, ann, shy):
    reply = ask(api.as_user(ann), ann, shy, text="We met\nin Leeds.", remark="S")
    assert reply.status == 201
    assert reply.headers["Location"] == f"/v1/users/{ann}/friend-requests/{shy}"
    made = reply.json
    assert (made["state"], made["peer"], made["text"]) == ("pending", shy, "We met\nin Leeds.")
    (incoming,) = pending(api.as_user(shy), shy)
    (outgoing,) = pending(api.as_user(ann), ann, "outgoing")
    assert (incoming["peer"], incoming["direction"], incoming["remark"]) == (ann, "incoming", None)
    assert (outgoing["peer"], outgoing["direction"], outgoing["remark"]) == (shy, "outgoing", "S")
    for one in (incoming, outgoing):
        assert one["text"] == made["text"]
        assert (one["created_at"], one["expires_at"]) == (made["created_at"], made["expires_at"])
    assert pending(api, shy, "outgoing") == pending(api, ann) == []
    assert relation(api, ann, shy) == "none"


def test_who_takes_nobody_is_not_asked(api, db, user, ann):
    closed = user(friend_policy="nobody")
    with unchanged(db):
        reply = ask(api.as_user(ann), ann, closed)
    assert (reply.status, reply.code) == (403, "friend_policy_refuses")
    assert ask(api, ann, closed).code == "friend_policy_refuses"


def test_who_is_blocked_does_not_ask(api, db, ann, bob, shy):
    for peer in (bob, shy):
        api.put(f"/v1/users/{peer}/blocks/{ann}")
        with unchanged(db):
            reply = ask(api.as_user(ann), ann, peer)
        assert (reply.status, reply.code) == (403, "blocked_by_recipient")


def test_asking_again_replaces_the_text(api, db, ann, shy):
    device = api.as_user(ann)
    first = ask(device, ann, shy, text="one", remark="S").json
    with unchanged(db):
        same = ask(device, ann, shy, text="one", remark="S")
    assert (same.status, same.json) == (200, first)
    again = ask(device, ann, shy, text="two")
    assert (again.status, again.json) == (200, {**first, "text": "two", "remark": ""})
    assert [one["text"] for one in pending(api, shy)] == ["two"]


def test_friends_have_nothing_to_ask(api, ann, shy):
    api.put(f"/v1/users/{ann}/friends/{shy}", {"remark": "S"})
    api.put(f"/v1/users/{shy}/blocks/{ann}")
    reply = ask(api, ann, shy, remark="other")
    assert (reply.status, reply.json["state"]) == (200, "accepted")
    assert api.get(f"/v1/users/{ann}/friends/{shy}").json["remark"] == "S"


def test_who_has_the_user_as_a_friend_has_agreed(api, user, ann):
    closed = user(friend_policy="nobody")
    api.put(f"/v1/users/{closed}/friends/{ann}", {"one_way": True})
    assert ask(api.as_user(ann), ann, closed).json["state"] == "accepted"
    assert relation(api, ann, closed) == "mutual"


def test_two_who_ask_each_other_are_friends(api, user, shy):
    other = user(friend_policy="approval")
    assert ask(api, shy, other, remark="O").status == 201
    reply = ask(api, other, shy, remark="S")
    assert (reply.status, reply.json["state"]) == (200, "accepted")
    assert relation(api, shy, other) == "mutual"
    for one in (shy, other):
        assert pending(api, one) == pending(api, one, "outgoing") == []
    assert api.get(f"/v1/users/{other}/friends/{shy}").json["remark"] == "S"


def test_a_receiver_has_at_most_100_pending(api, db, user, ann, shy):
    db.execute(
        "with u as (insert into duet.app_user (user_id, created_at, updated_at)"
        " select %(shy)s || '-' || i, now(), now() from generate_series(1, 100) i"
        " returning user_no),"
        " h as (insert into duet.mailbox_head (owner) select user_no from u)"
        " insert into duet.friend_request (owner, outgoing, peer, created_at, expires_at)"
        " select s.user_no, false, u.user_no, now(), now() + interval '1 hour'"
        " from u, duet.app_user s where s.user_id = %(shy)s",
        {"shy": shy},
    )
    with unchanged(db):
        reply = ask(api.as_user(ann), ann, shy)
    assert (reply.status, reply.code) == (409, "requests_full")
    reject(api, shy, f"{shy}-1")
    assert ask(api, ann, shy).status == 201
    assert ask(api, ann, shy, text="again").status == 200
    page = api.get(f"/v1/users/{shy}/friend-requests", params={"limit": 200}).json
    assert len(page["items"]) == 100


@pytest.mark.parametrize("field, size", [("text", 1024), ("remark", 256), ("to", 64)])
def test_what_is_asked_has_limits(api, db, ann, shy, field, size):
    with unchanged(db):
        reply = ask(api, ann, **{"to": shy, field: "x" * (size + 1)})
    assert (reply.status, reply.pointers) == (400, [f"/{field}"])
    if field != "to":
        assert ask(api, ann, **{"to": shy, field: "x" * size}).json[field] == "x" * size


def test_users_who_are_not_there_are_named(api, ann):
    nobody = secrets.token_hex(8)
    reply = ask(api, ann, nobody)
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/to"])
    reply = ask(api, nobody, ann)
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/user"])
    reply = ask(api, ann, ann)
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", ["/to"])


# -- answering


def test_friend_request_accept_makes_friends_both_ways(api, ann, shy):
    ask(api, ann, shy, remark="S")
    for _ in range(2):
        reply = accept(api.as_user(shy), shy, ann)
        assert (reply.status, reply.json["peer"], reply.json["mutual"]) == (200, ann, True)
    assert api.get(f"/v1/users/{ann}/friends/{shy}").json["remark"] == "S"
    assert pending(api, shy) == pending(api, ann, "outgoing") == []


def test_friend_request_reject_makes_none(api, ann, shy):
    ask(api, ann, shy)
    assert reject(api.as_user(shy), shy, ann).status == 204
    assert relation(api, ann, shy) == "none"
    for answer in (accept, reject):
        reply = answer(api, shy, ann)
        assert (reply.status, reply.code) == (404, "friend_request_unknown")
    assert ask(api, ann, shy).status == 201


def test_who_has_asked_may_take_it_back_but_not_answer(api, db, ann, shy):
    ask(api, ann, shy)
    for answer in (accept, reject):
        assert answer(api.as_user(ann), ann, shy).code == "friend_request_unknown"
        assert answer(api.as_user(ann), shy, ann).code == "forbidden"
    device = api.as_user(ann)
    assert device.delete(f"/v1/users/{ann}/friend-requests/{shy}").status == 204
    with unchanged(db):
        assert device.delete(f"/v1/users/{ann}/friend-requests/{shy}").status == 204
    assert pending(api, shy) == []
    assert accept(api, shy, ann).code == "friend_request_unknown"


def test_the_receiver_cannot_take_it_back(api, ann, shy):
    ask(api, ann, shy)
    assert api.as_user(shy).delete(f"/v1/users/{shy}/friend-requests/{ann}").status == 204
    assert len(pending(api, shy)) == 1


def test_a_full_list_keeps_the_request(api, db, user, ann, shy):
    ask(api, ann, shy)
    api.put(f"/v1/users/{shy}/friends/{user()}", {})
    db.execute("update duet.setting set friends_per_user = 1")
    try:
        reply = accept(api, shy, ann)
        assert (reply.status, reply.code, reply.pointers) == (409, "friends_full", ["/user"])
    finally:
        db.execute("update duet.setting set friends_per_user = default")
    assert accept(api, shy, ann).status == 200


def test_friends_made_otherwise_end_the_request(api, ann, shy):
    ask(api, ann, shy)
    api.put(f"/v1/users/{shy}/friends/{ann}", {})
    assert pending(api, shy) == pending(api, ann, "outgoing") == []


def test_the_receivers_device_agrees_by_making_friends_too(api, user, shy):
    closed = user(friend_policy="nobody")
    ask(api, closed, shy)
    assert api.as_user(shy).put(f"/v1/users/{shy}/friends/{closed}", {}).status == 201
    assert relation(api, shy, closed) == "mutual"


# -- expiring


def test_an_expired_request_is_as_if_it_were_not_there(api, db, ann, shy):
    ask(api, ann, shy, text="old")
    expire(db, ann, shy)
    assert pending(api, shy) == pending(api, ann, "outgoing") == []
    for answer in (accept, reject):
        assert answer(api, shy, ann).code == "friend_request_unknown"
    reply = ask(api, ann, shy, text="new")
    assert (reply.status, reply.json["text"]) == (201, "new")
    expire(db, ann, shy)
    assert ask(api, ann, shy).status == 201


def test_requests_are_kept_as_long_as_the_setting_says(api, db, ann, shy):
    db.execute("update duet.setting set friend_request_days = 3")
    try:
        ask(api, ann, shy)
    finally:
        db.execute("update duet.setting set friend_request_days = default")
    (kept,) = db.execute(
        "select r.expires_at - r.created_at = interval '72 hours' from duet.friend_request r"
        " join duet.app_user u on u.user_no = r.owner where u.user_id = %s",
        (shy,),
    ).fetchone()
    assert kept


# -- reading


def test_friend_request_list_pages_through_the_newest_first(api, user, shy):
    asking = [user() for _ in range(5)]
    for one in asking:
        ask(api, one, shy, text=one)
    met, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = api.get(f"/v1/users/{shy}/friend-requests", params=params).json
        met += [item["text"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert met == asking[::-1]
    reply = api.get(f"/v1/users/{shy}/friend-requests", params={"cursor": "x"})
    assert (reply.status, reply.code) == (400, "cursor_invalid")


def test_a_device_sees_its_own_requests_only(api, db, ann, bob, shy):
    ask(api, ann, shy)
    stranger = api.as_user(bob)
    with unchanged(db):
        for reply in (
            stranger.get(f"/v1/users/{shy}/friend-requests"),
            ask(stranger, ann, shy),
            accept(stranger, shy, ann),
            reject(stranger, shy, ann),
            stranger.delete(f"/v1/users/{ann}/friend-requests/{shy}"),
        ):
            assert (reply.status, reply.code) == (403, "forbidden")
