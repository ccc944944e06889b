"""Friends, their groups and the blocklist of /v4, where they are more than what /v1 says."""

import json
import threading

import pytest


def items_of(*names, **more):
    return [{"To_Account": name, "AddSource": "AddSource_Type_Web", **more} for name in names]


def codes(answer):
    return {one["To_Account"]: one["ResultCode"] for one in answer["ResultItem"]}


def own_side(api, pair):
    return api.get(f"/v1/users/{pair[0]}/friends/{pair[1]}").json


SAID = {
    "Remark": "Finn of school",
    "GroupName": ["School"],
    "AddWording": "It's me",
    "CustomItem": [{"Tag": "Tag_SNS_Custom_Lev", "Value": 3}],
}


@pytest.mark.parametrize("more", [{}, {"ForceAddFlags": 1}, {"AddType": "Add_Type_Single"}])
def test_who_is_added_again_keeps_what_was_said(v4, api, pair, more):
    v4.ok("sns/friend_import", {"From_Account": pair[0], "AddFriendItem": items_of(pair[1], **SAID)})
    before = own_side(api, pair)
    again = {"From_Account": pair[0], "AddFriendItem": items_of(pair[1], GroupName="Work"), **more}
    assert codes(v4.ok("sns/friend_add", again)) == {pair[1]: 0}
    after = own_side(api, pair)
    assert after["groups"] == ["School", "Work"]
    assert (after["remark"], after["custom"]) == (before["remark"], before["custom"])
    assert before["remark"] == "Finn of school" and before["custom"]["Lev"] == "3"


def test_a_block_that_is_there_ends_a_friendship_that_was_left(v4, api, pair):
    assert api.put(f"/v1/users/{pair[0]}/friends/{pair[1]}", {}).status == 201
    assert api.put(f"/v1/users/{pair[0]}/blocks/{pair[1]}").status == 201
    block = {"From_Account": pair[0], "To_Account": [pair[1]]}
    assert codes(v4.ok("sns/black_list_add", block)) == {pair[1]: 30001}
    assert api.get(f"/v1/users/{pair[1]}/friends/{pair[0]}").status == 404


def test_whoever_names_itself_unblocks_the_others(v4, api, pair):
    assert api.put(f"/v1/users/{pair[0]}/blocks/{pair[1]}").status == 201
    names = [pair[0], "nobody-at-all", pair[1]]
    told = codes(v4.ok("sns/black_list_delete", {"From_Account": pair[0], "To_Account": names}))
    assert told[pair[1]] == 0 and told[pair[0]] != 0
    assert api.get(f"/v1/users/{pair[0]}/blocks/{pair[1]}").status == 404


TOO_MUCH = [
    {"Remark": "x" * 257},
    {"GroupName": ["x" * 65]},
    {"CustomItem": [{"Tag": "Tag_SNS_Custom_Lev", "Value": "x" * 1025}]},
    {"CustomItem": [{"Tag": "Tag_SNS_Custom_", "Value": "x"}]},
    {"CustomItem": [{"Tag": "Tag_SNS_Custom_im_add_wording", "Value": "x"}]},
]


@pytest.mark.parametrize("bad", TOO_MUCH, ids=lambda bad: next(iter(bad)))
def test_an_entry_of_an_import_fails_alone(v4, api, pair, bad):
    others = [f"other-{i}" for i in range(101)]
    for first in (0, 100):
        assert api.post("/v1/users", {"users": [{"id": one} for one in others[first : first + 100]]}).status == 200
    items = [*items_of(*others[:50]), *items_of(pair[1], **bad), *items_of(*others[50:], GroupName=[""])]
    answer = v4.ok("sns/friend_import", {"From_Account": pair[0], "AddFriendItem": items})
    assert codes(answer) == {**{name: 0 for name in others}, pair[1]: 30001}
    assert answer["Fail_Account"] == [pair[1]]


def test_an_import_of_nothing_but_mistakes_ends(v4, pair):
    items = items_of(*[f"other-{i}" for i in range(150)], Remark="x" * 257)
    answer = v4.ok("sns/friend_import", {"From_Account": pair[0], "AddFriendItem": items})
    assert set(codes(answer).values()) == {30001} and len(answer["Fail_Account"]) == 150


@pytest.mark.parametrize("bad", [{"Remark": "x" * 257}, {"GroupName": "x" * 65}], ids=lambda bad: next(iter(bad)))
def test_a_friend_who_cannot_be_added_so_fails_alone(v4, pair, bad):
    items = [*items_of("administrator", **bad), *items_of(pair[1])]
    answer = v4.ok("sns/friend_add", {"From_Account": pair[0], "AddFriendItem": items})
    assert codes(answer) == {"administrator": 30001, pair[1]: 0}


def test_a_list_has_more_time_than_one_of_its_names(v4_of, start_server, v4_settings, db, pair):
    """The first waits for longer than a request may wait to be begun."""
    v4 = v4_of(start_server(env={**v4_settings, "DUET_REQUEST_TIMEOUT_SECONDS": "1"}))
    v4.ok("im_open_login_svc/account_import", {"UserID": "third"})
    request = {"From_Account": pair[0], "AddFriendItem": items_of(pair[1], "third")}
    told = []
    with db.transaction():
        db.execute(
            "select from duet.mailbox_head where owner = (select user_no from duet.app_user where user_id = %s)"
            " for update", [pair[1]])
        caller = threading.Thread(target=lambda: told.append(v4.ok("sns/friend_add", request)))
        caller.start()
        caller.join(timeout=1.5)
        assert caller.is_alive()
    caller.join()
    assert codes(told[0]) == {pair[1]: 0, "third": 0}


def test_who_may_ask_nobody_does_not_ask(v4, api, pair):
    item = {"To_Account": pair[1], "AddSource": "AddSource_Type_Web"}
    add = {"From_Account": pair[0], "AddFriendItem": [item]}
    v4.ok("profile/portrait_set", {"From_Account": pair[0], "ProfileItem": [
        {"Tag": "Tag_Profile_IM_AdminForbidType", "Value": "AdminForbid_Type_SendOut"}]})
    for kind in ("Add_Type_Both", "Add_Type_Single"):
        assert [one["ResultCode"] for one in v4.ok("sns/friend_add", {**add, "AddType": kind})["ResultItem"]] == [30009]
    own = api.as_user(pair[0])
    assert own.post(f"/v1/users/{pair[0]}/friend-requests", {"to": pair[1]}).code == "forbidden"
    assert own.put(f"/v1/users/{pair[0]}/friends/{pair[1]}", {}).code == "forbidden"
    assert own.patch(f"/v1/users/{pair[0]}", {"custom": None}).pointers == ["/custom/im_admin_forbid_type"]
    assert v4.ok("sns/friend_add", {**add, "ForceAddFlags": 1})["ResultItem"][0]["ResultCode"] == 0


def befriend_many(api, db, name, n):
    peers = [f"friend-{i}" for i in range(n)]
    for i in range(0, n, 100):
        assert api.post("/v1/users", {"users": [{"id": peer} for peer in peers[i:i + 100]]}).status == 200
    db.execute("select duet.friend_import(%s, %s)", [name, json.dumps([{"peer": peer} for peer in peers])])
    return peers


@pytest.mark.parametrize("kind, left", [("Delete_Type_Single", "incoming"), ("Delete_Type_Both", "none"), (None, "incoming")])
def test_all_friends_go_however_many_there_are(v4, api, db, pair, kind, left):
    peers = befriend_many(api, db, pair[0], 450)
    v4.ok("sns/friend_delete_all", {"From_Account": pair[0], **({"DeleteType": kind} if kind else {})})
    assert v4.ok("sns/friend_get", {"From_Account": pair[0], "StartIndex": 0})["FriendNum"] == 0
    checked = api.post(f"/v1/users/{pair[0]}/friends/check", {"peers": peers}).json["items"]
    assert {one["relation"] for one in checked} == {left}


def test_friends_of_whom_the_most_is_said_are_all_told(v4, api, db, pair):
    befriend_many(api, db, pair[0], 200)
    db.execute(
        "update duet.contact as c set custom = (select jsonb_object_agg('n' || i, repeat('x', 1024)) from generate_series(1, 64) as i)"
        " from duet.app_user as u where u.user_id = %s and c.owner = u.user_no", [pair[0]])
    page = v4.ok("sns/friend_get", {"From_Account": pair[0], "StartIndex": 0})
    assert (page["FriendNum"], len(page["UserDataItem"]), page["NextStartIndex"]) == (200, 100, 100)
