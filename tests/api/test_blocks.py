"""/v1/users/{user}/blocks."""

import secrets

import pytest

from support.database import unchanged


def link(user, peer):
    return f"/v1/users/{user}/blocks/{peer}"


def test_block_put_blocks_one_way(api, ann, bob):
    reply = api.put(link(ann, bob))
    assert (reply.status, reply.headers["Location"]) == (201, link(ann, bob))
    assert (reply.json["peer"], reply.json["peer_profile"]["nick"]) == (bob, "Bob")
    assert api.get(link(ann, bob)).json == reply.json
    other = api.get(link(bob, ann))
    assert (other.status, other.code) == (404, "block_unknown")


def test_block_put_twice_writes_once(api, db, ann, bob):
    device = api.as_user(ann)
    first = device.put(link(ann, bob))
    with unchanged(db):
        again = device.put(link(ann, bob))
    assert (again.status, again.json) == (200, first.json)


def test_block_delete_may_be_repeated(api, db, ann, bob):
    device = api.as_user(ann)
    device.put(link(ann, bob))
    assert device.delete(link(ann, bob)).status == 204
    assert device.get(link(ann, bob)).code == "block_unknown"
    with unchanged(db):
        assert device.delete(link(ann, bob)).status == 204
    assert device.put(link(ann, bob)).status == 201


def test_nobody_blocks_oneself(api, db, ann):
    with unchanged(db):
        reply = api.put(link(ann, ann))
    assert (reply.status, reply.pointers) == (400, ["/peer"])


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_users_who_are_not_there_are_named(api, ann, method):
    nobody = secrets.token_hex(8)
    for path, pointer in ((link(nobody, ann), "/user"), (link(ann, nobody), "/peer")):
        reply = api.request(method, path)
        assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", [pointer])


def test_a_block_leaves_friends_as_they_are(api, ann, bob):
    api.put(f"/v1/users/{ann}/friends/{bob}", {"remark": "B"})
    api.put(link(ann, bob))
    friend = api.get(f"/v1/users/{ann}/friends/{bob}").json
    assert (friend["remark"], friend["mutual"]) == ("B", True)
    api.delete(f"/v1/users/{ann}/friends/{bob}")
    assert api.get(link(ann, bob)).status == 200


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
def test_a_block_ends_requests_between_the_two(api, user, direction):
    one, other = user(friend_policy="approval"), user(friend_policy="approval")
    asking, asked = (other, one) if direction == "incoming" else (one, other)
    assert api.post(f"/v1/users/{asking}/friend-requests", {"to": asked}).status == 201
    api.put(link(one, other))
    assert api.get(f"/v1/users/{asked}/friend-requests").json["items"] == []
    reply = api.post(f"/v1/users/{asked}/friend-requests/{asking}/accept")
    assert (reply.status, reply.code) == (404, "friend_request_unknown")


def test_block_list_pages_through_the_oldest_first(api, user, ann):
    peers = [user() for _ in range(5)]
    for peer in peers:
        api.put(link(ann, peer))
    met, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = api.get(f"/v1/users/{ann}/blocks", params=params).json
        met += [item["peer"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert met == peers
    reply = api.get(f"/v1/users/{ann}/blocks", params={"cursor": "x"})
    assert (reply.status, reply.code) == (400, "cursor_invalid")


def test_a_deleted_user_is_not_listed_and_takes_no_room(api, db, user, ann, bob):
    api.put(link(ann, bob))
    db.execute("update duet.setting set blocks_per_user = 1")
    try:
        full = api.put(link(ann, user()))
        assert (full.status, full.code) == (409, "blocks_full")
        assert api.put(link(ann, bob)).status == 200
        db.execute("delete from duet.app_user where user_id = %s", (bob,))
        assert api.get(f"/v1/users/{ann}/blocks").json["items"] == []
        assert api.put(link(ann, user())).status == 201
    finally:
        db.execute("update duet.setting set blocks_per_user = default")


def test_block_check_tells_both_directions_in_order(api, user, ann):
    both, ours, theirs, none = user(), user(), user(), user()
    for peer in (both, ours):
        api.put(link(ann, peer))
    for peer in (both, theirs):
        api.put(link(peer, ann))
    peers = [none, both, "nobody-at-all", theirs, ours, both]
    results = api.post(f"/v1/users/{ann}/blocks/check", {"peers": peers}).json["items"]
    assert [one["peer"] for one in results] == peers
    assert [(one["blocked"], one["blocked_by"]) for one in results] == [
        (False, False), (True, True), (False, False), (False, True), (True, False), (True, True),
    ]
    for n in (0, 1001):
        reply = api.post(f"/v1/users/{ann}/blocks/check", {"peers": ["p"] * n})
        assert (reply.status, reply.pointers) == (400, ["/peers"])


def test_a_user_may_be_called_check(api, ann):
    api.put("/v1/users/check", {})
    assert api.put(link(ann, "check")).status == 201
    assert api.get(link(ann, "check")).status == 200


def test_a_device_sees_and_changes_its_own_blocks_only(api, db, ann, bob):
    api.put(link(ann, bob))
    stranger = api.as_user(bob)
    with unchanged(db):
        for reply in (
            stranger.get(f"/v1/users/{ann}/blocks"),
            stranger.get(link(ann, bob)),
            stranger.put(link(ann, bob)),
            stranger.delete(link(ann, bob)),
            # Nor does it learn who has blocked its own user.
            stranger.post(f"/v1/users/{bob}/blocks/check", {"peers": [ann]}),
        ):
            assert (reply.status, reply.code) == (403, "forbidden")
