"""Conversations of a user, read marks and unread counts."""

import concurrent.futures

import pytest

from support import short, text_message
from support.database import unchanged
from support.mailbox import news


@pytest.fixture
def eve(user):
    return user(nick="Eve")


@pytest.fixture
def say(api):
    def say(sender, receiver, text="hi", **options):
        reply = api.post("/v1/messages", text_message(sender, receiver, text, options=options))
        assert reply.status == 201, reply
        return reply.json

    return say


def conversations(api, user):
    return api.get(f"/v1/users/{user}/conversations").json["items"]


def peers(api, user):
    return [one["peer"] for one in conversations(api, user)]


def unread(api, user):
    reply = api.get(f"/v1/users/{user}/unread").json
    assert reply["total"] == sum(one["unread"] for one in reply["items"])
    return {one["peer"]: one["unread"] for one in reply["items"]}


def read(api, user, peer, up_to):
    return api.put(f"/v1/users/{user}/conversations/{peer}/read", {"up_to": up_to})


# -- the list


def test_conversations_are_listed_by_their_newest_message(api, ann, bob, eve, say):
    assert conversations(api, ann) == []
    say(bob, ann)
    last = say(ann, bob)
    other = say(eve, ann)
    expected = {
        "peer": eve,
        "peer_profile": {"nick": "Eve", "avatar_url": ""},
        "last_message": other,
        "unread": 1,
        "read_up_to": None,
        "peer_read_up_to": None,
        "pinned": False,
        "muted": False,
        "groups": [],
        "marks": "",
        "custom_mark": "",
    }
    with_bob = {**expected, "peer": bob, "last_message": last}
    with_bob["peer_profile"] = {"nick": "Bob", "avatar_url": ""}
    assert conversations(api, ann) == [expected, with_bob]
    assert api.get(f"/v1/users/{ann}/conversations/{eve}").json == expected
    say(ann, bob)
    assert peers(api, ann) == [bob, eve]
    assert peers(api, bob) == [ann]


def test_a_message_that_shall_not_does_not_change_the_list(api, ann, bob, eve, say):
    first = say(bob, ann)
    say(eve, ann)
    say(bob, ann, update_recents=False)
    assert peers(api, ann) == [eve, bob]
    assert conversations(api, ann)[1]["last_message"] == first
    say(bob, ann, sync_to_sender=False, store_seconds=0)
    assert peers(api, ann) == [eve, bob]


def test_the_last_message_is_one_that_is_still_there(api, ann, bob, say):
    first = say(bob, ann, "first")
    second = say(bob, ann, "second")
    api.delete(f"/v1/users/{ann}/messages/{second['id']}")
    assert conversations(api, ann)[0]["last_message"] == first
    assert conversations(api, bob)[0]["last_message"] == second
    recalled = api.delete(f"/v1/messages/{first['id']}").json
    assert conversations(api, ann)[0]["last_message"] == recalled


def test_two_who_never_wrote_have_an_empty_conversation(api, ann, bob):
    reply = api.get(f"/v1/users/{ann}/conversations/{bob}").json
    assert (reply["peer"], reply["unread"], "last_message" in reply) == (bob, 0, False)
    assert conversations(api, ann) == []


def test_a_conversation_with_a_deleted_user_is_not_listed(api, ann, bob, eve, say):
    say(bob, ann)
    say(eve, ann)
    assert api.delete(f"/v1/users/{eve}").status == 200
    assert peers(api, ann) == [bob]
    assert unread(api, ann) == {bob: 1}


# -- unread and read


def test_unread_messages_are_counted_per_peer(api, ann, bob, eve, say):
    assert api.get(f"/v1/users/{ann}/unread").json == {"total": 0, "items": []}
    for _ in range(3):
        say(bob, ann)
    say(eve, ann)
    say(ann, eve)
    assert api.get(f"/v1/users/{ann}/unread").json == {
        "total": 4,
        "items": [{"peer": bob, "unread": 3}, {"peer": eve, "unread": 1}],
    }
    assert unread(api, bob) == {}
    assert unread(api, eve) == {ann: 1}


def test_what_is_not_to_be_counted_is_not(api, ann, bob, say):
    say(bob, ann, count_unread=False)
    recalled, removed, kept = (say(bob, ann) for _ in range(3))
    api.delete(f"/v1/messages/{recalled['id']}")
    api.delete(f"/v1/users/{ann}/messages/{removed['id']}")
    assert unread(api, ann) == {bob: 1}
    read(api, ann, bob, kept["id"])
    assert unread(api, ann) == {}


def test_reading_up_to_a_message_tells_both(api, ann, bob, say):
    messages = [say(bob, ann) for _ in range(3)]
    reply = read(api, ann, bob, messages[1]["id"])
    up_to = messages[1]["sent_at"]
    assert reply.json == {"peer": bob, "read_up_to": up_to, "unread": 1}
    assert unread(api, ann) == {bob: 1}
    (own,) = news(api, ann)
    assert (own["kind"], own["peer"], own["details"]) == ("read", bob, {"up_to": up_to})
    (theirs,) = news(api, bob)
    assert (theirs["kind"], theirs["peer"]) == ("peer_read", ann)
    assert theirs["details"] == {"up_to": up_to}
    assert conversations(api, ann)[0]["read_up_to"] == up_to
    assert conversations(api, bob)[0]["peer_read_up_to"] == up_to
    assert conversations(api, bob)[0]["read_up_to"] is None


def test_a_read_mark_only_moves_forward(api, db, ann, bob, say):
    messages = [say(bob, ann) for _ in range(3)]
    read(api, ann, bob, messages[1]["id"])
    own = say(ann, bob)
    with unchanged(db):
        for up_to in (messages[1]["id"], messages[0]["id"], "2020-01-01T00:00:00Z"):
            reply = read(api, ann, bob, up_to)
            assert (reply.json["read_up_to"], reply.json["unread"]) == (messages[1]["sent_at"], 1)
    # What one has sent oneself stands for what came before it.
    assert read(api, ann, bob, own["id"]).json["unread"] == 0


def test_reading_up_to_a_time(api, ann, bob, say):
    say(bob, ann)
    assert read(api, ann, bob, "2099-01-01T00:00:00+02:00").json["unread"] == 0
    say(bob, ann)
    assert unread(api, ann) == {bob: 1}


@pytest.mark.parametrize(
    "body, code, pointers",
    [
        ({}, "invalid_request", ["/up_to"]),
        ({"up_to": ""}, "invalid_request", ["/up_to"]),
        ({"up_to": 1}, "invalid_request", ["/up_to"]),
        ({"up_to": "x" * 73}, "invalid_request", ["/up_to"]),
        ({"up_to": "yesterday"}, "message_unknown", ["/up_to"]),
        ({"up_to": "AQIBAQHOubjG2ZyYA0HreSU"}, "message_unknown", ["/up_to"]),
        ({"up_to": "2026-01-01T00:00:00Z", "x": 1}, "invalid_request", ["/x"]),
    ],
    ids=short,
)
def test_a_wrong_read_mark_is_refused(api, db, ann, bob, body, code, pointers):
    with unchanged(db):
        reply = api.put(f"/v1/users/{ann}/conversations/{bob}/read", body)
    assert (reply.code, reply.pointers) == (code, pointers)


def test_a_message_with_another_is_no_read_mark(api, db, ann, bob, eve, say):
    say(bob, ann)
    other = say(eve, ann)
    with unchanged(db):
        reply = read(api, ann, bob, other["id"])
    assert (reply.status, reply.code) == (404, "message_unknown")


def test_of_marks_at_once_the_farthest_stays(api, ann, bob, say):
    messages = [say(bob, ann) for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: read(api, ann, bob, one["id"]), messages))
    assert unread(api, ann) == {}
    marks = [item["details"]["up_to"] for item in news(api, bob)]
    assert marks == sorted(marks)
    assert marks[-1] == messages[-1]["sent_at"]


# -- pinned, muted, removed


def test_pinned_conversations_stand_above_the_others(api, ann, bob, eve, say):
    say(bob, ann)
    say(eve, ann)
    reply = api.patch(f"/v1/users/{ann}/conversations/{bob}", {"pinned": True})
    assert (reply.status, reply.json["pinned"], reply.json["muted"]) == (200, True, False)
    assert peers(api, ann) == [bob, eve]
    assert peers(api, bob) == [ann]
    (own,) = news(api, ann)
    assert (own["kind"], own["peer"]) == ("conversation", bob)
    assert own["details"] == {"pinned": True, "muted": False, "groups": [], "marks": "", "custom_mark": ""}
    assert news(api, bob) == []


def test_a_patch_changes_what_it_names(api, db, ann, bob):
    path = f"/v1/users/{ann}/conversations/{bob}"
    api.patch(path, {"pinned": True})
    changed = api.patch(path, {"muted": True}).json
    assert (changed["pinned"], changed["muted"]) == (True, True)
    with unchanged(db):
        assert api.patch(path, {"muted": True}).json == changed
        assert api.patch(path, {}).json == changed
    changed = api.patch(path, {"pinned": None}).json
    assert (changed["pinned"], changed["muted"]) == (False, True)
    assert api.get(path).json == changed


def test_a_removed_conversation_comes_back_with_a_new_message(api, ann, bob, eve, say):
    say(eve, ann)
    kept = say(bob, ann)
    path = f"/v1/users/{ann}/conversations/{bob}"
    api.patch(path, {"pinned": True})
    assert api.delete(path).status == 204
    assert peers(api, ann) == [eve]
    assert peers(api, bob) == [ann]
    assert api.get(f"/v1/users/{ann}/messages", params={"peer": bob}).json["items"] == [kept]
    assert api.delete(path).status == 204
    assert [item["kind"] for item in news(api, ann)] == ["conversation", "conversation"]
    assert news(api, ann)[1]["details"] == {"removed": True, "messages_removed": False}
    say(bob, ann)
    assert peers(api, ann) == [bob, eve]
    assert conversations(api, ann)[0]["pinned"] is False


def test_a_conversation_is_removed_with_its_messages(api, ann, bob, eve, say):
    other = say(eve, ann)
    sent = [say(bob, ann), say(ann, bob)]
    reply = api.delete(f"/v1/users/{ann}/conversations/{bob}", params={"messages": "true"})
    assert reply.status == 204
    assert api.get(f"/v1/users/{ann}/messages").json["items"] == [other]
    assert api.get(f"/v1/users/{bob}/messages").json["items"] == sent[::-1]
    assert unread(api, ann) == {eve: 1}
    assert news(api, ann)[-1]["details"] == {"removed": True, "messages_removed": True}


def test_a_long_conversation_is_removed_in_slices(api, db, ann, bob, eve, say):
    """More than one transaction takes; who sends meanwhile waits for none of them."""
    kept = say(eve, ann)
    say(bob, ann)
    # Numbers of the mailbox up to 5001, as if 4999 more had come.
    db.execute(
        """
        with head as (
            update duet.mailbox_head as h set last_seq = 5001
            from duet.app_user as u where u.user_no = h.owner and u.user_id = %s
            returning h.owner
        )
        insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, elements)
        select m.owner, n, m.sent_at, m.peer, 0, 0, 1, 15, false, '[]'
        from head
        join duet.mailbox as m on m.owner = head.owner and m.seq = 2
        cross join generate_series(3, 5001) as n
        """,
        [ann],
    )
    assert unread(api, ann) == {bob: 1000, eve: 1}
    reply = api.delete(f"/v1/users/{ann}/conversations/{bob}", params={"messages": "true"})
    assert reply.status == 204
    assert api.get(f"/v1/users/{ann}/messages").json["items"] == [kept]
    assert unread(api, ann) == {eve: 1}


# -- who may


def test_users_who_are_unknown(api, db, ann):
    with unchanged(db):
        for user, peer in ((ann, "user-nobody"), ("user-nobody", ann)):
            path = f"/v1/users/{user}/conversations/{peer}"
            for reply in (
                api.get(path),
                api.patch(path, {"pinned": True}),
                api.delete(path),
                read(api, user, peer, "2026-01-01T00:00:00Z"),
            ):
                assert (reply.status, reply.code) == (404, "user_unknown")
                assert reply.pointers == ["/peer" if user == ann else "/user"]
        for path in ("conversations", "unread"):
            assert api.get(f"/v1/users/user-nobody/{path}").code == "user_unknown"


def test_nobody_has_a_conversation_with_oneself(api, ann):
    path = f"/v1/users/{ann}/conversations/{ann}"
    for reply in (api.get(path), api.patch(path, {"pinned": True})):
        assert (reply.status, reply.pointers) == (400, ["/peer"])
    reply = read(api, ann, ann, "x")
    assert (reply.status, reply.pointers) == (400, ["/peer", "/up_to"])


def test_a_device_has_its_own_conversations_and_no_others(api, db, ann, bob, say):
    sent = say(bob, ann)
    device = api.as_user(ann)
    own, theirs = f"/v1/users/{ann}/conversations", f"/v1/users/{bob}/conversations"
    assert device.get(own).status == 200
    assert device.patch(f"{own}/{bob}", {"muted": True}).status == 200
    assert read(device, ann, bob, sent["id"]).status == 200
    assert device.get(f"/v1/users/{ann}/unread").json["total"] == 0
    with unchanged(db):
        for reply in (
            device.get(theirs),
            device.get(f"{theirs}/{ann}"),
            device.patch(f"{theirs}/{ann}", {"muted": True}),
            device.delete(f"{theirs}/{ann}"),
            read(device, bob, ann, sent["id"]),
            device.get(f"/v1/users/{bob}/unread"),
        ):
            assert (reply.status, reply.code) == (403, "forbidden")
