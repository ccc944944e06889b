"""Groups that conversations are sorted into, and marks: /v1/users/{user}/conversation-groups and the
conversations themselves."""

import pytest

from support import text_message
from support.database import unchanged


def groups(user):
    return f"/v1/users/{user}/conversation-groups"


def names(api, user):
    return {group["name"]: group["number"] for group in api.get(groups(user)).json["items"]}


def conversation(user, peer):
    return f"/v1/users/{user}/conversations/{peer}"


def test_a_group_is_made_once_and_numbered_from_one(api, ann):
    made = api.put(f"{groups(ann)}/work")
    assert made.status == 201 and made.json["number"] == 1
    assert made.headers["Location"] == f"{groups(ann)}/work"
    assert api.put(f"{groups(ann)}/work").status == 200
    api.put(f"{groups(ann)}/home")
    assert names(api, ann) == {"work": 1, "home": 2}


def test_the_number_of_a_group_that_went_is_given_again(api, ann):
    for name in ("a", "b"):
        api.put(f"{groups(ann)}/{name}")
    assert api.delete(f"{groups(ann)}/a").status == 204
    assert api.delete(f"{groups(ann)}/a").status == 204
    assert api.put(f"{groups(ann)}/c").json["number"] == 1


def test_a_user_has_twenty_groups_at_most(api, ann):
    for i in range(20):
        assert api.put(f"{groups(ann)}/g{i}").status == 201
    assert api.put(f"{groups(ann)}/more").code == "groups_full"
    assert api.put(f"{groups(ann)}/g1").status == 200


def test_a_renamed_group_keeps_its_number_and_its_conversations(api, ann, bob):
    api.put(f"{groups(ann)}/work")
    api.patch(conversation(ann, bob), {"groups": ["work"]})
    assert api.patch(f"{groups(ann)}/work", {"name": "office"}).json["number"] == 1
    assert api.get(conversation(ann, bob)).json["groups"] == ["office"]
    assert api.patch(f"{groups(ann)}/work", {"name": "x"}).code == "group_unknown"
    api.put(f"{groups(ann)}/home")
    assert api.patch(f"{groups(ann)}/home", {"name": "office"}).code == "name_taken"
    assert api.patch(f"{groups(ann)}/office", {"name": "office"}).status == 200


def test_a_deleted_group_leaves_its_conversations(api, ann, bob):
    api.put(f"{groups(ann)}/work")
    api.patch(conversation(ann, bob), {"groups": ["work"], "pinned": True})
    api.delete(f"{groups(ann)}/work")
    left = api.get(conversation(ann, bob)).json
    assert left["groups"] == [] and left["pinned"]


def test_marks_and_groups_are_the_users_own(api, ann, bob):
    api.post("/v1/messages", text_message(ann, bob))
    api.put(f"{groups(ann)}/work")
    changed = api.patch(conversation(ann, bob), {"groups": ["work"], "marks": "0100", "custom_mark": "vip"}).json
    assert (changed["groups"], changed["marks"], changed["custom_mark"]) == (["work"], "01", "vip")
    assert api.get(f"/v1/users/{ann}/conversations").json["items"][0]["marks"] == "01"
    theirs = api.get(conversation(bob, ann)).json
    assert (theirs["groups"], theirs["marks"], theirs["custom_mark"]) == ([], "", "")
    kept = api.patch(conversation(ann, bob), {"muted": True}).json
    assert (kept["groups"], kept["marks"], kept["muted"]) == (["work"], "01", True)
    cleared = api.patch(conversation(ann, bob), {"groups": None, "marks": None, "custom_mark": None}).json
    assert (cleared["groups"], cleared["marks"], cleared["custom_mark"]) == ([], "", "")


def test_the_users_devices_learn_of_marks(api, ann, bob):
    api.patch(conversation(ann, bob), {"marks": "1"})
    (event,) = api.get(f"/v1/users/{ann}/events").json["items"]
    assert event["kind"] == "conversation" and event["details"]["marks"] == "1"
    assert api.get(f"/v1/users/{bob}/events").json["items"] == []


@pytest.mark.parametrize(
    "patch, code, pointer",
    [
        ({"groups": ["none"]}, "group_unknown", "/groups/0"),
        ({"groups": ["work", "none", "no"]}, "group_unknown", "/groups/1"),
        ({"groups": [""]}, "invalid_request", "/groups/0"),
        ({"marks": "012"}, "invalid_request", "/marks"),
        ({"marks": "1" * 65}, "invalid_request", "/marks"),
        ({"custom_mark": "x" * 257}, "invalid_request", "/custom_mark"),
    ],
)
def test_what_is_wrong_is_named(api, ann, bob, patch, code, pointer):
    api.put(f"{groups(ann)}/work")
    reply = api.patch(conversation(ann, bob), patch)
    assert reply.code == code and reply.pointers == [pointer]


@pytest.mark.parametrize("name", ["work/home", "work\\home", ".", ".."])
def test_a_group_gets_no_name_that_no_path_could_say(api, ann, db, name):
    api.put(f"{groups(ann)}/work")
    with unchanged(db):
        reply = api.patch(f"{groups(ann)}/work", {"name": name})
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", ["/name"])
    assert names(api, ann) == {"work": 1}


def test_what_is_said_of_groups_is_true_of_both_kinds(api, ann, bob):
    unknown = [
        api.patch(f"{groups(ann)}/none", {"name": "x"}),
        api.patch(conversation(ann, bob), {"groups": ["none"]}),
        api.put(f"/v1/users/{ann}/friends/{bob}", {"groups": ["none"]}),
    ]
    assert {(reply.code, reply.json["title"]) for reply in unknown} == {
        ("group_unknown", "The user has no group of this name.")
    }
    for i in range(20):
        api.put(f"{groups(ann)}/g{i}")
    full = api.put(f"{groups(ann)}/more")
    assert full.json["title"] == "The user has as many groups as are allowed."


def test_a_device_sorts_its_own_conversations_alone(api, ann, bob):
    mine = api.as_user(ann)
    assert mine.put(f"{groups(ann)}/work").status == 201
    assert mine.get(groups(bob)).code == "forbidden"
    assert mine.put(f"{groups(bob)}/work").code == "forbidden"


def test_nobody_has_no_groups(api):
    for reply in (api.get(groups("nobody")), api.put(f"{groups('nobody')}/x"), api.delete(f"{groups('nobody')}/x"),
                  api.patch(f"{groups('nobody')}/x", {"name": "y"})):
        assert reply.code == "user_unknown"


def test_what_is_in_a_group_or_marked_is_listed_whether_or_not_anything_was_said(api, ann, user):
    peers = [user() for _ in range(5)]
    api.put(f"{groups(ann)}/work")
    for peer, change in zip(peers, ({"groups": ["work"]}, {"marks": "01"}, {"custom_mark": "x"}, {"pinned": True})):
        assert api.patch(conversation(ann, peer), change).status == 200
    path = f"/v1/users/{ann}/marked-conversations"
    assert [one["peer"] for one in api.get(path).json["items"]] == peers[:3]
    listed, cursor = [], None
    while len(listed) < 4:
        page = api.get(path, params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json
        listed += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert listed == [api.get(conversation(ann, peer)).json for peer in peers[:3]]
    api.patch(conversation(ann, peers[1]), {"marks": ""})
    api.delete(f"/v1/users/{peers[0]}")
    assert [one["peer"] for one in api.get(path).json["items"]] == [peers[2]]


def test_the_list_of_marked_conversations_refuses_what_it_must(api, ann, bob):
    assert api.get("/v1/users/nobody-at-all/marked-conversations").code == "user_unknown"
    assert api.get(f"/v1/users/{ann}/marked-conversations", params={"cursor": "x"}).code == "cursor_invalid"
    assert api.as_user(bob).get(f"/v1/users/{ann}/marked-conversations").code == "forbidden"
    assert api.as_user(ann).get(f"/v1/users/{ann}/marked-conversations").json == {"items": [], "next_cursor": None}
