"""Friends, and the groups they are sorted in: /v1/users/{user}/friends and …/friend-groups."""

import contextlib
import secrets

import pytest

from support import short
from support.client import quoted
from support.database import unchanged
from support.mailbox import relation

SIDE = {"remark": "Bobby", "groups": ["home", "work"], "custom": {"met": "Leeds"}}


def link(user, peer):
    return f"/v1/users/{user}/friends/{peer}"


def befriend(api, user, peer, **body):
    reply = api.put(link(user, peer), body)
    assert reply.status in (200, 201), reply
    return reply.json


def make_groups(api, user, *names):
    for name in names:
        assert api.put(f"/v1/users/{user}/friend-groups/{quoted(name)}").status in (200, 201)


def friends_of(api, user, **params):
    reply = api.get(f"/v1/users/{user}/friends", params=params)
    assert reply.status == 200, reply
    return [item["peer"] for item in reply.json["items"]]


@contextlib.contextmanager
def unchanged_relations(db):
    """Nothing is written but, in the audit, that a back-end service has asked."""

    def counts():
        return db.execute(
            "select (select count(*) from duet.contact),"
            " (select count(*) from duet.contact where friend),"
            " (select sum(last_seq) from duet.mailbox_head)"
        ).fetchone()

    before = counts()
    yield
    assert counts() == before


# -- making


def test_friend_put_makes_friends_both_ways(api, ann, bob):
    reply = api.put(link(ann, bob), {"remark": "Bobby"})
    assert (reply.status, reply.headers["Location"]) == (201, link(ann, bob))
    told = {name: value for name, value in reply.json.items() if name != "friend_since"}
    assert told == {
        "peer": bob,
        "peer_profile": {"nick": "Bob", "avatar_url": ""},
        "remark": "Bobby",
        "groups": [],
        "custom": {},
        "mutual": True,
    }
    assert api.get(link(ann, bob)).json == reply.json
    other = api.get(link(bob, ann)).json
    assert (other["remark"], other["mutual"]) == ("", True)


def test_friend_put_one_way_leaves_the_other_side_alone(api, ann, bob):
    assert befriend(api, ann, bob, one_way=True)["mutual"] is False
    assert relation(api, ann, bob) == "outgoing"
    assert relation(api, bob, ann) == "incoming"
    assert api.get(link(bob, ann)).code == "friend_unknown"
    assert befriend(api, bob, ann, one_way=True)["mutual"] is True
    assert api.get(link(ann, bob)).json["mutual"] is True


def test_friend_put_replaces_what_the_own_side_says(api, ann, bob):
    make_groups(api, ann, "home", "work")
    first = befriend(api, ann, bob, **SIDE)
    again = api.put(link(ann, bob), {"remark": "Robert"})
    assert again.status == 200 and again.headers["Location"] is None
    assert again.json == {**first, "remark": "Robert", "groups": [], "custom": {}}


def test_friend_put_twice_writes_once(api, db, ann, bob):
    make_groups(api, ann, "home", "work")
    befriend(api, ann, bob, **SIDE)
    api.as_user(ann).put(link(ann, bob), SIDE)  # a device's calls are not audited
    with unchanged(db):
        reply = api.as_user(ann).put(link(ann, bob), SIDE)
    assert (reply.status, reply.json["groups"]) == (200, SIDE["groups"])


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_users_who_are_not_there_are_named(api, ann, method):
    body = {} if method == "PUT" else None
    nobody = secrets.token_hex(8)
    reply = api.request(method, link(nobody, ann), json=body)
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/user"])
    reply = api.request(method, link(ann, nobody), json=body)
    assert (reply.status, reply.code, reply.pointers) == (404, "user_unknown", ["/peer"])


def test_nobody_is_a_friend_of_oneself(api, db, ann):
    with unchanged(db):
        reply = api.put(link(ann, ann), {})
    assert (reply.status, reply.pointers) == (400, ["/peer"])


@pytest.mark.parametrize(
    "field, accepted, refused",
    [
        ("remark", "é" * 128, "é" * 128 + "x"),
        ("remark", "", "a\nb"),
        ("custom", {"n": "v"}, {"n": 1}),
        ("groups", [], ["g" * 65]),
        ("groups", ["home", "home"], [""]),
        ("groups", ["work"], ["g"] * 33),
    ],
    ids=short,
)
def test_what_a_side_says_has_limits(api, db, ann, bob, field, accepted, refused):
    make_groups(api, ann, "home", "work")
    for method in ("PUT", "PATCH"):
        assert api.request(method, link(ann, bob), json={field: accepted}).status in (200, 201)
        with unchanged(db):
            reply = api.request(method, link(ann, bob), json={field: refused})
        assert (reply.status, reply.code) == (400, "invalid_request")
        assert reply.pointers[0].startswith(f"/{field}")


def test_groups_must_exist_and_are_told_apart_by_their_place(api, ann, bob):
    make_groups(api, ann, "home")
    make_groups(api, bob, "work")
    befriend(api, ann, bob)
    for method in ("PUT", "PATCH"):
        reply = api.request(method, link(ann, bob), json={"groups": ["home", "work"]})
        assert (reply.status, reply.code, reply.pointers) == (404, "group_unknown", ["/groups/1"])
    assert api.get(link(ann, bob)).json["groups"] == []


def test_a_full_list_is_refused_and_the_side_is_named(api, db, user, ann, bob):
    carol, dave = user(), user()
    befriend(api, ann, bob)
    db.execute("update duet.setting set friends_per_user = 1")
    try:
        for one, other, pointer in ((ann, carol, "/user"), (carol, ann, "/peer")):
            with unchanged_relations(db):
                reply = api.put(link(one, other), {})
            assert (reply.status, reply.code, reply.pointers) == (409, "friends_full", [pointer])
        assert api.put(link(ann, bob), {"remark": "B"}).status == 200
        assert api.put(link(carol, ann), {"one_way": True}).status == 201
        # Who was deleted takes no room.
        db.execute("delete from duet.app_user where user_id = %s", (bob,))
        assert api.put(link(ann, dave), {}).status == 201
    finally:
        db.execute("update duet.setting set friends_per_user = default")


# -- what a user token may do


def test_a_device_makes_friends_where_the_peer_takes_anyone(api, ann, bob):
    assert api.as_user(ann).put(link(ann, bob), {}).status == 201
    assert relation(api, ann, bob) == "mutual"


@pytest.mark.parametrize("policy", ["approval", "nobody"])
@pytest.mark.parametrize("one_way", [True, False])
def test_a_device_does_not_get_round_the_friend_policy(api, db, user, ann, policy, one_way):
    shy = user(friend_policy=policy)
    with unchanged(db):
        reply = api.as_user(ann).put(link(ann, shy), {"one_way": one_way})
    assert (reply.status, reply.code) == (403, "friend_policy_refuses")
    assert api.put(link(ann, shy), {"one_way": one_way}).status == 201


def test_a_device_does_not_get_round_a_block(api, db, ann, bob):
    api.put(f"/v1/users/{bob}/blocks/{ann}")
    with unchanged(db):
        reply = api.as_user(ann).put(link(ann, bob), {})
    assert (reply.status, reply.code) == (403, "blocked_by_recipient")
    assert api.put(link(ann, bob), {}).status == 201
    assert api.as_user(ann).put(link(ann, bob), {"remark": "B"}).status == 200


def test_a_device_may_add_who_has_agreed_already(api, user, ann):
    shy = user(friend_policy="nobody")
    befriend(api, shy, ann, one_way=True)
    assert api.as_user(ann).put(link(ann, shy), {}).json["mutual"] is True


def test_a_device_may_change_its_own_side_of_one_who_takes_nobody(api, user, ann):
    shy = user(friend_policy="nobody")
    befriend(api, ann, shy, one_way=True)
    device = api.as_user(ann)
    assert device.put(link(ann, shy), {"remark": "S", "one_way": True}).status == 200
    assert device.put(link(ann, shy), {"remark": "S"}).code == "friend_policy_refuses"
    assert device.patch(link(ann, shy), {"remark": "T"}).json["remark"] == "T"
    assert device.delete(link(ann, shy)).status == 204


def test_a_device_sees_and_changes_its_own_friends_only(api, db, ann, bob):
    befriend(api, ann, bob)
    stranger = api.as_user(bob)
    with unchanged(db):
        for reply in (
            stranger.get(f"/v1/users/{ann}/friends"),
            stranger.get(link(ann, bob)),
            stranger.put(link(ann, bob), {}),
            stranger.patch(link(ann, bob), {"remark": "x"}),
            stranger.delete(link(ann, bob)),
            stranger.post(f"/v1/users/{ann}/friends/check", {"peers": [bob]}),
            stranger.post(f"/v1/users/{bob}/friends", {"friends": [{"peer": ann}]}),
            stranger.get(f"/v1/users/{ann}/friend-groups"),
        ):
            assert (reply.status, reply.code) == (403, "forbidden")


# -- changing and unmaking


def test_friend_patch_changes_what_it_names(api, ann, bob):
    make_groups(api, ann, "home", "work")
    first = befriend(api, ann, bob, **SIDE)
    for patch, changed in (
        ({"remark": "Robert"}, {"remark": "Robert"}),
        ({"groups": ["work"]}, {"groups": ["work"]}),
        ({"custom": {"a": "b"}}, {"custom": {"a": "b"}}),
        ({"remark": None}, {"remark": ""}),
        ({"groups": None, "custom": None}, {"groups": [], "custom": {}}),
        ({}, {}),
    ):
        first = {**first, **changed}
        reply = api.patch(link(ann, bob), patch)
        assert (reply.status, reply.json) == (200, first)
    assert api.get(link(bob, ann)).json["remark"] == ""


def test_friend_patch_makes_no_friend(api, ann, bob):
    befriend(api, bob, ann, one_way=True)
    reply = api.patch(link(ann, bob), {"remark": "x"})
    assert (reply.status, reply.code) == (404, "friend_unknown")


def test_friend_delete_parts_both(api, ann, bob):
    befriend(api, ann, bob, remark="Bobby")
    for _ in range(2):
        assert api.delete(link(ann, bob)).status == 204
        assert relation(api, ann, bob) == "none"
    assert befriend(api, ann, bob)["remark"] == ""


def test_friend_delete_one_way_leaves_the_other_side(api, ann, bob):
    befriend(api, ann, bob)
    assert api.delete(link(ann, bob), params={"one_way": "true"}).status == 204
    assert relation(api, ann, bob) == "incoming"


def test_friend_delete_all_parts_all_and_says_that_none_is_left(api, user, ann, bob):
    peers = [bob, user()]
    for peer in peers:
        befriend(api, ann, peer)
    one_way = api.delete(f"/v1/users/{ann}/friends", params={"one_way": "true"})
    assert (one_way.status, one_way.json) == (200, {"removed": 2, "more": False})
    assert [relation(api, ann, peer) for peer in peers] == ["incoming"] * 2
    for peer in peers:
        befriend(api, ann, peer)
    for removed in (2, 0):
        assert api.as_user(ann).delete(f"/v1/users/{ann}/friends").json == {"removed": removed, "more": False}
    assert [relation(api, ann, peer) for peer in peers] == ["none"] * 2


def test_friend_delete_all_is_for_the_user_alone(api, ann, bob):
    befriend(api, ann, bob)
    assert api.as_user(bob).delete(f"/v1/users/{ann}/friends").code == "forbidden"
    assert relation(api, ann, bob) == "mutual"
    assert api.delete("/v1/users/nobody-at-all/friends").code == "user_unknown"


# -- reading


def test_friend_list_pages_through_friends_of_longest_standing_first(api, user, ann):
    peers = [user(nick=f"n{i}") for i in range(7)]
    for peer in peers:
        befriend(api, ann, peer)
    met, cursor = [], None
    while True:
        params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = api.get(f"/v1/users/{ann}/friends", params=params).json
        met += [(item["peer"], item["peer_profile"]["nick"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert met == [(peer, f"n{i}") for i, peer in enumerate(peers)]


def test_friend_list_shows_one_group(api, user, ann, bob):
    make_groups(api, ann, "home", "work", "empty")
    carol = user()
    befriend(api, ann, bob, groups=["home", "work"])
    befriend(api, ann, carol, groups=["work"])
    assert friends_of(api, ann, group="home") == [bob]
    assert friends_of(api, ann, group="work") == [bob, carol]
    assert friends_of(api, ann, group="empty") == []
    reply = api.get(f"/v1/users/{ann}/friends", params={"group": "none"})
    assert (reply.status, reply.code, reply.pointers) == (404, "group_unknown", ["/group"])


def test_friend_list_refuses_what_is_no_cursor_of_it(api, ann):
    for cursor in ("x", "1", "1.x", "-1.1", "1.9999999999999999999"):
        reply = api.get(f"/v1/users/{ann}/friends", params={"cursor": cursor})
        assert (reply.status, reply.code) == (400, "cursor_invalid")


def test_a_deleted_user_is_nobodys_friend(api, db, ann, bob):
    befriend(api, ann, bob)
    db.execute("delete from duet.app_user where user_id = %s", (bob,))
    assert friends_of(api, ann) == []
    assert relation(api, ann, bob) == "unknown"


def test_friend_check_tells_each_in_order(api, user, ann):
    mutual, outgoing, incoming, none = user(), user(), user(), user()
    befriend(api, ann, mutual)
    befriend(api, ann, outgoing, one_way=True)
    befriend(api, incoming, ann, one_way=True)
    peers = [none, mutual, "nobody-at-all", incoming, outgoing, mutual, ann]
    reply = api.post(f"/v1/users/{ann}/friends/check", {"peers": peers})
    told = [(one["peer"], one["relation"]) for one in reply.json["items"]]
    expected = ["none", "mutual", "unknown", "incoming", "outgoing", "mutual", "none"]
    assert told == list(zip(peers, expected))


def test_friend_check_takes_a_thousand(api, ann):
    def ask(n):
        return api.post(f"/v1/users/{ann}/friends/check", {"peers": [f"p{i}" for i in range(n)]})

    assert len(ask(1000).json["items"]) == 1000
    for n in (0, 1001):
        assert (ask(n).status, ask(n).pointers) == (400, ["/peers"])


def test_a_user_may_be_called_check(api, ann):
    api.put("/v1/users/check", {})
    assert befriend(api, ann, "check")["peer"] == "check"
    assert api.get(link(ann, "check")).json["peer"] == "check"
    assert api.delete(link(ann, "check")).status == 204


# -- groups


def test_friend_groups_are_made_listed_and_removed(api, user, ann, bob):
    carol = user()
    first = api.put(f"/v1/users/{ann}/friend-groups/{quoted('öld friends')}")
    assert (first.status, first.json["friends"]) == (201, 0)
    assert first.headers["Location"].startswith(f"/v1/users/{ann}/friend-groups/")
    make_groups(api, ann, "home")
    befriend(api, ann, bob, groups=["öld friends", "home"])
    befriend(api, ann, carol, groups=["home"])
    again = api.put(f"/v1/users/{ann}/friend-groups/{quoted('öld friends')}")
    assert (again.status, again.json) == (200, {**first.json, "friends": 1})

    def groups():
        items = api.get(f"/v1/users/{ann}/friend-groups").json["items"]
        return [(item["name"], item["friends"]) for item in items]

    assert groups() == [("home", 2), ("öld friends", 1)]
    for _ in range(2):
        assert api.delete(f"/v1/users/{ann}/friend-groups/home").status == 204
        assert groups() == [("öld friends", 1)]
    assert api.get(link(ann, bob)).json["groups"] == ["öld friends"]
    assert friends_of(api, ann) == [bob, carol]


def test_there_are_at_most_32_friend_groups(api, ann):
    make_groups(api, ann, *(f"g{i}" for i in range(32)))
    reply = api.put(f"/v1/users/{ann}/friend-groups/more")
    assert (reply.status, reply.code) == (409, "groups_full")
    assert api.put(f"/v1/users/{ann}/friend-groups/g7").status == 200


def test_friend_groups_belong_to_users_who_are_there(api):
    nobody = secrets.token_hex(8)
    for method, path in (("GET", ""), ("PUT", "/g"), ("DELETE", "/g")):
        reply = api.request(method, f"/v1/users/{nobody}/friend-groups{path}")
        assert (reply.status, reply.code) == (404, "user_unknown")


# -- importing


def test_friend_import_tells_what_became_of_each(api, user, ann, bob):
    carol, dave = user(), user()
    make_groups(api, ann, "home")
    befriend(api, ann, carol)
    friends = [
        {"peer": bob, "remark": "B", "groups": ["home"], "custom": {"a": "b"},
         "friend_since": "2020-05-17T12:00:00Z"},
        {"peer": "nobody-at-all"},
        {"peer": ann},
        {"peer": carol},
        {"peer": dave, "groups": ["none"]},
        {"peer": dave, "one_way": True, "friend_since": "2999-01-01T00:00:00Z"},
        {"peer": bob, "remark": "x" * 257},
        {"peer": "x" * 65, "groups": [""]},
    ]
    reply = api.post(f"/v1/users/{ann}/friends", {"friends": friends})
    results = reply.json["results"]
    assert [one["peer"] for one in results] == [one["peer"] for one in friends]
    assert [one["status"] for one in results] == [201, 404, 400, 200, 404, 201, 400, 400]
    codes = [one["problem"]["code"] for one in results if "problem" in one]
    assert codes == ["user_unknown", "invalid_request", "group_unknown", "invalid_request", "invalid_request"]
    pointers = [[error["pointer"] for error in one["problem"].get("errors", [])] for one in results if "problem" in one]
    assert pointers[1] == ["/friends/2/peer"]
    assert pointers[3:] == [["/friends/6/remark"], ["/friends/7/peer", "/friends/7/groups/0"]]
    made = api.get(link(ann, bob)).json
    assert (made["remark"], made["groups"], made["custom"]) == ("B", ["home"], {"a": "b"})
    assert made["friend_since"] == "2020-05-17T12:00:00.000Z"
    assert api.get(link(bob, ann)).json["friend_since"] == made["friend_since"]
    assert relation(api, ann, dave) == "outgoing"
    assert api.get(link(ann, dave)).json["friend_since"] < "2999"
    again = api.post(f"/v1/users/{ann}/friends", {"friends": friends}).json["results"]
    assert [one["status"] for one in again] == [200, 404, 400, 200, 404, 200, 400, 400]


def test_friend_import_has_limits(api, db, ann, bob):
    with unchanged(db):
        one = {"peer": bob}
        for friends in ([], [one] * 101, [{"peer": ""}], [{"remark": "x"}], [{"peer": 1}]):
            reply = api.post(f"/v1/users/{ann}/friends", {"friends": friends})
            assert (reply.status, reply.code) == (400, "invalid_request")
        reply = api.post(f"/v1/users/{ann}/friends", {"friends": [{"peer": ann}, {"peer": 1}]})
        assert (reply.status, sorted(reply.pointers)) == (400, ["/friends/0/peer", "/friends/1/peer"])
    many = [{"peer": f"nobody-{i}"} for i in range(100)]
    assert len(api.post(f"/v1/users/{ann}/friends", {"friends": many}).json["results"]) == 100
    reply = api.post(f"/v1/users/{secrets.token_hex(8)}/friends", {"friends": many})
    assert (reply.status, reply.code) == (404, "user_unknown")
